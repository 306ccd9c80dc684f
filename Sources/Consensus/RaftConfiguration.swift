/// The timing of a member, in ticks of 50 ms; the same on all members.
public struct RaftConfiguration: Hashable, Sendable {
    /// Ticks without a leader after which a member campaigns, at the least; the limit is drawn anew each time, uniformly
    /// between this and twice this. Also how long a leader lasts without a majority.
    public let electionTicks: Int
    /// Ticks between two heartbeats of a leader.
    public let heartbeatTicks: Int
    /// Whether leaders may answer reads by a lease (``RaftNode/readByLease(context:clock:)``). For its sake a member votes
    /// for nobody until it has not heard a leader for `electionTicks`, not even after a restart.
    public let usesLeases: Bool
    /// Entries of one append add up to at most this; one that is larger travels alone.
    public let maximumAppendBytes: Int

    public static let standard = RaftConfiguration(electionTicks: 10, heartbeatTicks: 2)

    /// A heartbeat takes at least one tick, and an election more than two heartbeats: lower values are raised.
    public init(
        electionTicks: Int, heartbeatTicks: Int, usesLeases: Bool = false,
        maximumAppendBytes: Int = Limits.maximumAppendBytes
    ) {
        self.usesLeases = usesLeases
        self.maximumAppendBytes = maximumAppendBytes
        self.heartbeatTicks = max(1, heartbeatTicks)
        self.electionTicks = max(2 * self.heartbeatTicks + 1, electionTicks)
    }
}

/// What a member finds in its stable storage when it starts.
public struct RestoredState: Hashable, Sendable {
    public var hardState: HardState
    /// The newest durable snapshot; of a cluster that is being founded, index 0 with the first voters. A member that is to
    /// join has neither a snapshot nor voters, and waits for a leader to speak to it.
    public var snapshot: SnapshotMetadata
    /// Consecutive. They may begin before the snapshot ends (kept for slow followers).
    public var entries: [LogEntry]
    /// What the state machine has applied; the snapshot's index unless it is durable by itself.
    public var applied: LogIndex

    public init(
        hardState: HardState = HardState(), snapshot: SnapshotMetadata = SnapshotMetadata(), entries: [LogEntry] = [],
        applied: LogIndex? = nil
    ) {
        self.hardState = hardState
        self.snapshot = snapshot
        self.entries = entries
        self.applied = applied ?? snapshot.index
    }

    /// The first manager of a new cluster.
    public static func founding(voters: [RaftID]) -> RestoredState {
        RestoredState(snapshot: SnapshotMetadata(membership: Membership(voters: voters)))
    }
}

/// What storage returned cannot be the state of a member.
public struct InvalidRestoredState: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) {
        self.description = description
    }
}

extension RestoredState {
    /// Whether entries and snapshot contradict each other. Then the snapshot is newer: the crash came between its arrival
    /// and the log's new beginning. Storage drops the entries and writes that beginning before it is used.
    public var isLogReplacedBySnapshot: Bool {
        guard let first = entries.first, let last = entries.last, first.index <= snapshot.index else { return false }
        return last.index < snapshot.index || entries[Int(snapshot.index - first.index)].term != snapshot.term
    }

    public func validate() throws(InvalidRestoredState) { _ = try log() }

    /// The log in memory.
    func log() throws(InvalidRestoredState) -> RaftLog {
        for (entry, next) in zip(entries, entries.dropFirst()) {
            guard next.index == entry.index + 1, next.term >= entry.term else {
                throw InvalidRestoredState(
                    "log entry \(next.index) of term \(next.term) follows \(entry.index) of term \(entry.term)")
            }
        }
        var compactedIndex = snapshot.index
        var compactedTerm = snapshot.term
        var kept = entries[...]
        if let first = entries.first {
            guard first.index <= snapshot.index + 1 else {
                throw InvalidRestoredState("the log begins at \(first.index), the snapshot ends at \(snapshot.index)")
            }
            if isLogReplacedBySnapshot {
                kept = []
            } else if first.index <= snapshot.index {
                compactedIndex = first.index
                compactedTerm = first.term
                kept = entries.dropFirst()
            }
        }
        let lastIndex = compactedIndex + LogIndex(kept.count)
        guard applied >= snapshot.index, applied <= lastIndex, hardState.commit <= lastIndex else {
            throw InvalidRestoredState(
                "snapshot through \(snapshot.index), applied through \(applied), committed through \(hardState.commit), "
                    + "log through \(lastIndex)")
        }
        return RaftLog(
            compactedIndex: compactedIndex, compactedTerm: compactedTerm, entries: kept,
            committed: max(hardState.commit, applied), applied: applied)
    }

    func membership(in log: RaftLog) -> Membership {
        var index = log.applied
        while index > max(log.compactedIndex, snapshot.index) {
            if let membership = log.entry(at: index)?.membership { return membership }
            index -= 1
        }
        return snapshot.membership
    }
}
