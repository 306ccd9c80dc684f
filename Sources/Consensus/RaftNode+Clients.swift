import Primitives

/// Where a proposal stands in the log: it is done when the entries of this term at these indices are applied.
public struct Proposed: Hashable, Sendable {
    public var term: Term
    public var indices: Range<LogIndex>
}

extension RaftNode {
    /// Appends a batch of proposals, as consecutive entries, all or none.
    public mutating func propose(_ batch: [[UInt8]]) throws(ProposalRefused) -> Proposed {
        try requireLeadership()
        for data in batch where data.count > Limits.maximumEntryBytes {
            throw .entryTooLarge(bytes: data.count, maximum: Limits.maximumEntryBytes)
        }
        // Something is always accepted when nothing is in flight, as in etcd.
        let inFlight = leadership?.uncommittedBytes ?? 0
        let added = batch.reduce(0) { $0 + $1.count + Limits.entryOverheadBytes }
        guard inFlight == 0 || inFlight + added <= Limits.maximumUncommittedBytes else { throw .overloaded }
        let first = log.lastIndex + 1
        for data in batch { appendToLog(.normal, data: data) }
        return Proposed(term: term, indices: first..<log.lastIndex + 1)
    }

    /// Proposes to change one member. `data` travels with the entry.
    public mutating func proposeMembership(
        _ change: MembershipChange, data: [UInt8] = []
    ) throws(ProposalRefused) -> Proposed {
        try proposeMembership([change], data: data)
    }

    /// Proposes to change several members at once, by joint consensus where more than one voter comes or goes (paper §6).
    /// The joint membership is left by itself, in an entry behind the one returned.
    ///
    /// One proposal is under way at a time: the last one must have been applied, and the leader must have committed an entry
    /// of its own term (a change at the start of a term is not safe otherwise: raft-dev, July 2015).
    public mutating func proposeMembership(
        _ changes: [MembershipChange], data: [UInt8] = []
    ) throws(ProposalRefused) -> Proposed {
        try requireLeadership()
        #if MUTANT_TWO_CHANGES_IN_FLIGHT
            leadership?.pendingMembershipIndex = 0
        #endif
        let pending = leadership?.pendingMembershipIndex ?? 0
        guard pending <= log.applied else { throw .membershipChangePending(index: pending) }
        guard hasCommittedInTerm else { throw .termNotCommitted }
        guard !membership.isJoint else { throw .membershipChangePending(index: log.applied) }
        guard data.count <= Limits.maximumEntryBytes else {
            throw .entryTooLarge(bytes: data.count, maximum: Limits.maximumEntryBytes)
        }
        if changes.contains(where: { $0.id == id }) { throw .membership(.leaderItself) }
        switch membership.changed(by: changes) {
        case .refused(let refusal):
            throw .membership(refusal)
        case .changed(let changed):
            appendToLog(.membership(changed), data: data)
            leadership?.pendingMembershipIndex = log.lastIndex
            return Proposed(term: term, indices: log.lastIndex..<log.lastIndex + 1)
        }
    }

    private func requireLeadership() throws(ProposalRefused) {
        guard let leadership else { throw .notLeader(leader: leader) }
        if let transferee = leadership.transferee { throw .transferring(to: transferee) }
    }

    // MARK: Leader transfer (thesis §3.10)

    /// Lets `transferee` catch up and campaign. Proposals are refused until it leads or an election timeout has passed.
    public mutating func transferLeadership(to transferee: RaftID) throws(ProposalRefused) {
        guard let leadership else { throw .notLeader(leader: leader) }
        guard transferee != id, membership.isVoter(transferee) else { throw .invalidTransferee(transferee) }
        if leadership.transferee == transferee { return }
        self.leadership?.transferee = transferee
        electionElapsed = 0
        handOverIfReady()
    }

    mutating func handOverIfReady() {
        guard let transferee = leadership?.transferee, let slot = slot(of: transferee),
            peers[slot].match == log.lastIndex
        else { return }
        // Its campaign is answered by those who hear this leader: no lease holds from here on.
        leadership?.lease = nil
        send(.timeoutNow, to: transferee)
    }

    // MARK: ReadIndex (thesis §6.4)

    /// Asks for the index that a linearizable read needs; the answer is a `serveReads` directive with this context.
    public mutating func readIndex(context: UInt64) throws(ProposalRefused) {
        if let pending = leadership?.reads.count {
            guard pending < Limits.maximumPendingReads else { throw .overloaded }
            enqueueRead(ReadQueue.Request(from: id, context: context))
        } else if let leader {
            send(.readIndex(context: context), to: leader)
        } else {
            throw .notLeader(leader: nil)
        }
    }

    mutating func enqueueRead(_ request: ReadQueue.Request) {
        guard let pending = leadership?.reads.count, pending < Limits.maximumPendingReads else { return }
        leadership?.reads.add(request)
    }

    /// Before its first commit a leader does not know what is committed: reads wait for that.
    mutating func beginReadRound() {
        if leadership?.reads.hasUnsent == true, hasCommittedInTerm { broadcastHeartbeat() }
    }

    mutating func confirmReads() {
        guard let round = leadership?.reads.round, leadership?.reads.hasWaiting == true || configuration.usesLeases
        else { return }
        #if MUTANT_READ_WITHOUT_QUORUM
            let confirmed = round
        #else
            let confirmed = membership.majorityReached { member in
                member == id ? round : slot(of: member).map { peers[$0].acknowledgedRead } ?? 0
            }
        #endif
        leadership?.lease?.confirm(round: confirmed)
        for read in leadership?.reads.takeConfirmed(round: confirmed) ?? [] {
            let state = ReadState(index: read.index, context: read.request.context)
            if read.request.from == id {
                servableReads.append(state)
            } else {
                send(.readIndexResponse(state), to: read.request.from)
            }
        }
    }
}
