import Consensus
import Primitives

/// What the Raft thread is given to do.
enum RaftInput: Sendable {
    case message(Message)
    case propose([UInt8], RaftCompletion<Applied>)
    case changeMembership(MembershipChange, RaftCompletion<LogIndex>)
    case read(RaftCompletion<LogIndex>)
    /// A snapshot that was received whole: its bytes, then the message that announces it.
    case snapshot([UInt8], Message)
    case snapshotSent(RaftID, succeeded: Bool)
    case unreachable(RaftID)
    case transferLeadership(RaftID)
    case stop
}

/// Called once, on the Raft thread.
typealias RaftCompletion<Value> = @Sendable (Result<Value, Failure>) -> Void
