import ClusterModel
import ClusterState
import Consensus
import LinuxSystem
import Orchestration
import Primitives

/// Managers that come back to Raft.
extension Manager {
    /// One change of the managers at a time: waits for its turn.
    func addLearner(_ id: RaftID) async throws {
        try await change { $0.membership.contains(id) ? nil : .addLearner(id) }
    }

    /// A manager that has lost its log must not vote as the member that it was, which may have promised what it does not
    /// know any more: Raft goes on without that one, and the node becomes another.
    ///
    /// - Throws: ``Failure`` `failedPrecondition` where the others cannot do without it.
    func replaceMember(of node: Node, address: String) async throws {
        guard let lost = node.manager?.raftID else { return }
        // The plan would take the lost one back, as long as it is the node's.
        let pause = pauseRoles()
        defer { pause() }
        try await change { plan throws(Failure) in
            if let refusal = plan.refusal(without: lost) { throw refusal }
            return plan.membership.contains(lost) ? .remove(lost) : nil
        }
        var random = SystemRandomNumberGenerator()
        var changed = node
        changed.manager = ManagerStatus(raftID: RaftID.random(in: 1 ... .max, using: &random), address: address)
        try await update(changed)
    }

    /// A manager that listens elsewhere than the state says.
    func move(_ node: Node, to address: String) async throws {
        guard let known = node.manager, known.address != address, !address.isEmpty else { return }
        var moved = node
        moved.manager?.address = address
        try await update(moved)
    }

    private func update(_ node: Node) async throws {
        do {
            _ = try await proposeHere(Transaction([.update(.node(node), bySpec: false)], time: Clock.wallTime))
        } catch let failure as Failure where failure.code == .conflict {
            throw Failure(.unavailable, "node \(node.id) has just been changed: ask again")
        }
    }

    /// - Parameter next: the change of the membership that it is to be made of; nil when there is nothing to do.
    private func change(_ next: (RolePlan) throws(Failure) -> MembershipChange?) async throws {
        let deadline = Clock.now + ManagerLimits.proposeTimeout
        while true {
            let plan = rolePlan
            guard let change = try next(plan) else { return }
            do {
                _ = try await changeMembership([change], from: plan.membership)
                return
            } catch let failure as Failure where failure.code == .alreadyExists {
                return
            } catch let failure as Failure where failure.code == .unavailable && Clock.now < deadline {
                try await Task.sleep(for: ManagerLimits.proposeRetry)
            }
        }
    }
}
