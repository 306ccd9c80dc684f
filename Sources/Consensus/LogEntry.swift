/// Names a member of the Raft group. Never 0, never given to another node again.
public typealias RaftID = UInt64

/// A Raft term (paper §5.1).
public typealias Term = UInt64

/// A position in the log; the first entry is 1, and 0 stands for "before the first".
public typealias LogIndex = UInt64

/// One entry of the replicated log.
public struct LogEntry: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// The application's data.
        case normal
        /// What a new leader appends so that it can commit the entries of earlier terms (paper §5.4.2, §8).
        case empty
        /// The membership from here on, complete: takes effect on a node when that node has applied the entry.
        indirect case membership(Membership)
    }

    public var index: LogIndex
    public var term: Term
    public var kind: Kind
    /// The proposal; with a membership entry, what the proposer attached to it (an address, say).
    public var data: [UInt8]

    public init(index: LogIndex, term: Term, kind: Kind, data: [UInt8] = []) {
        self.index = index
        self.term = term
        self.kind = kind
        self.data = data
    }

    var cost: Int { data.count + Limits.entryOverheadBytes }

    var membership: Membership? {
        if case .membership(let membership) = kind { membership } else { nil }
    }
}

/// What must survive a crash beside the log (paper figure 2), and a lower bound of the commit index.
public struct HardState: Hashable, Sendable {
    public var term: Term
    /// The candidate that got this node's vote in `term`.
    public var vote: RaftID?
    public var commit: LogIndex

    public init(term: Term = 0, vote: RaftID? = nil, commit: LogIndex = 0) {
        self.term = term
        self.vote = vote
        self.commit = commit
    }
}

/// Which prefix of the log a snapshot stands for. Index and term name a snapshot: two with the same have the same content.
public struct SnapshotMetadata: Hashable, Sendable {
    public var index: LogIndex
    public var term: Term
    /// The membership when `index` had been applied.
    public var membership: Membership

    public init(index: LogIndex = 0, term: Term = 0, membership: Membership = Membership()) {
        self.index = index
        self.term = term
        self.membership = membership
    }
}
