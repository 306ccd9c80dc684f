import ClusterMessages
import ClusterModel
import ClusterState
import Consensus

/// The store as bytes, for the log's beginning and for members that lag far behind.
enum Snapshot {
    /// Each is encoded when it is asked for: beside the tables no more is in memory than one.
    static func pieces(_ tables: ClusterTables, _ metadata: SnapshotMetadata) -> SnapshotPieces<ObjectsInOrder> {
        SnapshotPieces(
            index: metadata.index, term: metadata.term, membership: metadata.membership.wire, objects: tables.objects)
    }

    /// What a source holds; without one nothing.
    static func load(_ source: consuming (any SnapshotSource)?) throws -> (tables: ClusterTables, bytes: Int) {
        guard var source else { return (ClusterTables(), 0) }
        var loader = Loader()
        while let piece = try source.next() { try loader.append(piece) }
        return (try loader.finish(), loader.bytes)
    }

    /// Makes tables of a snapshot's pieces, of any size, as they come.
    struct Loader: Sendable {
        private var tables = ClusterTables()
        private var decoder = SnapshotDecoder()
        /// Of all pieces until now.
        private(set) var bytes = 0

        /// - Throws: `MessageError` when the bytes are damaged or of a newer version.
        mutating func append(_ piece: [UInt8]) throws {
            bytes += piece.count
            for element in try decoder.append(piece) {
                switch element {
                case .header(let header): tables.skip(to: header.index)
                case .object(let object): tables.restore(CollectionOfOne(object))
                }
            }
        }

        /// - Throws: `MessageError` when the snapshot is cut short.
        func finish() throws -> ClusterTables {
            try decoder.finish()
            return tables
        }
    }
}
