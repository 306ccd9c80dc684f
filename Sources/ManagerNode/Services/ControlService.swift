import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
public import GRPCCore
public import Primitives
import SwiftProtobuf

/// Writes that other managers were asked for, and nodes that leave.
struct ControlService: WireControl.SimpleServiceProtocol {
    let slot: ManagerSlot

    func propose(request: WireProposeRequest, context: ServerContext) async throws -> WireProposeAnswer {
        let manager = try slot.require()
        guard manager.isLeader else { return .with { $0.notLeader = manager.notLeader } }
        guard let peer = context.peer, manager.tables.nodes[peer.node]?.manager != nil else {
            throw RPCError(code: .permissionDenied, message: "only managers write, and this node is none any more")
        }
        let transaction = try Transaction(encoded: Array(request.transaction))
        do {
            let index = try await manager.proposeHere(transaction)
            return .with { $0.result = .with { $0.index = index } }
        } catch let failure as Failure {
            throw failure.rpc
        }
    }

    func leave(request: WireLeaveRequest, context: ServerContext) async throws -> WireLeaveAnswer {
        let manager = try slot.require()
        guard let peer = context.peer else { throw RPCError(code: .permissionDenied, message: "not a member") }
        guard let leader = manager.leader else { return .with { $0.notLeader = manager.notLeader } }
        do {
            let isGone = try await manager.release(peer.node, leader)
            return .with { $0.isGone = isGone }
        } catch let failure as Failure {
            throw failure.rpc
        }
    }
}

extension Manager {
    var notLeader: WireNotLeader { .with { $0.leaderAddress = leaderAddress ?? "" } }
}

extension Failure {
    /// The same kind and text for a caller on another node.
    var rpc: RPCError {
        let code: RPCError.Code =
            switch self.code {
            case .invalidArgument: .invalidArgument
            case .notFound: .notFound
            case .alreadyExists: .alreadyExists
            case .conflict: .aborted
            case .failedPrecondition: .failedPrecondition
            case .permissionDenied: .permissionDenied
            case .unauthenticated: .unauthenticated
            case .unavailable: .unavailable
            case .resourceExhausted: .resourceExhausted
            case .deadlineExceeded: .deadlineExceeded
            case .unimplemented: .unimplemented
            case .dataLoss: .dataLoss
            default: .internalError
            }
        return RPCError(code: code, message: description)
    }
}

extension RPCError {
    /// The other direction of ``Failure/rpc``.
    public var failure: Failure {
        let code: Failure.Code =
            switch self.code {
            case .invalidArgument: .invalidArgument
            case .notFound: .notFound
            case .alreadyExists: .alreadyExists
            case .aborted: .conflict
            case .failedPrecondition: .failedPrecondition
            case .permissionDenied: .permissionDenied
            case .unauthenticated: .unauthenticated
            case .unavailable: .unavailable
            case .resourceExhausted: .resourceExhausted
            case .deadlineExceeded: .deadlineExceeded
            case .unimplemented: .unimplemented
            case .dataLoss: .dataLoss
            default: .internal
            }
        return Failure(code, message)
    }
}
