import ClusterModel
import ClusterState
import Consensus
import Primitives

/// Brings Raft's members to what the nodes' specs say, one step at a time, and refuses what would cost the quorum.
///
/// Pure: a function of the state and of what the leader knows of Raft. Managers are added where their nodes ask for their
/// certificates; this is the way out.
struct RolePlan {
    enum Step: Hashable {
        /// The leader itself is to go: another one leads first.
        case handOver(to: RaftID)
        /// Raft goes on without it.
        case remove(RaftID)
        /// Raft does go on without it: its node is a worker.
        case retire(NodeID)
    }

    var tables: ClusterTables
    var membership: Membership
    /// The leader.
    var own: RaftID
    /// Members that the leader heard from lately.
    var active: Set<RaftID>

    /// Managers that are to be workers, ordered by node.
    private var leaving: [(node: NodeID, member: RaftID)] {
        var leaving: [(node: NodeID, member: RaftID)] = []
        tables.nodes.forEachUnordered { node in
            if let manager = node.manager, node.spec.role == .worker { leaving.append((node.id, manager.raftID)) }
        }
        return leaving.sorted { $0.node < $1.node }
    }

    /// The next step; nil when nothing is to be done, or nothing can be done now.
    func next() -> Step? {
        let leaving = leaving
        if let gone = leaving.first(where: { !membership.contains($0.member) }) { return .retire(gone.node) }
        for (_, member) in leaving where member != own && refusal(without: member) == nil { return .remove(member) }
        guard leaving.contains(where: { $0.member == own }) else { return nil }
        let others = Set(leaving.map(\.member))
        return membership.voters.first { $0 != own && active.contains($0) && !others.contains($0) }.map(Step.handOver)
    }

    /// Why the managers cannot do without this one; nil when they can.
    func refusal(without member: RaftID) -> Failure? {
        guard membership.isVoter(member) else { return nil }
        let leaving = Set(leaving.map(\.member) + [member])
        let rest = membership.voters.filter { !leaving.contains($0) }
        guard !rest.isEmpty else {
            return Failure(.failedPrecondition, "attempting to demote the last manager of the swarm")
        }
        let reachable = rest.count { $0 == own || active.contains($0) }
        guard reachable > rest.count / 2 else {
            return Failure(
                .failedPrecondition,
                "can't remove member from the raft: this would result in a loss of quorum (\(reachable) of the remaining "
                    + "\(rest.count) managers are reachable); start the others, or demote the one that is lost first")
        }
        return nil
    }

    /// Whether the transaction takes managers out, so that ``refusal(of:)`` has a say.
    static func concerns(_ transaction: Transaction, _ tables: ClusterTables) -> Bool {
        transaction.changes.contains { leaver(in: $0, tables) != nil }
    }

    /// Why the transaction is not proposed at all.
    func refusal(of transaction: Transaction) -> Failure? {
        for change in transaction.changes {
            guard let (node, member) = RolePlan.leaver(in: change, tables) else { continue }
            if case .delete = change {
                return Failure(
                    .failedPrecondition,
                    "node \(node) is a cluster manager and is a member of the raft cluster. It must be demoted to worker "
                        + "before removal")
            }
            if let refusal = refusal(without: member) { return refusal }
        }
        return nil
    }

    private static func leaver(in change: Change, _ tables: ClusterTables) -> (node: NodeID, member: RaftID)? {
        switch change {
        case .update(.node(let node), bySpec: true):
            guard let stored = tables.nodes[node.id], let member = stored.manager?.raftID,
                stored.spec.role == .manager, node.spec.role == .worker
            else { return nil }
            return (node.id, member)
        case .delete(.node(let id), _): return tables.nodes[id]?.manager.map { (id, $0.raftID) }
        default: return nil
        }
    }
}
