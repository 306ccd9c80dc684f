/// What one member tells another. Loss, delay, reordering and duplication are all tolerated.
public struct Message: Hashable, Sendable {
    public enum Payload: Hashable, Sendable {
        case requestVote(RequestVote)
        case voteResponse(VoteResponse)
        case append(Append)
        case appendResponse(AppendResponse)
        case heartbeat(Heartbeat)
        /// Also the answer to a leader of an earlier term, which learns the present one from it.
        case heartbeatResponse(HeartbeatResponse)
        /// Given to `step` once the bytes of the snapshot are durable and verified on the receiver.
        case installSnapshot(SnapshotMetadata)
        /// The leader asks the receiver to campaign at once (thesis §3.10).
        case timeoutNow
        /// A follower asks the leader for a read index (thesis §6.4); the context comes back in the answer.
        case readIndex(context: UInt64)
        case readIndexResponse(ReadState)
    }

    public var from: RaftID
    public var to: RaftID
    /// The sender's term; of a pre-vote and its grant, the term that the candidate would campaign in.
    public var term: Term
    public var payload: Payload

    public init(from: RaftID, to: RaftID, term: Term, payload: Payload) {
        self.from = from
        self.to = to
        self.term = term
        self.payload = payload
    }
}

/// RequestVote (paper §5.2), and its rehearsal that changes no term (thesis §9.6).
public struct RequestVote: Hashable, Sendable {
    public var isPreVote: Bool
    /// The leader asked for this campaign: voters answer although they hear that leader.
    public var isTransfer: Bool
    public var lastIndex: LogIndex
    public var lastTerm: Term
    public var known: KnownCommit

    public init(isPreVote: Bool, isTransfer: Bool, lastIndex: LogIndex, lastTerm: Term, known: KnownCommit) {
        self.isPreVote = isPreVote
        self.isTransfer = isTransfer
        self.lastIndex = lastIndex
        self.lastTerm = lastTerm
        self.known = known
    }
}

/// An entry that the sender of a vote message knows to be committed.
///
/// A membership takes effect only where it is known to be committed. Without this the voters of a new membership could need
/// the votes of the old one for ever: its removed member may have the longest log, so that it refuses its vote, and yet may
/// not lead itself.
public struct KnownCommit: Hashable, Sendable {
    public var index: LogIndex
    public var term: Term

    public init(index: LogIndex, term: Term) {
        self.index = index
        self.term = term
    }
}

public struct VoteResponse: Hashable, Sendable {
    public var isPreVote: Bool
    public var isGranted: Bool
    public var known: KnownCommit

    public init(isPreVote: Bool, isGranted: Bool, known: KnownCommit) {
        self.isPreVote = isPreVote
        self.isGranted = isGranted
        self.known = known
    }
}

/// AppendEntries (paper §5.3).
public struct Append: Hashable, Sendable {
    public var previousIndex: LogIndex
    public var previousTerm: Term
    public var commit: LogIndex
    public var entries: [LogEntry]

    public init(previousIndex: LogIndex, previousTerm: Term, commit: LogIndex, entries: [LogEntry]) {
        self.previousIndex = previousIndex
        self.previousTerm = previousTerm
        self.commit = commit
        self.entries = entries
    }
}

public enum AppendResponse: Hashable, Sendable {
    /// The sender's log is durable, and equal to the leader's, through `match`.
    case accepted(match: LogIndex)
    /// Nothing fits at `at`; nothing above `hintIndex`, whose term here is `hintTerm`, can fit either (paper §5.3, end).
    case rejected(at: LogIndex, hintIndex: LogIndex, hintTerm: Term)
}

public struct Heartbeat: Hashable, Sendable {
    /// Never above what the receiver is known to have.
    public var commit: LogIndex
    /// The newest round of reads that waits for confirmation.
    public var readRound: UInt64

    public init(commit: LogIndex, readRound: UInt64) {
        self.commit = commit
        self.readRound = readRound
    }
}

public struct HeartbeatResponse: Hashable, Sendable {
    public var readRound: UInt64

    public init(readRound: UInt64) {
        self.readRound = readRound
    }
}

/// A read that may be served, linearizably, from a state machine that has applied `index`.
public struct ReadState: Hashable, Sendable {
    public var index: LogIndex
    /// What the reader passed to `readIndex`.
    public var context: UInt64

    public init(index: LogIndex, context: UInt64) {
        self.index = index
        self.context = context
    }
}
