import ClusterModel
import ClusterState
import Consensus

/// What reaches a manager's Raft thread.
enum ManagerInput {
    case message(Message)
    case propose([UInt8], (WriteOutcome) -> Void)
    /// Not made where the membership is not `from` any more; the closure is called when it is made, or not.
    case changeMembership([MembershipChange], from: Membership?, (() -> Void)? = nil)
    case read((ReadOutcome) -> Void)
    /// Complete and checked; the closure is called when the member has stepped the message.
    case snapshot(ClusterTables, Message, stepped: () -> Void)
    case snapshotSent(to: RaftID, succeeded: Bool)
    case unreachable(RaftID)
    case transferLeadership(to: RaftID)
    /// Of asynchronous storage: everything through this number is durable.
    case persisted(UInt64)
    /// Of an asynchronous state machine: the turn has come to this one.
    case perform(Directive)
}

/// How a proposal ended.
enum WriteOutcome {
    case applied(at: LogIndex)
    /// The state did not allow it.
    case refused(by: TransactionRefusal)
    /// Nothing has happened; ask that one.
    case notTaken(leader: RaftID?)
    case unknown
}

enum ReadOutcome {
    case state(ClusterTables)
    case notTaken(leader: RaftID?)
    case unknown
}
