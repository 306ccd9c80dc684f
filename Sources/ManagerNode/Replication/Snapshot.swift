import ClusterMessages
import ClusterState
import Consensus

/// The store as bytes, for the log's beginning and for members that lag far behind.
enum Snapshot {
    static func encode(_ tables: ClusterTables, _ metadata: SnapshotMetadata) -> [UInt8] {
        var encoder = SnapshotEncoder()
        var bytes = encoder.header(index: metadata.index, term: metadata.term, membership: metadata.membership.wire)
        for object in tables.objects { bytes += encoder.append(object) }
        return bytes + encoder.finish()
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
