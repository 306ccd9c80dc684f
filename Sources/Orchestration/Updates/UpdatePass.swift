import ClusterModel
import ClusterState
import Primitives

/// One step of one service's update.
struct UpdatePass {
    let service: Service
    let tables: ClusterTables
    var progress: UpdateProgress
    let now: Timestamp
    var batch: ChangeBatch

    private var config: UpdateConfig { service.updateConfig }

    mutating func run(_ random: inout SeededRandom) {
        dropSuperseded()
        guard service.isRollingOut else {
            finishTransitions(toleratingFailures: false)
            let isPaused = service.update?.state == .paused || service.update?.state == .rollbackPaused
            if progress.hasOutdated, !isPaused { write(.updating, "update in progress", startedAt: now) }
            return
        }
        if let failed = progress.failures.first, isTooMuch(progress.failures.count), stop(because: failed) { return }
        finishTransitions(toleratingFailures: true)
        startBatch(&random)
        completeIfDone()
    }

    // MARK: Failure

    private func isTooMuch(_ failures: Int) -> Bool {
        config.failureAction != .continue
            && Double(failures) / Double(max(1, progress.wanted)) > config.maxFailureRatio
    }

    /// Takes the failure action; false when the update goes on.
    private mutating func stop(because slot: UpdateProgress.Slot) -> Bool {
        guard let failure = slot.failure else { return false }
        let reason =
            "due to failure or early termination of task \(failure.task.id)"
            + (failure.why.isEmpty ? "" : ": \(failure.why)")
        if service.isRollingBack {
            write(.rollbackPaused, "rollback paused \(reason)")
        } else if config.failureAction == .rollback {
            let message = "update rolled back \(reason)"
            guard let restored = ServiceUpdates.rolledBack(service, now: now, message: message) else {
                write(.paused, "update paused \(reason); there is no previous spec to roll back to")
                return true
            }
            batch.add(.update(.service(restored), bySpec: true))
        } else {
            write(.paused, "update paused \(reason)")
        }
        return true
    }

    // MARK: Replacing

    /// Where a newer spec came while a slot had two tasks, start-first, only the better one is still of use.
    private mutating func dropSuperseded() {
        for slot in progress.slots where slot.current.isEmpty && slot.outdated.count > 1 {
            let kept = slot.outdated.first(where: \.status.isServing) ?? slot.outdated.first
            for task in slot.outdated where task.id != kept?.id { batch.add(.update(task.desiring(.shutdown))) }
        }
    }

    /// Stops outdated tasks that have a successor: one that has proven itself, or failed where failures are tolerated.
    private mutating func finishTransitions(toleratingFailures: Bool) {
        for slot in progress.slots where !slot.outdated.isEmpty && !slot.current.isEmpty {
            let isProven =
                toleratingFailures
                ? slot.settledAt != nil
                : slot.provenAt.map { $0 <= now } ?? false
            if !toleratingFailures, !isProven, let provenAt = slot.provenAt { progress.wake(at: provenAt) }
            for task in slot.outdated where isProven || task.status.state.isTerminal {
                batch.add(.update(task.desiring(.shutdown)))
            }
        }
    }

    /// Starts on as many slots as the parallelism leaves room for.
    private mutating func startBatch(_ random: inout SeededRandom) {
        var todo = progress.slots.filter { !$0.outdated.isEmpty && $0.current.isEmpty }
        if todo.isEmpty { return }
        // Slots that serve nobody come first: replacing them takes nothing away.
        todo = todo.filter { !$0.isOutdatedServing } + todo.filter(\.isOutdatedServing)
        let parallelism = config.parallelism == 0 ? Int.max : Int(clamping: config.parallelism)
        var room = parallelism - busySlots()
        let serving = progress.slots.count { slot in
            slot.current.isEmpty
                ? slot.isOutdatedServing
                : slot.settledAt != nil && (slot.isServing || slot.isAtRest || slot.failure != nil)
        }
        var spare = parallelism - max(0, progress.wanted - serving)
        let obstruction = startFirstObstruction()
        var note: String?
        for slot in todo where room > 0 && !batch.isFull {
            if config.order == .startFirst, obstruction[slot.key] == nil, isAlive(slot) {
                startFirst(slot, &random)
            } else {
                if slot.isOutdatedServing {
                    if spare <= 0 { continue }
                    spare -= 1
                }
                if config.order == .startFirst { note = obstruction[slot.key] ?? note }
                stopFirst(slot, &random)
            }
            room -= 1
        }
        if let note { write(.updating, "update in progress: \(note)") }
    }

    /// Slots whose new task is not settled yet, or settled less than the delay ago.
    private mutating func busySlots() -> Int {
        var count = 0
        for slot in progress.slots where !slot.current.isEmpty {
            guard let settledAt = slot.settledAt else {
                count += 1
                continue
            }
            let free = settledAt + config.delay
            if free > now {
                count += 1
                progress.wake(at: free)
            }
        }
        return count
    }

    private func isAlive(_ slot: UpdateProgress.Slot) -> Bool {
        slot.outdated.contains { !$0.status.state.isTerminal && !$0.isUnassigned }
    }

    /// The new task is prepared at once and started when the old one is gone.
    private mutating func stopFirst(_ slot: UpdateProgress.Slot, _ random: inout SeededRandom) {
        let desired = isAlive(slot) ? TaskState.ready : .running
        let task = TaskFactory.task(of: service, slot: slot.key, desired: desired, now: now, random: &random)
        batch.add(slot.outdated.map { .update($0.desiring(.shutdown)) } + [.create(.task(task))])
    }

    /// The old task is written unchanged, so that its version is checked: had another loop just replaced it, there
    /// would be one task too many.
    private mutating func startFirst(_ slot: UpdateProgress.Slot, _ random: inout SeededRandom) {
        let task = TaskFactory.task(of: service, slot: slot.key, now: now, random: &random)
        batch.add(slot.outdated.map { .update($0) } + [.create(.task(task))])
    }

    /// Why a slot's new task could never start while its old one is there: host ports and replica limits. Waiting for
    /// a place would wait for ever, so the old task is stopped first there.
    private func startFirstObstruction() -> [SlotKey: String] {
        guard config.order == .startFirst else { return [:] }
        let ports = service.ports.isEmpty ? service.spec.ports : service.ports
        let demand = Demand(service.spec.task, ports: ports)
        guard !demand.hostPorts.isEmpty || demand.placement.maxReplicasPerNode > 0 else { return [:] }
        let probes = progress.slots.flatMap(\.outdated)
        let round = SchedulingRound(tables, for: probes, now: now)
        var result: [SlotKey: String] = [:]
        for slot in progress.slots {
            var node: NodeID?
            if case .node(let id) = slot.key { node = id }
            guard let obstacles = round.obstacles(to: demand, of: service.id, on: node),
                obstacles.keys.contains(where: { $0 == .hostPorts || $0 == .maxReplicas })
            else { continue }
            result[slot.key] =
                "tasks are stopped first, because start-first finds " + Filter.explanation(obstacles)
        }
        return result
    }

    // MARK: Status

    private mutating func completeIfDone() {
        guard !progress.hasOutdated, progress.slots.allSatisfy({ $0.settledAt != nil || !isOfThisUpdate($0) }) else {
            return
        }
        if service.isRollingBack {
            write(.rollbackCompleted, "rollback completed", completedAt: now)
        } else {
            write(.completed, "update completed", completedAt: now)
        }
    }

    /// Slots whose tasks are of an older version with today's content were not replaced.
    private func isOfThisUpdate(_ slot: UpdateProgress.Slot) -> Bool {
        slot.current.contains { $0.serviceVersion == service.taskVersion }
    }

    private mutating func write(
        _ state: UpdateState, _ message: String, startedAt: Timestamp? = nil, completedAt: Timestamp? = nil
    ) {
        let status = UpdateStatus(
            state: state, startedAt: startedAt ?? service.update?.startedAt ?? now, completedAt: completedAt,
            message: message)
        var updated = service
        updated.update = status
        // Rollbacks and updates are told apart by their state, which a note must not change.
        if service.isRollingBack, state == .updating { updated.update?.state = .rollbackStarted }
        if updated != service { batch.add(.update(.service(updated), bySpec: false)) }
    }
}
