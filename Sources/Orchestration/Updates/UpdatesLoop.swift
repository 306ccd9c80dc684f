import ClusterModel
public import ClusterState
public import Primitives

/// Rolls a new spec out over a service's tasks, and back again where the user wants that on failure.
///
/// The one writer of `Service.update` (but that the API clears it with a new spec), of `Service.spec` in an automatic
/// rollback, and of successors of outdated tasks. Where an update stands is read from the tasks and the stored status
/// each time; a new leader goes on from there.
public struct UpdatesLoop: ControlLoop {
    private var agenda = ServiceAgenda()
    private var memories: [ServiceID: UpdateMemory] = [:]

    public init() {}

    public mutating func run(
        _ tables: ClusterTables, changes: [StateChange]?, now: Timestamp, random: inout SeededRandom
    ) -> LoopOutput {
        var batch = ChangeBatch()
        for id in agenda.take(tables, changes, now: now) {
            guard let service = tables.services[id] else {
                memories[id] = nil
                continue
            }
            if batch.isFull {
                agenda.repeatNextRun(id)
                continue
            }
            let before = batch.count
            var progress = UpdateProgress(service, tables, now: now, memory: memories[id])
            memories[id] = service.isRollingOut || !progress.memory.isEmpty ? progress.memory : nil
            var pass = UpdatePass(service: service, tables: tables, progress: progress, now: now, batch: batch)
            pass.run(&random)
            batch = pass.batch
            progress = pass.progress
            if batch.count != before { agenda.repeatNextRun(id) }
            agenda.wake(id, at: progress.wakeAt)
        }
        return LoopOutput(transactions: batch.transactions(at: now), wakeAt: agenda.nextWake)
    }
}

extension Service {
    var isRollingOut: Bool { update?.state == .updating || update?.state == .rollbackStarted }
    var isRollingBack: Bool { update?.state == .rollbackStarted || update?.state == .rollbackPaused }
    /// The configuration of the update that is under way.
    var updateConfig: UpdateConfig { isRollingBack ? spec.rollback : spec.update }

    /// Whether a task of the version that is being rolled out failed, or ended though it was meant to go on.
    ///
    /// Times of nodes and managers differ a little: a task made since the start counts by whatever clock it ended.
    func isEarlyEnd(_ task: ClusterTask) -> Bool {
        guard isRollingOut, let startedAt = update?.startedAt, task.serviceVersion == taskVersion,
            task.meta.createdAt >= startedAt || task.status.timestamp >= startedAt
        else { return false }
        return task.hasFailed || (task.status.state == .complete && spec.task.restart.condition == .any)
    }
}
