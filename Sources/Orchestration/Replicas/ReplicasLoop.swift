import ClusterModel
public import ClusterState
public import Primitives

/// Sees to it that a service has as many slots as it should: one task for each missing slot, none in surplus ones.
///
/// The one writer of tasks in slots without an active task, and of the desired state of surplus ones. A slot with an
/// active task, whatever became of it, is the business of Restarts and Updates.
public struct ReplicasLoop: ControlLoop {
    private var agenda = ServiceAgenda()

    public init() {}

    public mutating func run(
        _ tables: ClusterTables, changes: [StateChange]?, now: Timestamp, random: inout SeededRandom
    ) -> LoopOutput {
        var batch = ChangeBatch()
        for id in agenda.take(tables, changes, now: now) {
            guard let service = tables.services[id] else { continue }
            if batch.isFull {
                agenda.repeatNextRun(id)
                continue
            }
            let before = batch.count
            var pass = Pass(tables: tables, service: service, now: now, batch: batch)
            pass.run(&random)
            batch = pass.batch
            if batch.count != before { agenda.repeatNextRun(id) }
        }
        return LoopOutput(transactions: batch.transactions(at: now), wakeAt: agenda.nextWake)
    }
}

/// One look at one service.
private struct Pass {
    let tables: ClusterTables
    let service: Service
    let now: Timestamp
    var batch: ChangeBatch

    mutating func run(_ random: inout SeededRandom) {
        let active = SlotTable(tables.activeTasks(of: service.id))
        let keys = active.keys
        switch service.spec.mode {
        case .replicated(let replicas):
            let wanted = Int(min(replicas, OrchestrationLimits.replicasPerService))
            var slots: [SlotKey] = []
            var strays: [SlotKey] = []
            for key in keys {
                if case .number(let slot) = key, slot > 0 { slots.append(key) } else { strays.append(key) }
            }
            if slots.count < wanted {
                addSlots(wanted - slots.count, taken: Set(slots), &random)
            } else if slots.count > wanted {
                for slot in surplus(of: slots, active, keeping: wanted) { remove(active[slot]) }
            }
            for slot in strays { remove(active[slot]) }
        case .global:
            addNodes(active, &random)
        }
        for slot in keys { removeTwins(active[slot]) }
    }

    /// Slots that were vacated come first, so that a task that moves keeps its number.
    private mutating func addSlots(_ count: Int, taken: Set<SlotKey>, _ random: inout SeededRandom) {
        var vacated: Set<UInt64> = []
        for task in tables.tasks(of: service.id, desiring: .shutdown) where task.slot > 0 { vacated.insert(task.slot) }
        var slots = vacated.sorted().filter { !taken.contains(.number($0)) }.prefix(count).map { $0 }
        let used = taken.union(slots.map(SlotKey.number))
        var next: UInt64 = 1
        while slots.count < min(count, OrchestrationLimits.newTasksPerServiceAndRound) {
            if !used.contains(.number(next)) { slots.append(next) }
            next += 1
        }
        for slot in slots where !batch.isFull {
            let task = TaskFactory.task(of: service, slot: .number(slot), now: now, random: &random)
            batch.add(.create(.task(task)))
        }
    }

    /// Kept are running slots before others, and of those the first on each node before the second on any.
    private func surplus(of slots: [SlotKey], _ active: SlotTable, keeping wanted: Int) -> [SlotKey] {
        func isRunning(_ slot: SlotKey) -> Bool { active[slot].contains { $0.status.state == .running } }
        let ordered = slots.filter(isRunning) + slots.filter { !isRunning($0) }
        var seen: [NodeID: Int] = [:]
        var ranked: [(isIdle: Bool, rank: Int, slot: SlotKey)] = []
        for slot in ordered {
            let node = active[slot].compactMap(\.nodeID).first
            let rank = node.map { seen[$0, default: 0] } ?? 0
            if let node { seen[node] = rank + 1 }
            ranked.append((!isRunning(slot), rank, slot))
        }
        ranked.sort { a, b in
            if a.isIdle != b.isIdle { return b.isIdle }
            return (a.rank, a.slot) < (b.rank, b.slot)
        }
        return ranked.dropFirst(wanted).map(\.slot)
    }

    private mutating func addNodes(_ active: SlotTable, _ random: inout SeededRandom) {
        for node in tables.nodes.sorted {
            let isFit = node.satisfies(service.spec.task.placement)
            let tasks = active[.node(node.id)]
            if tasks.isEmpty, isFit, node.isAvailable, !batch.isFull {
                let task = TaskFactory.task(of: service, slot: .node(node.id), now: now, random: &random)
                batch.add(.create(.task(task)))
            } else if !isFit {
                for task in tasks { batch.add(.update(task.desiring(.shutdown))) }
            }
        }
    }

    private mutating func remove(_ tasks: [ClusterTask]) {
        for task in tasks { batch.add(.update(task.desiring(.remove))) }
    }

    /// Two tasks of today's spec in one slot cannot come from us; if they are there, the better one stays.
    private mutating func removeTwins(_ tasks: [ClusterTask]) {
        let current = tasks.filter { !service.isOutdated($0, on: $0.nodeID.flatMap { tables.nodes[$0] }) }
        guard current.count > 1 else { return }
        func worth(_ task: ClusterTask) -> UInt16 {
            if task.status.state.isTerminal { return 0 }
            return task.status.isServing ? .max : 1 + task.status.state.rawValue
        }
        guard let best = current.max(by: { (worth($0), $1.id) < (worth($1), $0.id) }) else { return }
        for task in current where task.id != best.id { batch.add(.update(task.desiring(.shutdown))) }
    }
}
