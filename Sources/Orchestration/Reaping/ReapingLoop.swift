import ClusterModel
public import ClusterState
public import Primitives

/// Deletes tasks: those of removed services and slots once nothing of them is left on their node, those that no agent
/// ever heard of, and ended ones beyond the history limit.
///
/// The one writer of deletions, and of the desired state `remove` of tasks whose service is gone.
public struct ReapingLoop: ControlLoop {
    private var agenda = ServiceAgenda()

    public init() {}

    public mutating func run(
        _ tables: ClusterTables, changes: [StateChange]?, now: Timestamp, random: inout SeededRandom
    ) -> LoopOutput {
        var batch = ChangeBatch()
        for id in agenda.take(tables, changes, now: now) {
            if batch.isFull {
                agenda.repeatNextRun(id)
                continue
            }
            let before = batch.count
            let tasks = tables.tasks(of: id)
            if let service = tables.services[id] {
                agenda.wake(id, at: ReapingLoop.trim(tasks, of: service, tables, now, &batch))
            } else {
                for task in tasks { ReapingLoop.clear(task, tables, &batch) }
            }
            if batch.count != before { agenda.repeatNextRun(id) }
        }
        return LoopOutput(transactions: batch.transactions(at: now), wakeAt: agenda.nextWake)
    }

    /// A task whose service was removed.
    private static func clear(_ task: ClusterTask, _ tables: ClusterTables, _ batch: inout ChangeBatch) {
        let isNodeGone = task.nodeID.map { tables.nodes[$0] == nil } ?? true
        if task.status.state.isTerminal || task.isUnassigned || isNodeGone {
            delete(task, &batch)
        } else if task.desiredState != .remove {
            batch.add(.update(task.desiring(.remove)))
        }
    }

    /// - Returns: when a slot may have more to delete though nothing changes.
    private static func trim(
        _ tasks: [ClusterTask], of service: Service, _ tables: ClusterTables, _ now: Timestamp,
        _ batch: inout ChangeBatch
    ) -> Timestamp? {
        var wakeAt: Timestamp?
        let slots = SlotTable(tasks)
        let activeSlots = slots.keys.count { slots[$0].contains(where: \.isActive) }
        for key in slots.keys {
            let ended = slots[key].filter { !$0.isActive && $0.isGone }
            let isSlotClosed = !slots[key].contains(where: \.isActive) && !isWanted(key, service, activeSlots, tables)
            var kept = isSlotClosed ? 0 : historyLimit(service, tables)
            if !isSlotClosed, let newest = slots[key].lazy.filter(\.hasFailed).map(\.status.timestamp).max() {
                // The back-off is counted on the history too.
                let end = newest + OrchestrationLimits.failureWindow
                let needed = OrchestrationLimits.failuresBeforeBackoff + OrchestrationLimits.backoffDoublings
                if end > now, kept < needed {
                    if ended.count > kept { wakeAt = min(end, wakeAt ?? end) }
                    kept = UInt64(needed)
                }
            }
            // An update counts the slots in which a task failed, so one such task stays.
            var hasEvidence = isSlotClosed
            for task in ended.reversed() {
                if task.isUnassigned || task.desiredState == .remove {
                    delete(task, &batch)
                } else if kept > 0 {
                    kept -= 1
                    hasEvidence = hasEvidence || service.isEarlyEnd(task)
                } else if !hasEvidence, service.isEarlyEnd(task) {
                    hasEvidence = true
                } else {
                    delete(task, &batch)
                }
            }
        }
        return wakeAt
    }

    /// Whether a slot without an active task is about to get one again.
    private static func isWanted(
        _ key: SlotKey, _ service: Service, _ activeSlots: Int, _ tables: ClusterTables
    ) -> Bool {
        switch (service.spec.mode, key) {
        case (.replicated(let replicas), .number): UInt64(activeSlots) < replicas
        case (.global, .node(let node)): tables.nodes[node] != nil
        case (.replicated, .node), (.global, .number): false
        }
    }

    /// Restart attempts are counted on the history, so it must reach beyond their limit.
    private static func historyLimit(_ service: Service, _ tables: ClusterTables) -> UInt64 {
        let attempts = service.spec.task.restart.maxAttempts
        let limit = tables.cluster?.spec.taskHistoryLimit ?? ClusterSpec().taskHistoryLimit
        return max(limit, attempts == 0 ? 0 : min(attempts, OrchestrationLimits.replicasPerService) + 1)
    }

    private static func delete(_ task: ClusterTask, _ batch: inout ChangeBatch) {
        batch.add(.delete(.task(task.id), version: task.meta.version))
    }
}
