public import ClusterModel
public import ClusterState
public import Primitives

/// One concern of the leader, as a function of the replicated state: what it does next follows from the tables and
/// `now`, so a new leader goes on where the old one stopped.
///
/// A loop keeps nothing but caches between runs. Each field of the store has one writing loop:
///
/// | field | loop |
/// | --- | --- |
/// | a task in a slot without an active one; `desiredState` of surplus slots | Replicas |
/// | a task's successor in its slot after it ended; `ready` to `running` | Restarts |
/// | a task's successor in its slot for a newer spec; `Service.update`, and `spec` in an automatic rollback | Updates |
/// | `desiredState` shutdown of tasks whose node is lost, drained or unfit; `status` orphaned | Nodes |
/// | `nodeID`, `status` from pending to assigned | Scheduling |
/// | `status` from new to pending, addresses, `Service.ports`, `Network.allocation` | Allocation |
/// | `desiredState` remove of tasks without service; every deletion of a task | Reaping |
///
/// Who makes a successor also writes the predecessor in the same transaction, whose version is checked: two loops can
/// never both fill one slot.
public protocol ControlLoop: Sendable {
    /// Looks at what changed, or at everything when `changes` is nil (the first run of a term).
    ///
    /// The shell has one round of a loop's transactions in flight at most, and calls again, with all changes since,
    /// on the state in which they were applied or refused, and at `wakeAt` at the latest.
    mutating func run(
        _ tables: ClusterTables, changes: [StateChange]?, now: Timestamp, random: inout SeededRandom
    ) -> LoopOutput
}

/// What a loop asks for. Transactions are independent: one that is refused does not hold up the others.
public struct LoopOutput: Hashable, Sendable {
    public var transactions: [Transaction]
    /// Run again by then even if nothing changes.
    public var wakeAt: Timestamp?

    public init(transactions: [Transaction] = [], wakeAt: Timestamp? = nil) {
        self.transactions = transactions
        self.wakeAt = wakeAt
    }
}

/// The loops that a leader runs.
public enum ControlLoopKind: String, Hashable, Sendable, CaseIterable {
    case nodes, replicas, restarts, updates, allocation, scheduling, reaping

    /// A fresh loop for a term of leadership.
    public func makeLoop(hostRoutes: [IPv4Network], mtu: UInt16) -> any ControlLoop {
        switch self {
        case .nodes: NodesLoop()
        case .replicas: ReplicasLoop()
        case .restarts: RestartsLoop()
        case .updates: UpdatesLoop()
        case .allocation: AllocationLoop(hostRoutes: hostRoutes, mtu: mtu)
        case .scheduling: SchedulingLoop()
        case .reaping: ReapingLoop()
        }
    }
}
