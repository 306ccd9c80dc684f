import AgentCore
import ClusterModel
import Primitives
import Testing

@Suite struct AgentTests {
    private var agent = Agent()
    private var random = SeededRandom(seed: 3)
    private var sequence: UInt64 = 0
    private let start = Instant(nanoseconds: 1_000_000_000)
    private let clock = Timestamp(nanoseconds: 42)
    private let container = ContainerStatus(containerID: "c", pid: 7)

    private mutating func task(_ change: (inout ClusterTask) -> Void = { _ in }) -> ClusterTask {
        var task = ClusterTask(
            id: TaskID(using: &random), serviceID: ServiceID(using: &random), slot: 1, nodeID: NodeID(using: &random),
            name: "web.1", serviceName: "web", serviceVersion: 1,
            spec: TaskSpec(container: ContainerSpec(image: "busybox")), status: TaskStatus(state: .assigned))
        change(&task)
        return task
    }

    private mutating func assign(
        _ items: [AssignmentItem], removals: [AssignmentKey] = [], complete: Bool = false, isLast: Bool = true
    ) -> [Agent.Directive] {
        sequence += 1
        return agent.onAssignments(
            AssignmentMessage(
                kind: complete ? .complete : .incremental, sequence: sequence, isLast: isLast, updates: items,
                removals: removals, managers: [], heartbeatPeriod: .seconds(5)),
            now: start, wallClock: clock)
    }

    private mutating func run(_ task: ClusterTask) {
        _ = assign([.task(task)])
        _ = agent.onPrepared(task.id, .success(container), now: start, wallClock: clock)
        _ = agent.onStarted(task.id, .success(container), now: start, wallClock: clock)
    }

    private func reported(_ directives: [Agent.Directive]) -> [TaskState] {
        directives.compactMap { if case .report(_, let status) = $0 { status.state } else { nil } }
    }

    @Test mutating func runsATaskStepByStep() {
        let task = task()
        let accepted = assign([.task(task)])
        #expect(reported(accepted) == [.accepted, .preparing])
        #expect(accepted.last == .prepare(task, [], []))
        let prepared = agent.onPrepared(task.id, .success(container), now: start, wallClock: clock)
        #expect(reported(prepared) == [.ready, .starting])
        #expect(prepared.last == .start(task.id))
        let started = agent.onStarted(task.id, .success(container), now: start, wallClock: clock)
        #expect(reported(started) == [.running])
        #expect(agent[task.id]?.status.isServing == true)
    }

    @Test mutating func waitsInReadyUntilRunningIsWanted() {
        var task = task { $0.desiredState = .ready }
        _ = assign([.task(task)])
        let prepared = agent.onPrepared(task.id, .success(container), now: start, wallClock: clock)
        #expect(reported(prepared) == [.ready])
        task.desiredState = .running
        #expect(assign([.task(task)]).contains(.start(task.id)))
    }

    @Test mutating func drainsATaskThatOthersReachBeforeStoppingIt() {
        var task = task { $0.ports = [PortConfig(targetPort: 80, publishedPort: 8080)] }
        run(task)
        task.desiredState = .shutdown
        let withdrawn = assign([.task(task)])
        #expect(!withdrawn.contains { if case .stop = $0 { true } else { false } })
        #expect(agent[task.id]?.status.isServing == false)
        #expect(agent.nextWakeUp == start + .seconds(2))
        #expect(agent.onTick(now: start + .seconds(1), wallClock: clock).isEmpty)
        let stopped = agent.onTick(now: start + .seconds(2), wallClock: clock)
        #expect(stopped.last == .stop(task.id, signal: "", grace: .seconds(10)))
        let ended = agent.onExited(
            task.id, ContainerExit(code: 143, finishedAt: clock), now: start, wallClock: clock)
        #expect(reported(ended) == [.shutdown])
    }

    @Test mutating func anExitThatNobodyAskedForIsCompleteOrFailed() {
        for (code, state) in [(0, TaskState.complete), (3, .failed)] as [(Int32, TaskState)] {
            let task = task()
            run(task)
            let ended = agent.onExited(
                task.id, ContainerExit(code: code, finishedAt: clock), now: start, wallClock: clock)
            #expect(reported(ended) == [state])
            #expect(agent[task.id]?.status.container?.exitCode == code)
        }
    }

    @Test mutating func aFailedPreparationIsRejectedWithItsError() {
        let task = task()
        _ = assign([.task(task)])
        let failure = Failure(.notFound, "no such image")
        #expect(
            reported(agent.onPrepared(task.id, .failure(failure), now: start, wallClock: clock)) == [.rejected])
        #expect(agent[task.id]?.status.error == "no such image")
    }

    @Test mutating func aTaskThatIsNoLongerAssignedIsStoppedAndRemoved() {
        let task = task()
        run(task)
        #expect(assign([], complete: true).last == .stop(task.id, signal: "", grace: .seconds(10)))
        let ended = agent.onExited(
            task.id, ContainerExit(code: 0, finishedAt: clock), now: start, wallClock: clock)
        #expect(ended.last == .remove(task.id))
        agent.onRemoved(task.id)
        #expect(agent.tasks.isEmpty)
    }

    @Test mutating func aRemovalThatFailedIsTriedAgainUntilNothingIsLeft() {
        let task = task()
        run(task)
        _ = assign([], complete: true)
        let ended = agent.onExited(task.id, ContainerExit(code: 0, finishedAt: clock), now: start, wallClock: clock)
        #expect(ended.last == .remove(task.id))
        agent.onRemovalFailed(task.id, now: start)
        #expect(agent[task.id]?.phase == .removing)
        #expect(agent.nextWakeUp == start + .seconds(1))
        #expect(agent.onTick(now: start + .seconds(1), wallClock: clock) == [.remove(task.id)])
        #expect(agent.nextWakeUp == nil)
        agent.onRemovalFailed(task.id, now: start + .seconds(1))
        #expect(agent.nextWakeUp == start + .seconds(3))
        agent.onRemoved(task.id)
        #expect(agent.tasks.isEmpty)
        #expect(agent.nextWakeUp == nil)
    }

    @Test mutating func aCompleteSetIsTakenOverWhole() {
        let first = task()
        let second = task()
        run(first)
        #expect(assign([.task(second)], complete: true, isLast: false).isEmpty)
        _ = assign([.task(first)], complete: true)
        #expect(agent[first.id]?.phase == .running)
        #expect(agent[second.id]?.phase == .preparing)
    }

    @Test mutating func anEndedTaskThatIsUnknownHereIsNotRunAgain() {
        let task = task { $0.status = TaskStatus(state: .failed) }
        #expect(assign([.task(task)]).isEmpty)
        #expect(agent.tasks.isEmpty)
    }

    @Test mutating func isServingOnlyOnceHealthyAndStoppedWhenUnhealthy() {
        let task = task {
            $0.spec.container.healthcheck = Healthcheck(test: ["CMD", "ok"], interval: .seconds(1), retries: 2)
        }
        run(task)
        #expect(agent[task.id]?.status.state == .starting)
        var now = start + .seconds(1)
        #expect(!agent.onTick(now: now, wallClock: clock).isEmpty)
        #expect(reported(agent.onHealthResult(task.id, exitCode: 0, now: now, wallClock: clock)) == [.running])
        #expect(agent[task.id]?.status.isServing == true)
        for _ in 0..<2 {
            now = now + .seconds(1)
            _ = agent.onTick(now: now, wallClock: clock)
            _ = agent.onHealthResult(task.id, exitCode: 1, now: now, wallClock: clock)
        }
        #expect(agent[task.id]?.phase == .stopping)
        let ended = agent.onExited(
            task.id, ContainerExit(code: 143, finishedAt: clock), now: now, wallClock: clock)
        #expect(reported(ended) == [.failed])
    }

    /// What the service leaves open is the image's; what it says is stronger.
    @Test mutating func theImagesHealthCheckIsTakenWhereTheServiceHasNone() {
        let image = Healthcheck(test: ["CMD", "image"], interval: .seconds(2), retries: 1)
        let cases: [(Healthcheck?, Healthcheck?)] = [
            (nil, image),
            (Healthcheck(test: ["CMD", "own"]), Healthcheck(test: ["CMD", "own"], interval: .seconds(2), retries: 1)),
            (Healthcheck(test: ["NONE"]), nil),
        ]
        for (own, expected) in cases {
            let task = task { $0.spec.container.healthcheck = own }
            _ = assign([.task(task)])
            _ = agent.onPrepared(
                task.id, .success(container), imageHealthcheck: image, now: start, wallClock: clock)
            _ = agent.onStarted(task.id, .success(container), now: start, wallClock: clock)
            #expect(agent[task.id]?.status.state == (expected == nil ? .running : .starting))
            let probes = agent.onTick(now: start + .seconds(2), wallClock: clock)
            #expect(probes == (expected.map { [.probe(task.id, $0, timeout: .seconds(30))] } ?? []))
        }
    }

    @Test mutating func aRestartedDaemonKeepsARunningTaskAndReportsAnEnd() {
        let running = task()
        let exited = task()
        run(running)
        run(exited)
        let records = agent.tasks
        agent = Agent()
        for record in records {
            let found: RestoredContainer =
                record.task.id == running.id ? .running(container) : .exited(ContainerExit(code: 9, finishedAt: clock))
            _ = agent.onRestored(record, found, now: start, wallClock: clock)
        }
        #expect(Set(reported(agent.onSession())) == [.running, .failed])
        #expect(agent[running.id]?.phase == .running)
        #expect(agent[exited.id]?.status.container?.exitCode == 9)
    }

    /// As a daemon that starts again finds it: the record, and the container running.
    private mutating func restart(_ record: TaskRecord) -> [Agent.Directive] {
        agent = Agent()
        return agent.onRestored(record, .running(container), now: start, wallClock: clock)
    }

    @Test mutating func aTaskThatStartedWhileTheDaemonWasAwayIsRunning() throws {
        let task = task()
        _ = assign([.task(task)])
        _ = agent.onPrepared(task.id, .success(container), now: start, wallClock: clock)
        let directives = restart(try #require(agent[task.id]))
        let record = try #require(agent[task.id])
        #expect(record.phase == .running)
        #expect(record.status.state == .running && record.status.isServing)
        #expect(directives.contains(.save(record)))
        #expect(reported(agent.onSession()) == [.running])
    }

    @Test mutating func aTaskThatStartedWhileTheDaemonWasAwayHasToPassItsHealthCheck() throws {
        let task = task {
            $0.spec.container.healthcheck = Healthcheck(test: ["CMD", "ok"], interval: .seconds(1), retries: 2)
        }
        _ = assign([.task(task)])
        _ = agent.onPrepared(task.id, .success(container), now: start, wallClock: clock)
        _ = restart(try #require(agent[task.id]))
        #expect(agent[task.id]?.status.state == .starting)
        #expect(agent[task.id]?.status.container?.health == .starting)
        let now = start + .seconds(1)
        _ = agent.onTick(now: now, wallClock: clock)
        #expect(reported(agent.onHealthResult(task.id, exitCode: 0, now: now, wallClock: clock)) == [.running])
    }

    @Test mutating func aRestartedDaemonGoesOnStoppingAndKeepsTheReason() throws {
        let task = task {
            $0.spec.container.healthcheck = Healthcheck(test: ["CMD", "ok"], interval: .seconds(1), retries: 1)
        }
        run(task)
        _ = agent.onTick(now: start + .seconds(1), wallClock: clock)
        _ = agent.onHealthResult(task.id, exitCode: 1, now: start + .seconds(1), wallClock: clock)
        let directives = restart(try #require(agent[task.id]))
        #expect(directives == [.stop(task.id, signal: "", grace: .seconds(10))])
        #expect(agent[task.id]?.phase == .stopping)
        let ended = agent.onExited(task.id, ContainerExit(code: 143, finishedAt: clock), now: start, wallClock: clock)
        #expect(reported(ended) == [.failed])
    }

    @Test mutating func aStopThatFailedIsTriedAgainLaterEachTime() {
        var task = task()
        run(task)
        task.desiredState = .shutdown
        let stop = Agent.Directive.stop(task.id, signal: "", grace: .seconds(10))
        #expect(assign([.task(task)]).last == stop)
        var now = start
        for delay in [1, 2, 4, 8, 16, 32, 60, 60] {
            #expect(agent.nextWakeUp == nil)
            agent.onStopFailed(task.id, now: now)
            #expect(agent.nextWakeUp == now + .seconds(delay))
            now = now + .seconds(delay)
            #expect(agent.onTick(now: now, wallClock: clock) == [stop])
        }
        _ = agent.onExited(task.id, ContainerExit(code: 0, finishedAt: clock), now: now, wallClock: clock)
        agent.onStopFailed(task.id, now: now)
        #expect(agent.nextWakeUp == nil)
    }
}
