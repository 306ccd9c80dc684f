import DockerSchema
import Primitives

/// The `filters` parameter: a key's values are alternatives, keys must all hold.
struct Filters: Sendable {
    private var values: [String: [String]]

    /// - Throws: ``Failure`` with code `invalidArgument` for JSON of another shape or a key that is not in `allowed`.
    init(_ query: Query, allowed: Set<String>) throws(Failure) {
        values = [:]
        guard let text = query["filters"] else { return }
        let json = try DockerJSON.decode(JSONValue.self, from: text.utf8)
        guard case .object(let members) = json else {
            throw Failure(.invalidArgument, "filters: not a JSON object")
        }
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            guard allowed.contains(key) else { throw Failure(.invalidArgument, "invalid filter '\(key)'") }
            values[key] = try Filters.alternatives(value, key)
        }
    }

    /// A list, or (before API 1.22) an object of true values.
    private static func alternatives(_ value: JSONValue, _ key: String) throws(Failure) -> [String] {
        switch value {
        case .array(let items):
            var texts: [String] = []
            for item in items {
                guard case .string(let text) = item else {
                    throw Failure(.invalidArgument, "filters.\(key): not a list of strings")
                }
                texts.append(text)
            }
            return texts
        case .object(let members): return members.filter { $0.value == .bool(true) }.keys.sorted()
        default: throw Failure(.invalidArgument, "filters.\(key): not a list of strings")
        }
    }

    subscript(key: String) -> [String] { values[key] ?? [] }

    /// Whether the key is not asked for, or one of its values satisfies the condition.
    func allows(_ key: String, where matches: (String) -> Bool) -> Bool {
        let wanted = self[key]
        return wanted.isEmpty || wanted.contains(where: matches)
    }

    func allowsPrefix(_ key: String, of text: String) -> Bool { allows(key) { text.hasPrefix($0) } }

    func allowsExact(_ key: String, _ text: String) -> Bool { allows(key) { text == $0 } }

    /// `NAME` or `NAME=VALUE`; labels must all hold, as in Docker.
    func allowsLabels(_ key: String, _ labels: [String: String]) -> Bool {
        self[key].allSatisfy { wanted in
            let parts = wanted.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let name = parts.first, let value = labels[name] else { return false }
            return parts.count == 1 || parts[1] == value
        }
    }
}
