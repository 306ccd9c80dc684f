import ClusterModel
import ClusterState
import Consensus
import LinuxSystem
import Primitives

/// Managers that come back to Raft.
extension Manager {
    /// One change of the managers at a time: waits for its turn.
    func addLearner(_ id: RaftID) async throws {
        try await change(.addLearner(id))
    }

    /// A manager that has lost its log must not vote as the member that it was, which may have promised what it does not
    /// know any more: Raft goes on without that one, and the node becomes another.
    ///
    /// - Throws: ``Failure`` `failedPrecondition` where the others cannot do without it.
    func replaceMember(of node: Node, address: String) async throws {
        guard let lost = node.manager?.raftID else { return }
        if membership.contains(lost) {
            if let refusal = rolePlan.refusal(without: lost) { throw refusal }
            try await change(.remove(lost))
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

    private func change(_ change: MembershipChange) async throws {
        let deadline = Clock.now + ManagerLimits.proposeTimeout
        while true {
            do {
                _ = try await changeMembership(change)
                return
            } catch let failure as Failure where failure.code == .alreadyExists {
                return
            } catch let failure as Failure where failure.code == .unavailable && Clock.now < deadline {
                try await Task.sleep(for: ManagerLimits.proposeRetry)
            }
        }
    }
}
