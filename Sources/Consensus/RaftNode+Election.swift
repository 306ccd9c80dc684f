import Primitives

// Elections: paper §5.2 and §5.4.1, pre-vote and check-quorum: thesis §9.6 and §6.2.

extension RaftNode {
    /// Campaigns now instead of after the election timeout; does nothing on a leader and on who may not lead.
    public mutating func campaign() {
        if !isBoundByLease { campaign(isTransfer: false) }
    }

    mutating func campaign(isTransfer: Bool) {
        guard leadership == nil, isPromotable else { return }
        electionElapsed = 0
        // A committed membership that is not applied yet would be ignored by this campaign's quorum (as in etcd).
        guard !log.hasUnappliedCommittedMembership else { return }
        if isTransfer { startElection(isTransfer: true) } else { startPreElection() }
    }

    /// Only voters whose state machine follows their log may lead.
    var isPromotable: Bool { membership.isVoter(id) && pendingInstall == nil }

    mutating func drawElectionTimeout() -> Int {
        Int.random(in: configuration.electionTicks...2 * configuration.electionTicks, using: &random)
    }

    mutating func becomeFollower(term newTerm: Term, leader newLeader: RaftID?) {
        enter(term: newTerm)
        leader = newLeader
    }

    private mutating func enter(term newTerm: Term) {
        if newTerm != term {
            term = newTerm
            vote = nil
            storage.dropHeld()
        }
        leader = nil
        ballot = nil
        leadership = nil
        peers = []
        electionElapsed = 0
        heartbeatElapsed = 0
        electionTimeout = drawElectionTimeout()
    }

    private mutating func startPreElection() {
        enter(term: term)
        var ballot = Ballot(isPreVote: true)
        ballot.record(id, isGranted: true)
        self.ballot = ballot
        let request = voteRequest(isPreVote: true, isTransfer: false)
        // Nothing is promised by asking: no need to wait for storage.
        for voter in otherVoters { send(.requestVote(request), to: voter, term: term + 1) }
        concludeBallot()
    }

    private mutating func startElection(isTransfer: Bool) {
        enter(term: term + 1)
        vote = id
        // Its own vote counts when it is durable, and the others are asked then: were they asked earlier, a crash could
        // make it campaign in the same term again, with a shorter log and the votes given for the longer one.
        ballot = Ballot(isPreVote: false)
        let request = voteRequest(isPreVote: false, isTransfer: isTransfer)
        for voter in otherVoters { hold(.requestVote(request), to: voter, term: term) }
    }

    private var otherVoters: [RaftID] { membership.members.filter { $0 != id && membership.isVoter($0) } }

    private func voteRequest(isPreVote: Bool, isTransfer: Bool) -> RequestVote {
        RequestVote(
            isPreVote: isPreVote, isTransfer: isTransfer, lastIndex: log.lastIndex, lastTerm: log.lastTerm,
            known: knownCommit)
    }

    var knownCommit: KnownCommit {
        let index = announcedCommit
        return KnownCommit(index: index, term: log.term(at: index) ?? 0)
    }

    /// Takes note of an entry that somebody knows to be committed. What is committed anywhere is committed.
    mutating func learn(_ known: KnownCommit) throws(ProtocolViolation) {
        guard leadership == nil, log.matches(index: known.index, term: known.term) else { return }
        try log.commit(to: known.index)
        // The campaign counts by a membership that has passed: another one follows when the new one is applied.
        if ballot != nil, log.hasUnappliedCommittedMembership { becomeFollower(term: term, leader: nil) }
    }

    /// Learners answer too: the candidate may know better who votes.
    mutating func answerVote(_ request: RequestVote, from: RaftID, term requested: Term) {
        if isBoundByLease, !request.isTransfer { return }
        let isFree = vote == from || (vote == nil && leader == nil) || (request.isPreVote && requested > term)
        let isGranted = isFree && log.isUpToDate(lastIndex: request.lastIndex, lastTerm: request.lastTerm)
        if isGranted, !request.isPreVote {
            vote = from
            electionElapsed = 0
        }
        let answer = VoteResponse(isPreVote: request.isPreVote, isGranted: isGranted, known: knownCommit)
        hold(.voteResponse(answer), to: from, term: isGranted ? requested : term)
    }

    mutating func countVote(_ response: VoteResponse, from: RaftID, term answered: Term) {
        guard ballot?.isPreVote == response.isPreVote else { return }
        // A granted pre-vote bears the term to come; any other one is left over from an earlier campaign.
        let expected = response.isPreVote && response.isGranted ? term + 1 : term
        guard answered == expected else { return }
        ballot?.record(from, isGranted: response.isGranted)
        concludeBallot()
    }

    /// The candidate's own vote is durable.
    mutating func countOwnVote() {
        guard let ballot, !ballot.isPreVote, durableHardState.term == term, durableHardState.vote == id else { return }
        self.ballot?.record(id, isGranted: true)
        concludeBallot()
    }

    private mutating func concludeBallot() {
        guard let ballot else { return }
        switch membership.outcome({ ballot.vote(of: $0) }) {
        case .pending: break
        case .lost: becomeFollower(term: term, leader: nil)
        case .won: if ballot.isPreVote { startElection(isTransfer: false) } else { becomeLeader() }
        }
    }

    private mutating func becomeLeader() {
        enter(term: term)
        leader = id
        rebuildPeers(isNewLeader: true)
        // As in etcd: whatever the log holds may be a membership change, so none is accepted until all is applied.
        leadership = Leadership(pendingMembershipIndex: log.lastIndex)
        appendToLog(.empty, data: [])
    }

    /// Whether a majority was heard since the last call (thesis §6.2).
    mutating func hasQuorumContact() -> Bool {
        let active = peers.filter { $0.id == id || $0.isRecentlyActive }.map(\.id)
        for slot in peers.indices { peers[slot].isRecentlyActive = false }
        return membership.isMajority { active.contains($0) }
    }
}
