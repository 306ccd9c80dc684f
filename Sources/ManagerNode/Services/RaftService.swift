import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import Consensus
import GRPCCore
import Primitives

/// Takes the Raft messages of other managers.
struct RaftService: WireRaft.SimpleServiceProtocol {
    let slot: ManagerSlot

    func messages(
        request: RPCAsyncSequence<WireRaftMessage, any Error>, context: ServerContext
    ) async throws -> WireRaftStreamEnd {
        try await take(request, context)
    }

    func heartbeats(
        request: RPCAsyncSequence<WireRaftMessage, any Error>, context: ServerContext
    ) async throws -> WireRaftStreamEnd {
        try await take(request, context)
    }

    private func take(
        _ request: RPCAsyncSequence<WireRaftMessage, any Error>, _ context: ServerContext
    ) async throws -> WireRaftStreamEnd {
        let manager = try slot.require()
        for try await wire in request {
            let message = try Consensus.Message(wire: wire)
            try manager.requireMember(message.from)
            manager.receive(.message(message))
        }
        return WireRaftStreamEnd()
    }

    func installSnapshot(
        request: RPCAsyncSequence<WireRaftSnapshotPiece, any Error>, context: ServerContext
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
                try manager.requireMember(message.from)
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
    /// A node that is no manager any more still has its certificate: what counts is the state. A member that this manager
    /// has not heard of may be newer than its state.
    func requireMember(_ id: RaftID) throws {
        if membership.contains(id) || !tables.isRevoked(member: id) { return }
        throw RPCError(code: .permissionDenied, message: "raft id \(id) takes part in Raft no more")
    }
}
