import ClusterModel
public import ClusterState
public import Primitives

/// Takes tasks off nodes that are down, drained, removed or no longer fit, and gives up those that will never report.
///
/// The one writer of that desired shutdown and of the state orphaned; Replicas makes the successors.
public struct NodesLoop: ControlLoop {
    private var agenda = Agenda<NodeID>()

    public init() {}

    public mutating func run(
        _ tables: ClusterTables, changes: [StateChange]?, now: Timestamp, random: inout SeededRandom
    ) -> LoopOutput {
        var batch = ChangeBatch()
        for id in agenda.take(NodesLoop.touched(tables, changes), now: now) {
            if batch.isFull {
                agenda.repeatNextRun(id)
                continue
            }
            let before = batch.count
            let node = tables.nodes[id]
            var orphaning: Timestamp?
            if let node, node.status.state == .down {
                orphaning = node.status.since + OrchestrationLimits.orphanDelay
            }
            var isOccupied = false
            for task in tables.tasks(on: id) where !task.status.state.isTerminal {
                isOccupied = true
                if let updated = NodesLoop.verdict(on: task, node: node, orphaning: orphaning, now: now) {
                    batch.add(.update(updated))
                }
            }
            if batch.count != before { agenda.repeatNextRun(id) }
            if isOccupied, let orphaning, orphaning > now { agenda.wake(id, at: orphaning) }
        }
        return LoopOutput(transactions: batch.transactions(at: now), wakeAt: agenda.nextWake)
    }

    private static func touched(_ tables: ClusterTables, _ changes: [StateChange]?) -> Set<NodeID> {
        var touched: Set<NodeID> = []
        guard let changes else {
            tables.nodes.forEachUnordered { touched.insert($0.id) }
            return touched.union(tables.nodesWithTasks)
        }
        for change in changes {
            switch (change.before, change.after) {
            case (.node(let node), _), (_, .node(let node)): touched.insert(node.id)
            case (.task(let old), .task(let new)) where old.nodeID != new.nodeID:
                if let node = new.nodeID { touched.insert(node) }
            case (nil, .task(let task)):
                if let node = task.nodeID { touched.insert(node) }
            default: break
            }
        }
        return touched
    }

    /// The task as it should be, nil when it may stay as it is.
    private static func verdict(
        on task: ClusterTask, node: Node?, orphaning: Timestamp?, now: Timestamp
    ) -> ClusterTask? {
        var updated = task
        if task.isActive, node.map({ mustLeave(task, $0) }) ?? true { updated.desiredState = .shutdown }
        if !task.isUnassigned {
            if node == nil {
                orphan(&updated, "its node was removed from the cluster", now)
            } else if let orphaning, orphaning <= now {
                orphan(&updated, "its node has been down for 24 hours", now)
            }
        }
        return updated == task ? nil : updated
    }

    private static func mustLeave(_ task: ClusterTask, _ node: Node) -> Bool {
        node.status.state == .down || node.spec.availability == .drain || !node.satisfies(task.spec.placement)
    }

    private static func orphan(_ task: inout ClusterTask, _ why: String, _ now: Timestamp) {
        task.status.state = .orphaned
        task.status.timestamp = now
        task.status.message = "orphaned: \(why)"
        task.status.isServing = false
    }
}
