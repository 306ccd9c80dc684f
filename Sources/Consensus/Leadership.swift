import DequeModule

/// The votes of a (pre-)candidate.
struct Ballot {
    let isPreVote: Bool
    private var votes: [(id: RaftID, isGranted: Bool)] = []

    init(isPreVote: Bool) {
        self.isPreVote = isPreVote
    }

    /// The first answer of a member counts.
    mutating func record(_ id: RaftID, isGranted: Bool) {
        if vote(of: id) == nil { votes.append((id, isGranted)) }
    }

    func vote(of id: RaftID) -> Bool? { votes.first { $0.id == id }?.isGranted }
}

/// What only a leader has, beside the members' progress.
struct Leadership {
    /// No membership change is accepted until this index has been applied.
    var pendingMembershipIndex: LogIndex
    /// Who is to take over.
    var transferee: RaftID?
    /// Cost of the entries that were proposed here and not handed to the state machine yet.
    var uncommittedBytes = 0
    var reads = ReadQueue()
    /// Nil for the rest of the term once another member was asked to campaign.
    var lease: Lease? = Lease()

    init(pendingMembershipIndex: LogIndex) {
        self.pendingMembershipIndex = pendingMembershipIndex
    }
}

/// The reads that a leader confirms: each round of heartbeats carries a number, and a majority that answers it proves that
/// nobody else led when the round began (thesis §6.4). One round serves all reads that came before it.
struct ReadQueue {
    struct Request {
        let from: RaftID
        let context: UInt64
    }

    struct Confirmed {
        let request: Request
        let index: LogIndex
    }

    private struct Waiting {
        let round: UInt64
        let index: LogIndex
        let request: Request
    }

    private(set) var round: UInt64 = 0
    private var unsent: [Request] = []
    private var waiting: Deque<Waiting> = []

    var count: Int { unsent.count + waiting.count }
    var hasUnsent: Bool { !unsent.isEmpty }
    var hasWaiting: Bool { !waiting.isEmpty }

    mutating func add(_ request: Request) { unsent.append(request) }

    /// Begins a round: `commit` is the commit index now.
    mutating func beginRound(commit: LogIndex) {
        round += 1
        for request in unsent { waiting.append(Waiting(round: round, index: commit, request: request)) }
        unsent.removeAll()
    }

    mutating func takeConfirmed(round confirmed: UInt64) -> [Confirmed] {
        var result: [Confirmed] = []
        while let first = waiting.first, first.round <= confirmed {
            result.append(Confirmed(request: first.request, index: first.index))
            waiting.removeFirst()
        }
        return result
    }
}
