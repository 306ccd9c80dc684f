import ClusterMessages
import ClusterModel
import ClusterState
import Consensus
import Primitives

/// What the Raft thread is given to do.
enum RaftInput: Sendable {
    case message(Message)
    case propose(Proposal, RaftCompletion<LogIndex>)
    /// Refused where the membership is not `from` any more.
    case changeMembership([MembershipChange], from: Membership, RaftCompletion<LogIndex>)
    case read(RaftCompletion<LogIndex>)
    /// A snapshot that was received whole: the state that it holds, then the message that announces it.
    case snapshot(ClusterTables, Message)
    case snapshotSent(RaftID, succeeded: Bool)
    case unreachable(RaftID)
    case transferLeadership(RaftID)
    case stop
}

/// A transaction, and the bytes that stand for it in the log.
struct Proposal: Sendable {
    let transaction: Transaction
    let data: [UInt8]

    init(transaction: Transaction, data: [UInt8]) {
        self.transaction = transaction
        self.data = data
    }

    init(_ transaction: Transaction) {
        self.init(transaction: transaction, data: transaction.encoded())
    }
}

/// Called once, on the Raft thread.
typealias RaftCompletion<Value> = @Sendable (Result<Value, Failure>) -> Void
