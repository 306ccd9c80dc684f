import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterWire
import Consensus
import GRPCCore
import Primitives

/// Takes the Raft messages of other managers.
struct RaftService: WireRaft.SimpleServiceProtocol {
    let manager: Manager

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
        try manager.requireMember(context)
        for try await wire in request { manager.receive(.message(try Consensus.Message(wire: wire))) }
        return WireRaftStreamEnd()
    }

    func installSnapshot(
        request: RPCAsyncSequence<WireRaftSnapshotPiece, any Error>, context: ServerContext
    ) async throws -> WireRaftStreamEnd {
        try manager.requireMember(context)
        var bytes: [UInt8] = []
        for try await piece in request {
            switch piece.piece {
            case .data(let data):
                guard bytes.count + data.count <= ManagerLimits.snapshotBytes else {
                    throw RPCError(
                        code: .resourceExhausted, message: "a snapshot above \(ManagerLimits.snapshotBytes) bytes")
                }
                bytes.append(contentsOf: data)
            case .message(let message):
                // Whole and readable before Raft hears of it.
                _ = try Snapshot.decode(bytes)
                manager.receive(.snapshot(bytes, try Consensus.Message(wire: message)))
                return WireRaftStreamEnd()
            case nil: throw RPCError(code: .invalidArgument, message: "a piece of a snapshot without content")
            }
        }
        throw RPCError(code: .dataLoss, message: "the snapshot was cut short")
    }
}

extension Manager {
    /// A manager that was removed still has its certificate: what counts is the state. One that this manager has not
    /// heard of may be newer than its state.
    func requireMember(_ context: ServerContext) throws {
        guard let peer = context.peer, peer.role == .manager else {
            throw RPCError(code: .permissionDenied, message: "not a manager")
        }
    }
}
