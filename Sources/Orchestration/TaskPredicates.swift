public import ClusterModel
import ClusterState
import Primitives

extension ClusterTask {
    /// Stands for its slot: wanted, even when it ended and the restart policy lets it rest.
    var isActive: Bool { desiredState <= .running }

    /// No agent has heard of it yet.
    var isUnassigned: Bool { status.state < .assigned }

    /// Nothing of it runs, and nothing of it will.
    var isGone: Bool { status.state.isTerminal || (!isActive && isUnassigned) }

    /// It takes, or is about to take, a node's resources.
    var takesResources: Bool { !status.state.isTerminal }

    /// It ended, and nobody had asked it to.
    var hasEndedByItself: Bool { status.state.isTerminal && isActive }

    var hasFailed: Bool { status.state == .failed || status.state == .rejected }

    /// The same with another desired state.
    func desiring(_ state: TaskState) -> ClusterTask {
        var copy = self
        copy.desiredState = state
        return copy
    }

    var slotKey: SlotKey {
        if slot == 0, let nodeID { return .node(nodeID) }
        return .number(slot)
    }
}

extension ClusterTables {
    /// The service's tasks that stand for their slots, in no particular order.
    func activeTasks(of service: ServiceID) -> [ClusterTask] {
        TaskState.allCases.filter { $0 <= .running }.flatMap { tasks(of: service, desiring: $0) }
    }

    /// All tasks that stand for their slots, in no particular order.
    var activeTasks: [ClusterTask] { TaskState.allCases.filter { $0 <= .running }.flatMap { tasks(desiring: $0) } }
}

/// What a service has one task of: a number in a replicated service, a node in a global one.
enum SlotKey: Hashable, Comparable, Sendable {
    case number(UInt64)
    case node(NodeID)
}

/// A service's tasks by slot; within a slot oldest first.
struct SlotTable {
    private(set) var tasks: [SlotKey: [ClusterTask]] = [:]

    init(_ tasks: some Sequence<ClusterTask>) {
        for task in tasks { self.tasks[task.slotKey, default: []].append(task) }
        for key in self.tasks.keys {
            self.tasks[key]?.sort { ($0.meta.createdAt, $0.id) < ($1.meta.createdAt, $1.id) }
        }
    }

    var keys: [SlotKey] { tasks.keys.sorted() }

    subscript(key: SlotKey) -> [ClusterTask] { tasks[key] ?? [] }
}

extension Node {
    /// New tasks may be put here.
    var isAvailable: Bool { status.state == .ready && spec.availability == .active }

    func satisfies(_ placement: Placement) -> Bool {
        placement.constraints.allSatisfy { $0.isSatisfied(by: self) }
    }
}

extension Service {
    var isGlobal: Bool { spec.mode == .global }

    /// Whether the task was made for another spec than today's.
    ///
    /// The version tells most; when it differs the content decides, so that a rollback keeps the tasks that were
    /// never replaced, and new constraints keep those tasks whose node satisfies them.
    public func isOutdated(_ task: ClusterTask, on node: Node?) -> Bool {
        if task.serviceVersion == taskVersion { return false }
        if task.endpointMode != spec.endpointMode { return true }
        // A new task gets its ports with its addresses.
        if task.status.state > .new, !PublishedPorts.isChoice(task.ports, for: spec.ports) { return true }
        if task.spec.makesSameTask(as: spec.task) { return false }
        var relaxed = task.spec
        relaxed.placement = spec.task.placement
        guard relaxed.makesSameTask(as: spec.task), !task.isUnassigned, let node else { return true }
        return !node.satisfies(spec.task.placement)
    }
}
