import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import Consensus
import GRPCCore
import Primitives

/// Takes snapshots of other managers.
struct RaftService: WireRaft.ServiceProtocol {
    let slot: ManagerSlot

    private static func sender(_ context: ServerContext) throws -> NodeID {
        guard let peer = context.peer else { throw RPCError(code: .permissionDenied, message: "not a member") }
        return peer.node
    }

    func installSnapshot(
        request: StreamingServerRequest<WireRaftSnapshotPiece>, context: ServerContext
    ) async throws -> ServerResponse<WireRaftStreamEnd> {
        try await ServerResponse(message: install(request.messages, RaftService.sender(context)))
    }

    private func install(
        _ request: RPCAsyncSequence<WireRaftSnapshotPiece, any Error>, _ sender: NodeID
    ) async throws -> WireRaftStreamEnd {
        let manager = try slot.require()
        var loader = Snapshot.Loader()
        for try await piece in request {
            switch piece.piece {
            case .data(let data):
                guard loader.bytes + data.count <= ManagerLimits.snapshotBytes else {
                    throw RPCError(
                        code: .resourceExhausted, message: "a snapshot above \(ManagerLimits.snapshotBytes) bytes")
                }
                try loader.append(Array(data))
            case .message(let message):
                // Whole and readable before Raft hears of it.
                let tables = try loader.finish()
                let message = try Consensus.Message(wire: message)
                try manager.require(message, from: sender)
                guard case .installSnapshot(let metadata) = message.payload, metadata.index == tables.index else {
                    throw RPCError(code: .invalidArgument, message: "a snapshot of another index than its message's")
                }
                manager.receive(.snapshot(tables, message))
                return WireRaftStreamEnd()
            case nil: throw RPCError(code: .invalidArgument, message: "a piece of a snapshot without content")
            }
        }
        throw RPCError(code: .dataLoss, message: "the snapshot was cut short")
    }
}

extension Manager {
    func require(_ message: Consensus.Message, from sender: NodeID) throws {
        let view = view
        let rule = PeerRule(own: settings.raftID, membership: view.membership, roster: view.roster)
        if let refusal = rule.refusal(of: message, from: sender) { throw refusal }
    }
}

/// Which messages are taken: those for this member, from the node whose raft id they name. Addresses may have changed hands.
///
/// A node that is no manager any more still has its certificate: what counts is the state. A member that this manager has
/// not heard of may be newer than its state.
struct PeerRule {
    var own: RaftID
    var membership: Membership
    var roster: Roster

    func refusal(of message: Consensus.Message, from sender: NodeID) -> RPCError? {
        guard message.to == own else {
            return RPCError(code: .failedPrecondition, message: "this is raft id \(own), not \(message.to)")
        }
        let id = message.from
        if let owner = roster.node(ofMember: id)?.id, owner != sender {
            return RPCError(
                code: .permissionDenied, message: "raft id \(id) is node \(owner)'s, not node \(sender)'s")
        }
        if membership.contains(id) || !roster.isRevoked(member: id) { return nil }
        return RPCError(code: .permissionDenied, message: "raft id \(id) takes part in Raft no more")
    }
}
