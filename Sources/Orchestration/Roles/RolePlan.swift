public import ClusterModel
public import ClusterState
public import Consensus
public import Primitives

/// Brings Raft's members to what the nodes' specs say, one step at a time, and refuses what would cost the quorum.
///
/// Pure: a function of the state and of what the leader knows of Raft. Managers enter Raft as learners where their nodes ask
/// for their certificates; this lets them vote, takes them out, and back where somebody thought better of it. Those that come
/// or go at the same time do so in one change, a joint one where that is more than one voter.
public struct RolePlan: Sendable {
    public enum Step: Hashable, Sendable {
        /// The leader itself is to go: another one leads first.
        case handOver(to: RaftID)
        /// Raft goes on with other members. Made of the membership that the plan was made of, or not at all.
        case change([MembershipChange])
        /// Raft does go on without it: its node is a worker.
        case retire(NodeID)
    }

    public let roster: Roster
    /// In force on the leader.
    public let membership: Membership
    /// The leader.
    private let own: RaftID
    private let active: Set<RaftID>
    private let ready: Set<RaftID>

    /// - Parameters:
    ///   - own: the leader.
    ///   - active: members that the leader heard from lately.
    ///   - ready: learners that may vote, as they lack at most ``OrchestrationLimits/learnerLagEntries``.
    public init(
        roster: Roster, membership: Membership, own: RaftID, active: Set<RaftID>, ready: Set<RaftID> = []
    ) {
        self.roster = roster
        self.membership = membership
        self.own = own
        self.active = active
        self.ready = ready
    }

    /// Managers that are to be workers, ordered by node.
    private var leaving: [(node: NodeID, member: RaftID)] {
        managers { $0.spec.role == .worker }
    }

    private func managers(_ isMeant: (Node) -> Bool) -> [(node: NodeID, member: RaftID)] {
        var managers: [(node: NodeID, member: RaftID)] = []
        roster.nodes.forEachUnordered { node in
            if let manager = node.manager, isMeant(node) { managers.append((node.id, manager.raftID)) }
        }
        return managers.sorted { $0.node < $1.node }
    }

    /// The next step; nil when nothing is to be done, or nothing can be done now.
    public func next() -> Step? {
        let leaving = leaving
        #if MUTANT_RETIRED_BEFORE_REMOVED
            if let gone = leaving.first(where: { $0.member != own }) { return .retire(gone.node) }
        #endif
        if let gone = leaving.first(where: { !membership.contains($0.member) }) { return .retire(gone.node) }
        // Raft leaves a joint membership by itself; whoever goes votes until then.
        if membership.isJoint { return nil }
        let members = leaving.map(\.member)
        let changes = changes(leaving: members)
        if !changes.isEmpty { return .change(changes) }
        guard members.contains(own) else { return nil }
        return membership.voters.first { $0 != own && active.contains($0) && !members.contains($0) }.map(Step.handOver)
    }

    /// Who comes and who goes now. Those that come are first, so that somebody votes at any time.
    private func changes(leaving: [RaftID]) -> [MembershipChange] {
        let promoted = membership.learners.filter { ready.contains($0) && !leaving.contains($0) }
        let isAffordable = lossOfQuorum(without: Set(leaving), with: promoted) == nil
        let removed = leaving.filter { $0 != own && (isAffordable || !membership.isVoter($0)) }
        // Its demotion was taken back when Raft had just gone on without it. It still has its log: it is no worker yet.
        let back = managers { $0.spec.role == .manager }.map(\.member).filter { !membership.contains($0) }
        return promoted.map(MembershipChange.addVoter) + removed.map(MembershipChange.remove)
            + back.map(MembershipChange.addLearner)
    }

    // MARK: Refusals

    /// Why the managers cannot do without this one; nil when they can.
    public func refusal(without member: RaftID) -> Failure? { refusal(without: [member]) }

    private func refusal(without members: [RaftID]) -> Failure? {
        guard members.contains(where: membership.isVoter) else { return nil }
        return lossOfQuorum(without: Set(leaving.map(\.member) + members))
    }

    /// What is wrong with the voters that would be left, judged by who was heard.
    private func lossOfQuorum(without gone: Set<RaftID>, with promoted: [RaftID] = []) -> Failure? {
        let rest = (membership.voters + promoted).filter { !gone.contains($0) }
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
    public static func concerns(_ transaction: Transaction, _ roster: Roster) -> Bool {
        transaction.changes.contains { leaver(in: $0, roster) != nil }
    }

    /// Why the transaction is not proposed at all. All that it takes out are judged as one.
    public func refusal(of transaction: Transaction) -> Failure? {
        var members: [RaftID] = []
        for change in transaction.changes {
            guard let (node, member) = RolePlan.leaver(in: change, roster) else { continue }
            if case .delete = change {
                return Failure(
                    .failedPrecondition,
                    "node \(node) is a cluster manager and is a member of the raft cluster. It must be demoted to worker "
                        + "before removal")
            }
            members.append(member)
        }
        return refusal(without: members)
    }

    private static func leaver(in change: Change, _ roster: Roster) -> (node: NodeID, member: RaftID)? {
        switch change {
        case .update(.node(let node), bySpec: true):
            guard let stored = roster.nodes[node.id], let member = stored.manager?.raftID,
                stored.spec.role == .manager, node.spec.role == .worker
            else { return nil }
            return (node.id, member)
        case .delete(.node(let id), _): return roster.nodes[id]?.manager.map { (id, $0.raftID) }
        default: return nil
        }
    }
}

/// The pace at which a leader goes by its plan, look after look.
///
/// A change of the members waits for one look more: who comes or goes together is asked for, and catches up, one after the
/// other.
public struct RolePace: Sendable {
    private var hasWaited = false

    public init() {}

    /// The step that is taken now; nil where there is none, or where it waits.
    ///
    /// - Parameter plan: nil while nothing may be done by it.
    public mutating func next(of plan: RolePlan?) -> RolePlan.Step? {
        guard let step = plan?.next() else {
            hasWaited = false
            return nil
        }
        if case .change = step, !hasWaited {
            hasWaited = true
            return nil
        }
        hasWaited = false
        return step
    }
}
