public import ClusterIdentity
import ClusterModel
import ClusterState
public import ClusterWire
import Consensus
import LinuxSystem
import Logging
import Orchestration
import Primitives

extension Manager {
    /// What the state says of a member: a removed node's certificate counts no more. A node that this manager has not
    /// heard of may be newer than its state.
    public func standing(of peer: PeerIdentity) -> Standing {
        roster.isRevoked(peer.node) ? .revoked : .member(peer.role)
    }

    var rolePlan: RolePlan {
        let view = view
        return RolePlan(
            roster: view.roster, membership: view.membership, own: settings.raftID, active: view.active,
            ready: view.ready)
    }

    /// Makes Raft's members what the nodes' specs say, as long as this manager leads.
    func keepRoles() async {
        var pace = RolePace()
        while !Task.isCancelled {
            let plan = rolePlan
            if let step = pace.next(of: rolesArePaused ? nil : plan) {
                do {
                    try await perform(step, of: plan)
                } catch {
                    if Task.isCancelled { return }
                    log.debug("managers: \(step) not done yet: \(error)")
                }
            }
            try? await Task.sleep(for: ManagerLimits.leaderTick)
        }
    }

    private func perform(_ step: RolePlan.Step, of plan: RolePlan) async throws {
        switch step {
        case .handOver(let successor):
            log.info("this manager is to be a worker: it hands the lead over")
            receive(.transferLeadership(successor))
        case .change(let changes):
            _ = try await changeMembership(changes, from: plan.membership)
            log.info("managers: \(changes.map { "\($0)" }.joined(separator: ", ")) in one change")
        case .retire(let id):
            guard var node = roster.nodes[id] else { return }
            node.manager = nil
            _ = try await proposeHere(Transaction([.update(.node(node), bySpec: false)], time: Clock.wallTime))
            log.info("node \(id) is no longer a manager")
        }
    }

    /// Waits a moment for a sign of life of managers that a new leader has not heard yet, then says why not.
    func checkRoles(_ transaction: Transaction) async throws {
        let deadline = Clock.now + ManagerLimits.signOfLife
        while let refusal = rolePlan.refusal(of: transaction) {
            guard Clock.now < deadline else { throw refusal }
            try await Task.sleep(for: ManagerLimits.leaderTick)
        }
    }

    /// A node leaves on purpose: Raft first goes on without it, then it is down.
    ///
    /// - Returns: whether it has left; otherwise it asks again in a moment.
    func release(_ id: NodeID, _ leader: Leader) async throws -> Bool {
        guard var node = roster.nodes[id] else { return true }
        if node.spec.role == .manager {
            node.spec.role = .worker
            do {
                _ = try await proposeHere(Transaction([.update(.node(node), bySpec: true)], time: Clock.wallTime))
            } catch let failure as Failure where failure.code == .conflict {
                return false
            }
        }
        if node.manager != nil { return false }
        await leader.leave(id)
        return true
    }
}
