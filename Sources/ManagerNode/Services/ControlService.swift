import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import GRPCCore
import Primitives
import SwiftProtobuf

/// Nodes that leave.
struct ControlService: WireControl.SimpleServiceProtocol {
    let slot: ManagerSlot

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
