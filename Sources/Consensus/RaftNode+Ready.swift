import Primitives

extension RaftNode {
    /// What is to be done now; empty if nothing is. See the contract of ``RaftNode``.
    public mutating func ready() -> [Directive] {
        if leadership != nil {
            beginReadRound()
            fillAppends()
        }
        let request = takePersistRequest()
        outbox.append(contentsOf: storage.takeReleased())

        var directives: [Directive] = []
        if reportedStatus != status {
            reportedStatus = status
            directives.append(.status(status))
        }
        if !outbox.isEmpty {
            directives.append(.send(outbox))
            outbox = []
        }
        if let request { directives.append(.persist(request)) }
        for transfer in transfers { directives.append(.sendSnapshot(transfer)) }
        transfers.removeAll()
        if let directive = takeApplication() { directives.append(directive) }
        if !servableReads.isEmpty {
            directives.append(.serveReads(servableReads))
            servableReads = []
        }
        return directives
    }

    private mutating func takePersistRequest() -> PersistRequest? {
        let hardState = HardState(term: term, vote: vote, commit: log.committed)
        let isNewVote = hardState.term != offeredHardState.term || hardState.vote != offeredHardState.vote
        let isMembershipCommitted = log.committed(membershipsKnownThrough: offeredHardState.commit) < log.committed
        guard isNewVote || isMembershipCommitted || log.offered < log.lastIndex || unofferedSnapshot != nil else {
            return nil
        }
        let unoffered = log.takeUnoffered()
        let number = storage.issue(lastIndex: log.lastIndex, hardState: hardState)
        defer {
            offeredHardState = hardState
            unofferedSnapshot = nil
        }
        #if MUTANT_VOTE_NOT_PERSISTED
            let written = HardState(term: term, vote: nil, commit: log.committed)
        #else
            let written = hardState
        #endif
        return PersistRequest(
            number: number, snapshot: unofferedSnapshot, hardState: hardState == offeredHardState ? nil : written,
            truncatesFrom: unoffered.truncatesFrom, entries: unoffered.entries)
    }

    private mutating func takeApplication() -> Directive? {
        if let snapshot = pendingInstall {
            guard log.handedOut == log.applied, log.durable >= snapshot.index, log.handedOut < snapshot.index else {
                return nil
            }
            log.markHandedOut(snapshot: snapshot)
            return .installSnapshot(snapshot)
        }
        let entries = log.takeCommitted(through: announcedCommit)
        if entries.isEmpty { return nil }
        var bytes = 0
        for entry in entries {
            bytes += entry.cost
            if entry.membership != nil { membershipsToAdopt.append(entry) }
        }
        if let inFlight = leadership?.uncommittedBytes { leadership?.uncommittedBytes = max(0, inFlight - bytes) }
        return .apply(entries)
    }

    // MARK: Completions

    /// All `persist` requests through `number` are durable.
    public mutating func onPersisted(_ number: UInt64) {
        guard let ticket = storage.complete(through: number) else { return }
        durableHardState = ticket.hardState
        log.markDurable(through: ticket.lastIndex)
        countOwnVote()
        guard leadership != nil, let slot = slot(of: id) else { return }
        peers[slot].match = max(peers[slot].match, log.durable)
        commitWhatIsReached()
    }

    /// The state machine has applied everything through `index`.
    public mutating func onApplied(through index: LogIndex) {
        log.markApplied(through: index)
        if let snapshot = pendingInstall, log.applied >= snapshot.index { pendingInstall = nil }
        while let entry = membershipsToAdopt.first, entry.index <= log.applied {
            membershipsToAdopt.removeFirst()
            if let membership = entry.membership { adopt(membership) }
        }
        leaveJointMembership()
    }

    /// A joint membership is left as soon as it is in force, by whoever leads then.
    private mutating func leaveJointMembership() {
        guard let pending = leadership?.pendingMembershipIndex, membership.isJoint, pending <= log.applied,
            hasCommittedInTerm
        else { return }
        appendToLog(.membership(membership.left), data: [])
        leadership?.pendingMembershipIndex = log.lastIndex
    }

    /// Switches to a membership whose entry is applied.
    private mutating func adopt(_ new: Membership) {
        membership = new
        guard leadership != nil else {
            if ballot != nil, !isPromotable { becomeFollower(term: term, leader: nil) }
            return
        }
        guard new.isVoter(id) else { return becomeFollower(term: term, leader: nil) }
        rebuildPeers(isNewLeader: false)
        // What the former voters promised binds the new ones only in part.
        leadership?.lease?.drop()
        if let transferee = leadership?.transferee, !new.isVoter(transferee) { leadership?.transferee = nil }
        commitWhatIsReached()
        confirmReads()
    }

    /// The own log holds what the own commit index can reach: nothing to violate.
    private mutating func commitWhatIsReached() {
        do { try advanceCommit() } catch { assertionFailure(error.description) }
    }

    /// Forgets entries through `index` (at most the snapshot's). `snapshot` is durable, at most what is applied, and is what
    /// `sendSnapshot` asks for from now on.
    ///
    /// What follows a snapshot that is on its way to a member stays, or the member would need the next one as soon as it
    /// has this one.
    ///
    /// - Returns: the index through which entries are gone: storage may forget as much.
    public mutating func compact(through index: LogIndex, snapshot: SnapshotMetadata) -> LogIndex {
        guard snapshot.index <= log.applied, snapshot.index >= latestSnapshot.index, pendingInstall == nil else {
            return log.compactedIndex
        }
        latestSnapshot = snapshot
        var limit = min(index, snapshot.index)
        for peer in peers where leadership != nil && isRecentlyActive(peer.id) == true {
            if case .snapshot(let pending) = peer.state { limit = min(limit, pending) }
        }
        log.compact(through: limit)
        return log.compactedIndex
    }
}
