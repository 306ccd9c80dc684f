import ClusterModel
import ClusterState
import Primitives

/// Finds an object by full id, exact name, or the beginning of its id, in this order.
enum Lookup {
    /// - Throws: ``Failure`` with code `notFound`; `invalidArgument` when several match.
    static func node(_ text: String, in tables: ClusterTables) throws(Failure) -> Node {
        try find(text, kind: "node", in: tables.nodes) { tables.nodes.sorted.filter { $0.hostname == text } }
    }

    static func service(_ text: String, in tables: ClusterTables) throws(Failure) -> Service {
        try find(text, kind: "service", in: tables.services) { tables.service(named: text).map { [$0] } ?? [] }
    }

    static func task(_ text: String, in tables: ClusterTables) throws(Failure) -> ClusterTask {
        try find(text, kind: "task", in: tables.tasks) { tables.tasks.sorted.filter { $0.name == text } }
    }

    static func network(_ text: String, in tables: ClusterTables) throws(Failure) -> Network {
        try find(text, kind: "network", in: tables.networks) { tables.network(named: text).map { [$0] } ?? [] }
    }

    static func secret(_ text: String, in tables: ClusterTables) throws(Failure) -> Secret {
        try find(text, kind: "secret", in: tables.secrets) { tables.secret(named: text).map { [$0] } ?? [] }
    }

    static func config(_ text: String, in tables: ClusterTables) throws(Failure) -> Config {
        try find(text, kind: "config", in: tables.configs) { tables.config(named: text).map { [$0] } ?? [] }
    }

    private static func find<Tag, Object>(
        _ text: String, kind: String, in table: Table<Tag, Object>, named: () -> [Object]
    ) throws(Failure) -> Object {
        if let id = Identifier<Tag>(text), let object = table[id] { return object }
        let byName = named()
        if let object = byName.first {
            guard byName.count == 1 else { throw ambiguous(kind, text, byName.count) }
            return object
        }
        let ids = text.isEmpty ? [] : table.ids(prefix: text)
        guard ids.count <= 1 else { throw ambiguous(kind, text, ids.count) }
        guard let id = ids.first, let object = table[id] else {
            throw Failure(.notFound, "\(kind) \(text) not found")
        }
        return object
    }

    private static func ambiguous(_ kind: String, _ text: String, _ count: Int) -> Failure {
        Failure(.invalidArgument, "\(kind) \(text) is ambiguous (\(count) matches found)")
    }
}
