import Consensus

/// The one sequence of memberships. Two that follow one another share a member in any two of their majorities: otherwise two
/// leaders could commit two different things (paper §6, thesis §4.1).
struct MembershipChecker {
    private var last: (index: LogIndex, membership: Membership)

    init(founding: Membership) {
        last = (0, founding)
    }

    /// The newest.
    var current: Membership { last.membership }

    /// - Returns: the membership before, where this one is new to all.
    mutating func applied(_ membership: Membership, at index: LogIndex) throws(Violation) -> Membership? {
        guard index > last.index else { return nil }
        let before = last.membership
        last = (index, membership)
        if MembershipChecker.canDecideApart(before, membership) {
            throw .safety(
                "a majority of the voters \(membership.voters) + \(membership.outgoingVoters) of entry \(index) may share "
                    + "no member with one of \(before.voters) + \(before.outgoingVoters), which they follow")
        }
        return before
    }

    /// Whether there is a set of members that decides in one while those outside of it decide in the other.
    private static func canDecideApart(_ one: Membership, _ other: Membership) -> Bool {
        let members = Array(Set(one.members + other.members))
        for choice in 0..<(1 << members.count) {
            let inside = Set(members.indices.filter { choice >> $0 & 1 == 1 }.map { members[$0] })
            if decides(inside, in: one), decides(Set(members).subtracting(inside), in: other) { return true }
        }
        return false
    }

    private static func decides(_ some: Set<RaftID>, in membership: Membership) -> Bool {
        [membership.voters, membership.outgoingVoters].allSatisfy { voters in
            voters.isEmpty || 2 * some.intersection(voters).count > voters.count
        }
    }
}
