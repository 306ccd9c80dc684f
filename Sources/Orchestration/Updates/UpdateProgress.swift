import ClusterModel
import ClusterState
import Primitives

/// What a leader saw of the new tasks of an update. Only refines what follows from the stored state.
struct UpdateMemory: Sendable {
    /// New tasks that outlived the monitoring time: a later failure is not the update's. One that is unknown here,
    /// after a change of leader, counts as a failure, which errs on the safe side.
    var survivors: Set<TaskID> = []
    /// When a task was first seen serving, by the leader's clock: nodes' clocks are not to be relied on.
    var seenServing: [TaskID: Timestamp] = [:]

    var isEmpty: Bool { survivors.isEmpty && seenServing.isEmpty }
}

/// Where a service's update stands, derived from its tasks.
struct UpdateProgress {
    /// One slot's part in the update.
    struct Slot {
        var key: SlotKey
        /// Active tasks of an older spec.
        var outdated: [ClusterTask] = []
        /// Active tasks of today's spec.
        var current: [ClusterTask] = []
        /// When a task of today's spec had served for the monitoring time, or ended for good.
        var settledAt: Timestamp?
        /// When a serving task of today's spec has, or will have, served for the monitoring time.
        var provenAt: Timestamp?
        /// Its task of today's spec ended, and gets no successor.
        var isAtRest = false
        /// The newest failure of today's version in this update.
        var failure: (task: ClusterTask, why: String, at: Timestamp)?

        var isServing: Bool { (outdated + current).contains(where: \.status.isServing) }
        /// Stopping its outdated tasks takes something away.
        var isOutdatedServing: Bool { outdated.contains(where: \.status.isServing) }
    }

    private(set) var slots: [Slot] = []
    /// Slots that the service should have.
    private(set) var wanted: Int
    private(set) var memory = UpdateMemory()
    var wakeAt: Timestamp?

    init(_ service: Service, _ tables: ClusterTables, now: Timestamp, memory known: UpdateMemory?) {
        let tasks = SlotTable(tables.tasks(of: service.id))
        let config = service.updateConfig
        wanted = 0
        for key in tasks.keys {
            var slot = Slot(key: key)
            if case .node(let id) = key {
                // What becomes of tasks on other nodes, Nodes and Replicas decide.
                guard let node = tables.nodes[id], node.isAvailable, node.satisfies(service.spec.task.placement) else {
                    continue
                }
            }
            for task in tasks[key] where task.isActive {
                let node = task.nodeID.flatMap { tables.nodes[$0] }
                if service.isOutdated(task, on: node) { slot.outdated.append(task) } else { slot.current.append(task) }
            }
            if service.isRollingOut || !slot.outdated.isEmpty {
                for task in slot.current where task.status.state == .running && task.status.isServing {
                    let since = servingSince(task, now: now, known: known)
                    memory.seenServing[task.id] = since
                    slot.provenAt = min(since + config.monitor, slot.provenAt ?? since + config.monitor)
                }
            }
            if service.isRollingOut {
                watch(tasks[key], service, &slot, monitor: config.monitor, now: now, known: known ?? UpdateMemory())
            }
            if !slot.outdated.isEmpty || !slot.current.isEmpty { slots.append(slot) }
        }
        switch service.spec.mode {
        case .replicated(let replicas): wanted = Int(min(replicas, OrchestrationLimits.replicasPerService))
        case .global: wanted = slots.count
        }
    }

    /// When the task began to serve, by the leader's clock. The first look of a leader goes by what is stored: the node's
    /// time, and the leader's when the task was last written.
    private func servingSince(_ task: ClusterTask, now: Timestamp, known: UpdateMemory?) -> Timestamp {
        if let known { return known.seenServing[task.id] ?? now }
        return min(now, max(task.status.timestamp, task.meta.updatedAt))
    }

    private mutating func watch(
        _ tasks: [ClusterTask], _ service: Service, _ slot: inout Slot, monitor: Duration, now: Timestamp,
        known: UpdateMemory
    ) {
        guard let startedAt = service.update?.startedAt else { return }
        for task in tasks where known.survivors.contains(task.id) { memory.survivors.insert(task.id) }
        for task in slot.current {
            if task.status.state == .running, task.status.isServing {
                let settledAt = (memory.seenServing[task.id] ?? now) + monitor
                if settledAt <= now {
                    memory.survivors.insert(task.id)
                    slot.settledAt = settledAt
                } else {
                    wake(at: settledAt)
                }
            } else if task.isUnassigned {
                let deadline = max(task.meta.createdAt, startedAt) + OrchestrationLimits.placementPatience
                if deadline <= now {
                    let why = task.status.error.isEmpty ? "it was not placed in time" : task.status.error
                    slot.failure = (task, why, deadline)
                } else {
                    wake(at: deadline)
                }
            } else if task.status.state.isTerminal, isAtRest(task, service) || rests(task, in: tasks, service, now) {
                slot.settledAt = task.status.timestamp
                slot.isAtRest = true
            }
        }
        for task in tasks where service.isEarlyEnd(task) && !memory.survivors.contains(task.id) {
            slot.failure = (task, task.status.error, task.status.timestamp)
        }
        // A failure that was tolerated does not hold the others up.
        if slot.settledAt == nil { slot.settledAt = slot.failure?.at }
    }

    /// Ended, and not this update's failure.
    private func isAtRest(_ task: ClusterTask, _ service: Service) -> Bool {
        if task.serviceVersion != service.taskVersion { return true }
        return task.status.state == .complete && service.spec.task.restart.condition != .any
    }

    /// Ended after its monitoring, and the restart policy leaves it so.
    private func rests(_ task: ClusterTask, in slot: [ClusterTask], _ service: Service, _ now: Timestamp) -> Bool {
        memory.survivors.contains(task.id)
            && RestartDecision(for: task, in: slot, policy: service.spec.task.restart, now: now) == .rest
    }

    mutating func wake(at time: Timestamp) { wakeAt = min(time, wakeAt ?? time) }

    var failures: [Slot] { slots.filter { $0.failure != nil } }
    var hasOutdated: Bool { slots.contains { !$0.outdated.isEmpty } }
}
