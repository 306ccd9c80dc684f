/// Who votes and who only listens, in the form of joint consensus (paper §6).
///
/// While `outgoingVoters` is not empty every decision needs a majority of both sets of voters. Changes of one voter never
/// fill it: the majorities of the set before and after such a change always overlap (thesis §4.1).
public struct Membership: Hashable, Sendable {
    /// The voters; in a joint membership the incoming ones. Ascending.
    public let voters: [RaftID]
    /// The voters of the membership that a joint one is leaving. Ascending.
    public let outgoingVoters: [RaftID]
    /// Members that receive the log and never count; in a joint membership perhaps one that still votes among the outgoing
    /// and then no more. Ascending, disjoint from `voters`.
    public let learners: [RaftID]

    /// Sorts, drops doubles and zeros, and lets a voter win over a learner of the same id.
    public init(voters: [RaftID] = [], outgoingVoters: [RaftID] = [], learners: [RaftID] = []) {
        let incoming = Membership.ascending(voters)
        let outgoing = Membership.ascending(outgoingVoters)
        self.voters = incoming
        self.outgoingVoters = outgoing
        self.learners = Membership.ascending(learners.filter { !incoming.contains($0) })
    }

    /// Everybody who receives the log, ascending.
    public var members: [RaftID] { Membership.ascending(voters + outgoingVoters + learners) }

    public var isJoint: Bool { !outgoingVoters.isEmpty }

    public func isVoter(_ id: RaftID) -> Bool { voters.contains(id) || outgoingVoters.contains(id) }

    public func contains(_ id: RaftID) -> Bool { isVoter(id) || learners.contains(id) }

    /// What follows a joint membership.
    var left: Membership { Membership(voters: voters, learners: learners) }

    private static func ascending(_ ids: [RaftID]) -> [RaftID] {
        var result: [RaftID] = []
        for id in ids.sorted() where id != 0 && id != result.last { result.append(id) }
        return result
    }
}

/// One change of one member.
public enum MembershipChange: Hashable, Sendable {
    /// Adds a member that receives the log without voting; makes a learner of a voter.
    case addLearner(RaftID)
    /// Promotes a learner, or adds a voter outright.
    case addVoter(RaftID)
    case remove(RaftID)

    public var id: RaftID {
        switch self {
        case .addLearner(let id), .addVoter(let id), .remove(let id): id
        }
    }
}

/// Why a change does not fit the present membership.
public enum MembershipRefusal: Hashable, Sendable {
    /// 0 names nobody.
    case invalidID
    /// The membership would be the same.
    case noEffect
    /// A leader does not remove or demote itself: transfer leadership first.
    case leaderItself
    /// Nobody would be left to vote.
    case lastVoter
}

extension Membership {
    enum Changed: Hashable {
        case changed(Membership)
        case refused(MembershipRefusal)
    }

    /// All changes at once; the result is joint where more than one voter comes or goes.
    func changed(by changes: [MembershipChange]) -> Changed {
        var result = self
        for change in changes {
            switch result.changed(by: change) {
            case .refused(let refusal): return .refused(refusal)
            case .changed(let changed): result = changed
            }
        }
        if result == self { return .refused(.noEffect) }
        let difference = Set(voters).symmetricDifference(result.voters)
        if difference.count <= 1 { return .changed(result) }
        return .changed(Membership(voters: result.voters, outgoingVoters: voters, learners: result.learners))
    }

    func changed(by change: MembershipChange) -> Changed {
        let id = change.id
        guard id != 0 else { return .refused(.invalidID) }
        let otherVoters = voters.filter { $0 != id }
        let otherLearners = learners.filter { $0 != id }
        let result =
            switch change {
            case .addLearner: Membership(voters: otherVoters, learners: otherLearners + [id])
            case .addVoter: Membership(voters: otherVoters + [id], learners: otherLearners)
            case .remove: Membership(voters: otherVoters, learners: otherLearners)
            }
        if result == self { return .refused(.noEffect) }
        if result.voters.isEmpty { return .refused(.lastVoter) }
        return .changed(result)
    }
}
