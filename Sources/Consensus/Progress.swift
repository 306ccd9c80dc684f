import DequeModule

/// What the leader knows about one member, and how it sends to it.
struct Progress: Hashable {
    enum State: Hashable {
        /// The position of the member's log is unknown: one append at a time until one fits.
        case probe
        /// Appends are pipelined: `next` advances when they are sent.
        case replicate
        /// The log was compacted beyond what the member has: nothing is sent until it has this snapshot.
        case snapshot(pending: LogIndex)
    }

    let id: RaftID
    /// The highest index known to be durable on the member.
    var match: LogIndex
    /// The index of the next entry to send; always above `match`.
    var next: LogIndex
    private(set) var state: State = .probe
    /// Heard from since the last check of the quorum.
    var isRecentlyActive = false {
        didSet { if isRecentlyActive { silentTicks = 0 } }
    }
    /// Ticks since the member was last heard; nil while it was not heard in this term.
    var silentTicks: Int?
    /// A probe is on its way: wait for an answer to it or to a heartbeat.
    var isProbePaused = false
    /// Send an append even if it carries no entries, to find out whether earlier ones arrived.
    var wantsAppend = false
    /// The highest commit index sent in an append since replication began.
    var sentCommit: LogIndex = 0
    /// The highest read round that the member confirmed.
    var acknowledgedRead: UInt64 = 0
    var inflights = Inflights()

    init(id: RaftID, match: LogIndex = 0, next: LogIndex) {
        self.id = id
        self.match = match
        self.next = next
    }

    mutating func becomeProbe() {
        if case .snapshot(let pending) = state {
            next = max(match + 1, pending + 1)
        } else {
            next = match + 1
        }
        enter(.probe)
    }

    mutating func becomeReplicate() {
        next = match + 1
        enter(.replicate)
    }

    mutating func becomeSnapshot(pending: LogIndex) {
        next = pending + 1
        enter(.snapshot(pending: pending))
    }

    /// The transfer failed: start again from what the member is known to have.
    mutating func abandonSnapshot() {
        next = match + 1
        enter(.probe)
    }

    private mutating func enter(_ newState: State) {
        state = newState
        isProbePaused = false
        wantsAppend = false
        sentCommit = 0
        inflights = Inflights()
    }

    /// Takes note that the member's log is durable and equal to the leader's through `index`.
    mutating func acknowledge(_ index: LogIndex, firstIndex: LogIndex) {
        let isNews = index > match
        match = max(match, index)
        next = max(next, match + 1)
        switch state {
        case .probe where isNews || index == match:
            becomeReplicate()
        case .snapshot where match + 1 >= firstIndex:
            becomeReplicate()
        case .replicate:
            inflights.free(through: index)
        default:
            break
        }
    }

    /// Takes note that the member has no entry that fits at `rejected`; false if that is old news.
    mutating func reject(at rejected: LogIndex, probe: LogIndex) -> Bool {
        switch state {
        case .replicate:
            // Below `match` it is the answer to an append that was overtaken.
            guard rejected > match else { return false }
            becomeProbe()
            return true
        case .probe:
            guard rejected == next - 1 else { return false }
            next = max(min(rejected, probe + 1), match + 1)
            isProbePaused = false
            return true
        case .snapshot:
            return false
        }
    }
}

/// The appends that one member has not answered yet, oldest first.
struct Inflights: Hashable {
    private struct Flight: Hashable {
        let last: LogIndex
        let bytes: Int
    }

    private var flights: Deque<Flight> = []
    private(set) var bytes = 0

    var count: Int { flights.count }

    var isFull: Bool { flights.count >= Limits.maximumInflightAppends || bytes >= Limits.maximumInflightBytes }

    mutating func add(last: LogIndex, bytes added: Int) {
        flights.append(Flight(last: last, bytes: added))
        bytes += added
    }

    mutating func free(through index: LogIndex) {
        while let first = flights.first, first.last <= index {
            bytes -= first.bytes
            flights.removeFirst()
        }
    }
}
