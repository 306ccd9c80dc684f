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

    func propose(
        request: RPCAsyncSequence<WireProposals, any Error>, response: RPCWriter<WireOutcomes>, context: ServerContext
    ) async throws {
        let manager = try slot.require()
        guard let peer = context.peer else { throw RPCError(code: .permissionDenied, message: "not a member") }
        let outbox = OutcomeOutbox()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in outbox.bell.rings {
                    let outcomes = outbox.take()
                    if !outcomes.isEmpty { try await response.write(.with { $0.outcomes = outcomes }) }
                }
            }
            group.addTask {
                for try await batch in request {
                    let isManager = manager.tables.nodes[peer.node]?.manager != nil
                    for proposal in batch.proposals {
                        if isManager {
                            take(proposal, manager, outbox)
                        } else {
                            outbox.push(proposal.number, .refusal(WireRefusal(ControlService.noManager)))
                        }
                    }
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private static let noManager = Failure(
        .permissionDenied, "only managers write, and this node is none any more")

    private func take(_ proposal: WireProposal, _ manager: Manager, _ outbox: OutcomeOutbox) {
        let number = proposal.number
        guard manager.isLeader else { return outbox.push(number, .notLeader(manager.notLeader)) }
        do throws(MessageError) {
            let data = Array(proposal.transaction)
            manager.submit(Proposal(transaction: try Transaction(encoded: data), data: data)) { result in
                switch result {
                case .success(let index): outbox.push(number, .index(index))
                case .failure(let failure):
                    // Where this manager has stopped, another one may know what became of it.
                    let told = manager.failure == nil ? failure : Failure(.unknown, failure.description)
                    outbox.push(number, .refusal(WireRefusal(told)))
                }
            }
        } catch {
            let failure = Failure(.invalidArgument, "a transaction that cannot be read: \(error)")
            outbox.push(number, .refusal(WireRefusal(failure)))
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
            case .unknown: .unknown
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
            case .unknown: .unknown
            case .resourceExhausted: .resourceExhausted
            case .deadlineExceeded: .deadlineExceeded
            case .unimplemented: .unimplemented
            case .dataLoss: .dataLoss
            default: .internal
            }
        return Failure(code, message)
    }
}
