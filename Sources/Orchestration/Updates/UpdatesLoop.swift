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
    /// New tasks that this leader saw outlive the monitoring time: a later failure is not the update's. One that is
    /// unknown here, after a change of leader, counts as a failure, which errs on the safe side.
    private var survivors: [ServiceID: Set<TaskID>] = [:]

    public init() {}

    public mutating func run(
        _ tables: ClusterTables, changes: [StateChange]?, now: Timestamp, random: inout SeededRandom
    ) -> LoopOutput {
        var batch = ChangeBatch()
        for id in agenda.take(tables, changes, now: now) {
            guard let service = tables.services[id] else {
                survivors[id] = nil
                continue
            }
            if batch.isFull {
                agenda.repeatNextRun(id)
                continue
            }
            let before = batch.count
            var progress = UpdateProgress(service, tables, now: now, survivors: survivors[id] ?? [])
            survivors[id] = progress.survivors
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
}
