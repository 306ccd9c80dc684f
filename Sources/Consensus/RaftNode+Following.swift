import Primitives

// A follower's side of replication: paper §5.3 and §7.

extension RaftNode {
    /// Recognizes the sender as the leader of the present term.
    mutating func follow(_ sender: RaftID) throws(ProtocolViolation) {
        guard leadership == nil, leader == nil || leader == sender else {
            throw ProtocolViolation("\(sender) and \(leader ?? id) both lead term \(term)")
        }
        if ballot != nil || leader == nil { becomeFollower(term: term, leader: sender) }
        electionElapsed = 0
        quietTicks = 0
    }

    mutating func acceptAppend(_ append: Append, from: RaftID) throws(ProtocolViolation) {
        for (position, entry) in append.entries.enumerated()
        where entry.index != append.previousIndex + 1 + LogIndex(position) {
            throw ProtocolViolation(
                "\(from) sent entry \(entry.index) at place \(position) after \(append.previousIndex)")
        }
        guard append.previousIndex >= log.committed else {
            return respond(.accepted(match: log.committed), to: from)
        }
        guard log.matches(index: append.previousIndex, term: append.previousTerm) else {
            // Above the returned index all terms are higher than the leader's at that place: nothing there can match.
            let upTo = min(append.previousIndex, log.lastIndex)
            let hint = log.lastIndex(upTo: upTo, termAtMost: append.previousTerm)
            return respond(
                .rejected(at: append.previousIndex, hintIndex: hint.index, hintTerm: hint.term), to: from)
        }
        if let cut = try log.merge(append.entries) { storage.clamp(below: cut) }
        let last = append.previousIndex + LogIndex(append.entries.count)
        try log.commit(to: min(append.commit, last))
        respond(.accepted(match: last), to: from)
    }

    mutating func acceptSnapshot(_ snapshot: SnapshotMetadata, from: RaftID) throws(ProtocolViolation) {
        guard snapshot.index > log.committed else {
            return respond(.accepted(match: log.committed), to: from)
        }
        if log.matches(index: snapshot.index, term: snapshot.term) {
            // The log has all of it: only the commit index was behind.
            try log.commit(to: snapshot.index)
            return respond(.accepted(match: snapshot.index), to: from)
        }
        log.restore(snapshot)
        storage.clamp(below: 1)
        membershipsToAdopt.removeAll()
        membership = snapshot.membership
        unofferedSnapshot = snapshot
        pendingInstall = snapshot
        latestSnapshot = snapshot
        respond(.accepted(match: snapshot.index), to: from)
    }

    private mutating func respond(_ response: AppendResponse, to peer: RaftID) {
        #if MUTANT_ACKNOWLEDGED_BEFORE_FSYNC
            return send(.appendResponse(response), to: peer)
        #endif
        hold(.appendResponse(response), to: peer, term: term)
    }
}
