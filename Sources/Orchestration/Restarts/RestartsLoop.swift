import ClusterModel
public import ClusterState
public import Primitives

/// Replaces tasks that ended by themselves, as their restart policy says, and lets prepared tasks start when their
/// time has come and their predecessor is gone.
///
/// The one writer of successors of ended tasks, and of the step from desired `ready` to `running`.
public struct RestartsLoop: ControlLoop {
    private var agenda = SlotAgenda()

    public init() {}

    public mutating func run(
        _ tables: ClusterTables, changes: [StateChange]?, now: Timestamp, random: inout SeededRandom
    ) -> LoopOutput {
        var batch = ChangeBatch()
        for key in agenda.take(tables, changes, now: now) {
            guard let service = tables.services[key.service] else { continue }
            if batch.isFull {
                agenda.repeatNextRun(key)
                continue
            }
            let before = batch.count
            let slot = tables.tasks(in: key).sorted { ($0.meta.createdAt, $0.id) < ($1.meta.createdAt, $1.id) }
            for task in slot where task.isActive {
                if task.status.state.isTerminal {
                    replace(task, in: slot, service, tables, now, &random, &batch)
                } else if task.desiredState == .ready {
                    start(task, in: slot, tables, now, &batch)
                }
            }
            if batch.count != before { agenda.repeatNextRun(key) }
        }
        return LoopOutput(transactions: batch.transactions(at: now), wakeAt: agenda.nextWake)
    }

    private func replace(
        _ task: ClusterTask, in slot: [ClusterTask], _ service: Service, _ tables: ClusterTables, _ now: Timestamp,
        _ random: inout SeededRandom, _ batch: inout ChangeBatch
    ) {
        let node = task.nodeID.flatMap { tables.nodes[$0] }
        let isOutdated = service.isOutdated(task, on: node)
        // An old task beside its successor is the update's business.
        if isOutdated, slot.contains(where: { $0.isActive && $0.id != task.id }) { return }
        if task.slot == 0 {
            guard let node, node.isAvailable, node.satisfies(service.spec.task.placement) else { return }
        }
        let policy = isOutdated ? task.spec.restart : service.spec.task.restart
        guard case .restart(let notBefore) = RestartDecision(for: task, in: slot, policy: policy, now: now) else {
            return
        }
        let desired = notBefore == nil ? TaskState.running : .ready
        let successor =
            isOutdated
            ? TaskFactory.again(task, desired: desired, notBefore: notBefore, now: now, random: &random)
            : TaskFactory.task(
                of: service, slot: task.slotKey, desired: desired, notBefore: notBefore, now: now, random: &random)
        batch.add(.update(task.desiring(.shutdown)), .create(.task(successor)))
    }

    private mutating func start(
        _ task: ClusterTask, in slot: [ClusterTask], _ tables: ClusterTables, _ now: Timestamp,
        _ batch: inout ChangeBatch
    ) {
        // Tasks on a node that is down are fenced by their agent or gone with it; waiting for them would wait for ever.
        let isBlocked = slot.contains { other in
            guard other.id != task.id, !other.isActive, !other.isGone else { return false }
            guard let node = other.nodeID.flatMap({ tables.nodes[$0] }) else { return false }
            return node.status.state != .down
        }
        if isBlocked { return }
        if let notBefore = task.notBefore, notBefore > now {
            agenda.wake(TaskSlot(of: task), at: notBefore)
            return
        }
        batch.add(.update(task.desiring(.running)))
    }
}
