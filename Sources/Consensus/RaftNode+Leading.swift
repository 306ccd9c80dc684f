import Primitives

// A leader's side of replication: paper §5.3 and §5.4.2, thesis §10.2.1; flow control per peer as in etcd's Progress.

extension RaftNode {
    mutating func appendToLog(_ kind: LogEntry.Kind, data: [UInt8]) {
        let entry = LogEntry(index: log.lastIndex + 1, term: term, kind: kind, data: data)
        leadership?.uncommittedBytes += entry.cost
        log.append(entry)
    }

    /// Lays out the progress of all members, keeping what is known of those that stay.
    mutating func rebuildPeers(isNewLeader: Bool) {
        let known = peers
        peers = membership.members.map { member in
            if let progress = known.first(where: { $0.id == member }) { return progress }
            var progress = Progress(id: member, next: log.lastIndex + 1)
            if member == id { progress.match = log.durable }
            // A member that was just added gets a full interval before it counts as silent.
            progress.isRecentlyActive = !isNewLeader
            return progress
        }
    }

    /// Commits what a majority holds, if it is of the present term: older entries are only committed by way of a newer one
    /// (paper §5.4.2, figure 8).
    mutating func advanceCommit() throws(ProtocolViolation) {
        let reached = membership.majorityReached { member in slot(of: member).map { peers[$0].match } ?? 0 }
        #if MUTANT_OLD_TERM_COMMITTED_BY_COUNT
            return try log.commit(to: min(reached, log.lastIndex))
        #endif
        guard reached > log.committed, log.term(at: reached) == term else { return }
        try log.commit(to: reached)
    }

    /// The commit index as others and the state machine may know it. It stops short of a membership entry until the
    /// knowledge that it is committed is durable here: a member that forgot a membership others act upon could need the
    /// vote of a member that is gone.
    var announcedCommit: LogIndex { log.committed(membershipsKnownThrough: durableHardState.commit) }

    var hasCommittedInTerm: Bool { log.term(at: log.committed) == term }

    mutating func takeAppendResponse(_ response: AppendResponse, from: RaftID) throws(ProtocolViolation) {
        guard leadership != nil, let slot = slot(of: from) else { return }
        peers[slot].isRecentlyActive = true
        switch response {
        case .accepted(let match):
            guard match <= log.lastIndex else {
                throw ProtocolViolation("\(from) acknowledged \(match), but the leader's log ends at \(log.lastIndex)")
            }
            peers[slot].acknowledge(match, firstIndex: log.firstIndex)
            try advanceCommit()
            handOverIfReady()
        case .rejected(let rejected, let hintIndex, let hintTerm):
            guard rejected <= log.lastIndex else { return }
            // Where our terms are above the follower's, nothing can match either: skip them in one round trip.
            let probe = log.lastIndex(upTo: min(hintIndex, rejected), termAtMost: hintTerm).index
            _ = peers[slot].reject(at: rejected, probe: probe)
        }
    }

    mutating func takeHeartbeatResponse(_ response: HeartbeatResponse, from: RaftID) {
        guard leadership != nil, let slot = slot(of: from) else { return }
        peers[slot].isRecentlyActive = true
        peers[slot].isProbePaused = false
        if peers[slot].match < log.lastIndex { peers[slot].wantsAppend = true }
        if response.readRound > peers[slot].acknowledgedRead {
            peers[slot].acknowledgedRead = response.readRound
            confirmReads()
        }
    }

    mutating func broadcastHeartbeat() {
        heartbeatElapsed = 0
        let isLeaseRound = configuration.usesLeases && clock != nil && leadership?.lease != nil
        if hasCommittedInTerm, isLeaseRound || leadership?.reads.hasUnsent == true {
            leadership?.reads.beginRound(commit: log.committed)
            if let clock, let round = leadership?.reads.round { leadership?.lease?.begin(round: round, at: clock) }
        }
        let round = leadership?.reads.round ?? 0
        let commit = announcedCommit
        for peer in peers where peer.id != id {
            let heartbeat = Heartbeat(commit: min(peer.match, commit), readRound: round)
            send(.heartbeat(heartbeat), to: peer.id)
        }
        confirmReads()
    }

    /// Produces the appends that the state of the log and of the peers calls for.
    mutating func fillAppends() {
        for slot in peers.indices where peers[slot].id != id {
            switch peers[slot].state {
            case .snapshot:
                break
            case .probe:
                guard !peers[slot].isProbePaused else { continue }
                if sendAppend(to: slot, withEntries: true) { peers[slot].isProbePaused = true }
            case .replicate:
                fillPipeline(of: slot)
            }
        }
    }

    private mutating func fillPipeline(of slot: Int) {
        var isOpen = true
        while isOpen, peers[slot].next <= log.lastIndex, !peers[slot].inflights.isFull {
            isOpen = sendAppend(to: slot, withEntries: true)
        }
        // The commit index travels alone where no entries carry it; what is lost of it comes with the heartbeats.
        if isOpen, peers[slot].wantsAppend || peers[slot].sentCommit < announcedCommit {
            _ = sendAppend(to: slot, withEntries: false)
        }
    }

    /// One append from `next` on; false if the peer needs a snapshot instead.
    private mutating func sendAppend(to slot: Int, withEntries: Bool) -> Bool {
        let previous = peers[slot].next - 1
        guard let previousTerm = log.term(at: previous) else {
            requestSnapshot(for: slot)
            return false
        }
        let entries =
            withEntries
            ? log.slice(from: previous + 1, through: log.lastIndex, maximumBytes: configuration.maximumAppendBytes) : []
        let commit = announcedCommit
        let append = Append(previousIndex: previous, previousTerm: previousTerm, commit: commit, entries: entries)
        send(.append(append), to: peers[slot].id)
        peers[slot].wantsAppend = false
        peers[slot].sentCommit = commit
        if let last = entries.last, peers[slot].state == .replicate {
            peers[slot].next = last.index + 1
            peers[slot].inflights.add(last: last.index, bytes: entries.reduce(0) { $0 + $1.cost })
        }
        return true
    }

    private mutating func requestSnapshot(for slot: Int) {
        // To a silent peer it would be bytes for nothing: it is asked again when it answers a heartbeat.
        guard peers[slot].isRecentlyActive, latestSnapshot.index >= log.compactedIndex else { return }
        peers[slot].becomeSnapshot(pending: latestSnapshot.index)
        let message = Message(
            from: id, to: peers[slot].id, term: term, payload: .installSnapshot(latestSnapshot))
        transfers.append(SnapshotTransfer(message: message, metadata: latestSnapshot))
    }

    /// The transfer of a snapshot is over. Success means that the receiver's shell has stepped the message.
    public mutating func onSnapshotSent(to peer: RaftID, succeeded: Bool) {
        guard leadership != nil, let slot = slot(of: peer), case .snapshot = peers[slot].state else { return }
        if succeeded { peers[slot].becomeProbe() } else { peers[slot].abandonSnapshot() }
        // The next append waits for a sign of life: the answer to the snapshot, or to a heartbeat.
        peers[slot].isProbePaused = true
    }

    /// A message to `peer` was probably lost: stop sending ahead of its answers.
    public mutating func onUnreachable(_ peer: RaftID) {
        guard leadership != nil, let slot = slot(of: peer), peers[slot].state == .replicate else { return }
        peers[slot].becomeProbe()
    }
}
