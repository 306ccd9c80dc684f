import ClusterMessages
import ClusterState
import Consensus

/// The store as bytes, for the log's beginning and for members that lag far behind.
enum Snapshot {
    /// In pieces, so that no array has to be as large as all of it.
    static func pieces(_ tables: ClusterTables, _ metadata: SnapshotMetadata) -> [[UInt8]] {
        var encoder = SnapshotEncoder()
        var pieces = [encoder.header(index: metadata.index, term: metadata.term, membership: metadata.membership.wire)]
        for object in tables.objects {
            let piece = encoder.append(object)
            if !piece.isEmpty { pieces.append(piece) }
        }
        return pieces + [encoder.finish()]
    }

    static func encode(_ tables: ClusterTables, _ metadata: SnapshotMetadata) -> [UInt8] {
        Array(pieces(tables, metadata).joined())
    }

    /// - Throws: `MessageError` when the bytes are damaged, cut short or of a newer version.
    static func decode(_ bytes: [UInt8]) throws -> ClusterTables {
        var decoder = SnapshotDecoder()
        let elements = try decoder.append(bytes)
        try decoder.finish()
        var index: LogIndex = 0
        for case .header(let header) in elements { index = header.index }
        return ClusterTables(
            objects: elements.lazy.compactMap { if case .object(let object) = $0 { object } else { nil } }, index: index
        )
    }
}
