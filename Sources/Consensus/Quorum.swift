/// How an election stands.
enum VoteOutcome: Hashable {
    case pending
    case won
    case lost
}

extension Membership {
    /// The highest value that a majority of voters (of both sets, when joint) has reached.
    func majorityReached(_ value: (RaftID) -> UInt64) -> UInt64 {
        guard !voters.isEmpty else { return 0 }
        #if MUTANT_LEARNER_COUNTED
            return Membership.majorityReached(voters + learners, value)
        #endif
        let incoming = Membership.majorityReached(voters, value)
        return outgoingVoters.isEmpty ? incoming : min(incoming, Membership.majorityReached(outgoingVoters, value))
    }

    /// Whether those for whom `holds` is true are a majority (of both sets, when joint).
    func isMajority(_ holds: (RaftID) -> Bool) -> Bool {
        majorityReached { holds($0) ? 1 : 0 } == 1
    }

    /// The state of an election: nil is a voter that has not answered.
    func outcome(_ vote: (RaftID) -> Bool?) -> VoteOutcome {
        if isMajority({ vote($0) == true }) { return .won }
        return isMajority { vote($0) != false } ? .pending : .lost
    }

    private static func majorityReached(_ ids: [RaftID], _ value: (RaftID) -> UInt64) -> UInt64 {
        if ids.count == 1 { return value(ids[0]) }
        let values = ids.map(value).sorted()
        // With n values in ascending order, those from (n − 1) / 2 on are n / 2 + 1 of them: a majority.
        return values[(values.count - 1) / 2]
    }
}
