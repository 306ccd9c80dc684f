import ClusterMessages
import ClusterState
import Consensus
import SwiftProtobuf

/// The state as bytes, as managers keep and send it.
enum StateSnapshot {
    static func encode(_ tables: ClusterTables, _ metadata: SnapshotMetadata) -> [UInt8] {
        var encoder = SnapshotEncoder()
        let membership = WireRaftMembership.with {
            $0.voters = metadata.membership.voters
            $0.outgoingVoters = metadata.membership.outgoingVoters
            $0.learners = metadata.membership.learners
        }
        var bytes = encoder.header(index: metadata.index, term: metadata.term, membership: membership)
        for object in tables.objects { bytes += encoder.append(object) }
        return bytes + encoder.finish()
    }

    static func decode(_ bytes: [UInt8]) throws(Violation) -> ClusterTables {
        do {
            var decoder = SnapshotDecoder()
            let elements = try decoder.append(bytes)
            try decoder.finish()
            var index: LogIndex = 0
            for case .header(let header) in elements { index = header.index }
            return ClusterTables(
                objects: elements.lazy.compactMap { if case .object(let object) = $0 { object } else { nil } },
                index: index)
        } catch {
            throw .safety("a snapshot cannot be read: \(error)")
        }
    }
}
