/// What the shell is to do. The rules for order and completion are those of ``RaftNode``.
public enum Directive: Hashable, Sendable {
    /// Role, term or leader have changed.
    case status(RaftStatus)
    /// Send now, without waiting for anything; losing some is allowed.
    case send([Message])
    /// Make durable, in order; then `onPersisted(number)`.
    case persist(PersistRequest)
    /// Send the snapshot with the message; then `onSnapshotSent(to:succeeded:)`.
    case sendSnapshot(SnapshotTransfer)
    /// Replace the state machine by this snapshot; then `onApplied(through: index)`.
    case installSnapshot(SnapshotMetadata)
    /// Apply to the state machine, in order; then `onApplied(through:)`.
    case apply([LogEntry])
    /// Serve these reads, each once its index has been applied.
    case serveReads([ReadState])
}

public enum RaftRole: Hashable, Sendable {
    case follower
    case preCandidate
    case candidate
    case leader
}

public struct RaftStatus: Hashable, Sendable {
    public var role: RaftRole
    public var term: Term
    /// The leader of `term` as far as it is known; where to forward proposals.
    public var leader: RaftID?

    public init(role: RaftRole, term: Term, leader: RaftID?) {
        self.role = role
        self.term = term
        self.leader = leader
    }
}

/// One write to stable storage; all of it needs the fsync.
public struct PersistRequest: Hashable, Sendable {
    /// Counts up by one; names the request in `onPersisted`.
    public var number: UInt64
    /// Forget the whole log first: it starts again behind this snapshot, whose bytes are durable already.
    public var snapshot: SnapshotMetadata?
    /// Replaces the stored one; nil leaves it as it is.
    public var hardState: HardState?
    /// Forget the stored entries from this index on before writing `entries`.
    public var truncatesFrom: LogIndex?
    /// Consecutive; they follow what is stored.
    public var entries: [LogEntry]
}

/// A snapshot on its way to a member that needs entries which are compacted away.
public struct SnapshotTransfer: Hashable, Sendable {
    /// To be delivered to the receiver's `step` after the bytes.
    public var message: Message
    /// Which snapshot: the one last given to `compact`.
    public var metadata: SnapshotMetadata
}

/// Why a proposal, a membership change, a read or a leader transfer was not accepted. Nothing has happened then.
public enum ProposalRefused: Error, Hashable, Sendable {
    /// Ask that one, or try again when there is one.
    case notLeader(leader: RaftID?)
    /// The leader is handing over; try again in a moment.
    case transferring(to: RaftID)
    /// More is in flight than the limits allow; try again when some of it is done.
    case overloaded
    case entryTooLarge(bytes: Int, maximum: Int)
    /// A membership change at or below this index has not been applied yet.
    case membershipChangePending(index: LogIndex)
    /// The leader has not committed an entry of its term yet; try again in a moment.
    case termNotCommitted
    case membership(MembershipRefusal)
    /// A leader transfer to somebody who does not vote, or to the leader itself.
    case invalidTransferee(RaftID)
}

/// A message that no correct member sends: a log was lost or damaged somewhere. The node must not go on.
public struct ProtocolViolation: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) {
        self.description = description
    }
}
