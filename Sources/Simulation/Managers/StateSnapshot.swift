import ClusterMessages
import ClusterState
import Consensus
import SwiftProtobuf

/// The state as bytes, as managers keep and send it.
enum StateSnapshot {
    static func pieces(_ tables: ClusterTables, _ metadata: SnapshotMetadata) -> SnapshotPieces<ObjectsInOrder> {
        let membership = WireRaftMembership.with {
            $0.voters = metadata.membership.voters
            $0.outgoingVoters = metadata.membership.outgoingVoters
            $0.learners = metadata.membership.learners
        }
        return SnapshotPieces(
            index: metadata.index, term: metadata.term, membership: membership, objects: tables.objects)
    }

    /// - Throws: what `next` throws, and ``Violation`` for bytes that are no snapshot.
    static func decode(next: () throws -> [UInt8]?) throws -> ClusterTables {
        var tables = ClusterTables()
        var decoder = SnapshotDecoder()
        do {
            while let piece = try next() {
                for element in try decoder.append(piece) {
                    switch element {
                    case .header(let header): tables.skip(to: header.index)
                    case .object(let object): tables.restore(CollectionOfOne(object))
                    }
                }
            }
            try decoder.finish()
        } catch let error as MessageError {
            throw Violation.safety("a snapshot cannot be read: \(error)")
        }
        return tables
    }
}
