import DequeModule

/// The log since the last compaction, in memory, with how far it is stored, committed and applied.
struct RaftLog {
    /// The last index that is not in `entries`, and its term.
    private(set) var compactedIndex: LogIndex
    private(set) var compactedTerm: Term
    private var entries: Deque<LogEntry>
    /// Known to be committed.
    private(set) var committed: LogIndex
    /// Handed to the state machine.
    private(set) var handedOut: LogIndex
    /// Applied by the state machine.
    private(set) var applied: LogIndex
    /// Handed to stable storage.
    private(set) var offered: LogIndex
    /// Durable, of the log as it is now.
    private(set) var durable: LogIndex
    /// Where the membership entries that are not applied yet stand, ascending; hardly ever more than one.
    private(set) var unappliedMemberships: [LogIndex] = []
    /// The lowest offered index that was cut off since the last offer.
    private var truncation: LogIndex?

    init(
        compactedIndex: LogIndex, compactedTerm: Term, entries: some Sequence<LogEntry>, committed: LogIndex,
        applied: LogIndex
    ) {
        self.compactedIndex = compactedIndex
        self.compactedTerm = compactedTerm
        self.entries = Deque(entries)
        self.committed = committed
        self.applied = applied
        handedOut = applied
        offered = compactedIndex + LogIndex(self.entries.count)
        durable = offered
        noteMemberships(after: applied)
    }

    var firstIndex: LogIndex { compactedIndex + 1 }
    var lastIndex: LogIndex { compactedIndex + LogIndex(entries.count) }
    var lastTerm: Term { entries.last?.term ?? compactedTerm }

    /// The term of the entry at `index`; nil where it is compacted away or not there yet.
    func term(at index: LogIndex) -> Term? {
        if index == compactedIndex { return compactedTerm }
        return entry(at: index)?.term
    }

    func entry(at index: LogIndex) -> LogEntry? {
        guard index > compactedIndex, index <= lastIndex else { return nil }
        return entries[offset(of: index)]
    }

    func matches(index: LogIndex, term: Term) -> Bool { self.term(at: index) == term }

    /// Whether a log that ends like this is at least as complete as ours (paper §5.4.1).
    func isUpToDate(lastIndex index: LogIndex, lastTerm term: Term) -> Bool {
        #if MUTANT_UP_TO_DATE_CHECK_DROPPED
            return true
        #endif
        return term > lastTerm || (term == lastTerm && index >= lastIndex)
    }

    /// Entries from `first` on, as many as fit; at least one if there is any. `first` is above the compaction point.
    func slice(from first: LogIndex, through last: LogIndex, maximumBytes: Int) -> [LogEntry] {
        let end = min(last, lastIndex)
        guard first > compactedIndex, first <= end else { return [] }
        let start = offset(of: first)
        var stop = start
        var bytes = 0
        while stop <= offset(of: end) {
            bytes += entries[stop].cost
            if bytes > maximumBytes, stop > start { break }
            stop += 1
        }
        return Array(entries[start..<stop])
    }

    /// The highest index up to `index` whose term is at most `term`, and its own term; `index` itself, with term 0, where it
    /// is compacted away.
    func lastIndex(upTo index: LogIndex, termAtMost term: Term) -> (index: LogIndex, term: Term) {
        if index < compactedIndex { return (index, 0) }
        // Terms never decrease along a log: binary search for the first entry above `term`.
        var low = compactedIndex
        var high = min(index, lastIndex)
        while low < high {
            let middle = high - (high - low) / 2
            if entries[offset(of: middle)].term <= term { low = middle } else { high = middle - 1 }
        }
        return (low, self.term(at: low) ?? 0)
    }

    /// Whether a membership is committed that has not taken effect here yet.
    var hasUnappliedCommittedMembership: Bool { unappliedMemberships.first.map { $0 <= committed } ?? false }

    /// The highest committed index below which every membership entry that is not applied yet is at or below `known`.
    func committed(membershipsKnownThrough known: LogIndex) -> LogIndex {
        guard let index = unappliedMemberships.first(where: { $0 > known }) else { return committed }
        return min(committed, index - 1)
    }

    private func offset(of index: LogIndex) -> Int { Int(index - compactedIndex) - 1 }
}

// MARK: Changing it

extension RaftLog {
    mutating func append(_ entry: LogEntry) {
        entries.append(entry)
        if entry.membership != nil { unappliedMemberships.append(entry.index) }
    }

    private mutating func noteMemberships(after index: LogIndex) {
        for entry in entries.dropFirst(Int(index - compactedIndex)) where entry.membership != nil {
            unappliedMemberships.append(entry.index)
        }
    }

    /// Adds what a leader sent behind an entry that matched. Returns the index from which entries were cut off, if any.
    mutating func merge(_ received: [LogEntry]) throws(ProtocolViolation) -> LogIndex? {
        var cut: LogIndex?
        #if MUTANT_MATCHING_SUFFIX_TRUNCATED
            if let last = received.last?.index, last >= committed, last < lastIndex { truncate(from: last + 1) }
        #endif
        for (position, entry) in received.enumerated() {
            if entry.index <= lastIndex {
                if matches(index: entry.index, term: entry.term) { continue }
                #if MUTANT_CONFLICT_NOT_TRUNCATED
                    continue
                #endif
                guard entry.index > committed else {
                    throw ProtocolViolation(
                        "entry \(entry.index) of term \(entry.term) contradicts a committed one (through \(committed))")
                }
                truncate(from: entry.index)
                cut = entry.index
            }
            let last = lastIndex
            entries.append(contentsOf: received[position...])
            noteMemberships(after: last)
            break
        }
        return cut
    }

    private mutating func truncate(from index: LogIndex) {
        if index <= offered { truncation = min(truncation ?? index, index) }
        entries.removeLast(Int(lastIndex - index) + 1)
        offered = min(offered, index - 1)
        durable = min(durable, index - 1)
        unappliedMemberships.removeAll { $0 >= index }
    }

    /// Starts again behind a snapshot. Nothing of it counts as durable until storage says so.
    mutating func restore(_ snapshot: SnapshotMetadata) {
        entries.removeAll()
        unappliedMemberships.removeAll()
        compactedIndex = snapshot.index
        compactedTerm = snapshot.term
        committed = snapshot.index
        offered = snapshot.index
        durable = 0
        truncation = nil
    }

    mutating func commit(to index: LogIndex) throws(ProtocolViolation) {
        guard index > committed else { return }
        guard index <= lastIndex else {
            throw ProtocolViolation("told that \(index) is committed, but the log ends at \(lastIndex): was it lost?")
        }
        committed = index
    }

    /// The entries that storage has not seen, and from where it must forget others first.
    mutating func takeUnoffered() -> (truncatesFrom: LogIndex?, entries: [LogEntry]) {
        defer {
            offered = lastIndex
            truncation = nil
        }
        return (truncation, slice(from: offered + 1, through: lastIndex, maximumBytes: .max))
    }

    mutating func markDurable(through index: LogIndex) {
        durable = max(durable, min(index, lastIndex))
    }

    /// The next entries for the state machine, through `index` at most: durable here, and none while some are with it.
    mutating func takeCommitted(through index: LogIndex) -> [LogEntry] {
        guard handedOut == applied, durable >= compactedIndex else { return [] }
        let limit = min(index, committed, durable)
        guard limit > handedOut else { return [] }
        let result = slice(from: handedOut + 1, through: limit, maximumBytes: Limits.maximumApplyBytes)
        handedOut = result.last?.index ?? handedOut
        return result
    }

    mutating func markHandedOut(snapshot: SnapshotMetadata) {
        handedOut = max(handedOut, snapshot.index)
    }

    mutating func markApplied(through index: LogIndex) {
        applied = max(applied, min(index, handedOut))
        while let first = unappliedMemberships.first, first <= applied { unappliedMemberships.removeFirst() }
    }

    /// Drops entries through `index`, which is at most `applied`.
    mutating func compact(through index: LogIndex) {
        guard index > compactedIndex, index <= applied, let term = term(at: index) else { return }
        entries.removeFirst(Int(index - compactedIndex))
        compactedIndex = index
        compactedTerm = term
    }
}
