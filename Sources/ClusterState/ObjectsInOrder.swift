public import ClusterModel

/// Every object of a state, the cluster first, then each kind ordered by id.
///
/// The state stays as it is, so another thread can go through it while the next transactions are applied. Beside it no more
/// is in memory than the ids of one kind.
public struct ObjectsInOrder: Sequence, Sendable {
    private let tables: ClusterTables

    init(_ tables: ClusterTables) {
        self.tables = tables
    }

    public func makeIterator() -> Iterator { Iterator(tables) }

    public struct Iterator: IteratorProtocol {
        private let tables: ClusterTables
        private var kind = 0
        private var current: AnyIterator<ClusterObject>

        init(_ tables: ClusterTables) {
            self.tables = tables
            current = AnyIterator(
                CollectionOfOne(tables.cluster).lazy.compactMap { $0.map(ClusterObject.cluster) }.makeIterator())
        }

        public mutating func next() -> ClusterObject? {
            while true {
                if let object = current.next() { return object }
                kind += 1
                switch kind {
                case 1: current = Iterator.over(tables.nodes, ClusterObject.node)
                case 2: current = Iterator.over(tables.networks, ClusterObject.network)
                case 3: current = Iterator.over(tables.secrets, ClusterObject.secret)
                case 4: current = Iterator.over(tables.configs, ClusterObject.config)
                case 5: current = Iterator.over(tables.services, ClusterObject.service)
                case 6: current = Iterator.over(tables.tasks, ClusterObject.task)
                default: return nil
                }
            }
        }

        private static func over<Tag, Object>(
            _ table: Table<Tag, Object>, _ wrap: @escaping (Object) -> ClusterObject
        ) -> AnyIterator<ClusterObject> {
            AnyIterator(table.sortedIDs.lazy.compactMap { table[$0] }.map(wrap).makeIterator())
        }
    }
}
