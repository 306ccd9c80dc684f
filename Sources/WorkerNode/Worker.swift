import AgentCore
public import ClusterModel
import LinuxSystem
public import Logging
public import Primitives

/// A node's agent: keeps its tasks as the managers want them, with or without a connection to them.
public actor Worker {
    private let runtime: any TaskRuntime
    private let log: Logger
    private var agent = Agent()
    private var work: [TaskID: Task<Void, Never>] = [:]
    private var waits: [TaskID: Task<Void, Never>] = [:]
    private var alarm: (at: Instant, task: Task<Void, Never>)?
    private var session: AsyncStream<AgentReport>.Continuation?
    private var sentView: NetworkView?
    private var isUpdatingNetworks = false

    /// Where managers were last heard to be, `HOST:PORT`.
    public private(set) var managers: [String]
    private(set) var heartbeatPeriod = Duration.seconds(5)
    private let onManagers: @Sendable ([String]) -> Void

    /// What goes up to the managers.
    enum AgentReport: Sendable {
        case status(TaskID, TaskStatus)
        case heartbeat
    }

    /// - Parameter onManagers: keeps the list of managers for the next start.
    public init(
        runtime: any TaskRuntime, managers: [String], log: Logger,
        onManagers: @escaping @Sendable ([String]) -> Void
    ) {
        self.runtime = runtime
        self.managers = managers
        self.log = log
        self.onManagers = onManagers
    }

    /// Picks up what an earlier run of the daemon left. To be called once, before any session.
    public func restore() async throws {
        for (record, container) in try await runtime.restore() {
            let id = record.task.id
            perform(agent.onRestored(record, container, now: Clock.now, wallClock: Clock.wallTime))
            if case .running = container { watch(id) }
        }
    }

    public var taskIDs: [TaskID] { agent.tasks.map(\.task.id) }

    /// Lets go of all work; containers stay as they are.
    public func stop() {
        for task in work.values { task.cancel() }
        for task in waits.values { task.cancel() }
        alarm?.task.cancel()
        session?.finish()
    }

    // MARK: Sessions

    /// A session begins: returns what is to be sent in it.
    func beginSession() -> AsyncStream<AgentReport> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: AgentReport.self, bufferingPolicy: .bufferingOldest(WorkerLimits.outgoingMessages))
        session?.finish()
        session = continuation
        perform(agent.onSession())
        return stream
    }

    func endSession() {
        session?.finish()
        session = nil
    }

    func heartbeat() { report(.heartbeat) }

    /// Where managers are to be found from now on; nothing where none is named.
    public func follow(_ known: [String]) {
        guard !known.isEmpty, known != managers else { return }
        managers = known
        onManagers(managers)
    }

    func take(_ message: AssignmentMessage) {
        heartbeatPeriod = message.heartbeatPeriod
        follow(message.managers)
        perform(agent.onAssignments(message, now: Clock.now, wallClock: Clock.wallTime))
        updateNetworks()
    }

    private func report(_ report: AgentReport) {
        guard let session else { return }
        if case .dropped = session.yield(report) {
            log.warning("the manager does not keep up with this node's reports: starting a new session")
            endSession()
        }
    }

    // MARK: Networks

    private func updateNetworks() {
        let view = NetworkView(
            networks: agent.networks.values.sorted { $0.id < $1.id },
            endpoints: agent.endpoints.sorted { $0.key < $1.key }.map(\.value),
            peers: agent.peers.values.sorted { $0.node < $1.node })
        guard !isUpdatingNetworks, view != sentView else { return }
        isUpdatingNetworks = true
        sentView = view
        // One at a time; what changed meanwhile follows at once.
        Task {
            do {
                try await runtime.update(view)
            } catch {
                log.error("networks: \(error)")
                sentView = nil
            }
            isUpdatingNetworks = false
            if sentView != nil { updateNetworks() }
        }
    }

    // MARK: Directives

    private func perform(_ directives: [Agent.Directive]) {
        for directive in directives { perform(directive) }
        setAlarm()
    }

    private func perform(_ directive: Agent.Directive) {
        switch directive {
        case .prepare(let task, let secrets, let configs): prepare(task, secrets, configs)
        case .cancelPreparation(let id): work[id]?.cancel()
        case .start(let id): start(id)
        case .probe(let id, let check, let timeout):
            run { [runtime] in
                let code = await runtime.probe(id, check, timeout: timeout)
                await self.probed(id, code)
            }
        case .stop(let id, let signal, let grace):
            run { [runtime, log] in
                do {
                    try await runtime.stop(id, signal: signal, grace: grace)
                } catch {
                    log.error("cannot stop task \(id), trying again: \(error)")
                    await self.stopFailed(id)
                }
            }
            // A container that was never started has nobody waiting for it.
            if waits[id] == nil { watch(id) }
        case .remove(let id):
            run { [runtime, log] in
                do {
                    try await runtime.remove(id)
                    await self.removed(id)
                } catch {
                    log.error("cannot remove task \(id), trying again: \(error)")
                    await self.removalFailed(id)
                }
            }
        case .save(let record):
            do {
                try runtime.save(record)
            } catch { log.error("cannot keep the record of task \(record.task.id): \(error)") }
        case .report(let id, let status): report(.status(id, status))
        }
    }

    /// Work of the agent's; it ends by itself, and comes back as an event.
    private func run(_ body: @escaping @Sendable () async -> Void) { Task { await body() } }

    private func prepare(_ task: ClusterTask, _ secrets: [Secret], _ configs: [Config]) {
        work[task.id] = Task { [runtime] in
            let result: Result<PreparedContainer, Failure>
            do {
                result = .success(try await runtime.prepare(task, secrets: secrets, configs: configs))
            } catch { result = .failure(Failure(wrapping: error)) }
            self.prepared(task.id, result)
        }
    }

    private func prepared(_ id: TaskID, _ result: Result<PreparedContainer, Failure>) {
        work[id] = nil
        perform(
            agent.onPrepared(
                id, result.map(\.status), imageHealthcheck: (try? result.get())?.imageHealthcheck,
                now: Clock.now, wallClock: Clock.wallTime))
    }

    private func start(_ id: TaskID) {
        run { [runtime] in
            let result: Result<ContainerStatus, Failure>
            do {
                result = .success(try await runtime.start(id))
            } catch { result = .failure(Failure(wrapping: error)) }
            await self.started(id, result)
        }
    }

    private func started(_ id: TaskID, _ result: Result<ContainerStatus, Failure>) {
        perform(agent.onStarted(id, result, now: Clock.now, wallClock: Clock.wallTime))
        if case .success = result { watch(id) }
    }

    private func watch(_ id: TaskID) {
        guard waits[id] == nil else { return }
        waits[id] = Task { [runtime, log] in
            do {
                let exit = try await runtime.waitForExit(of: id)
                self.exited(id, exit)
            } catch {
                if Task.isCancelled { return }
                log.error("lost task \(id): \(error)")
                self.exited(id, ContainerExit(code: 255, finishedAt: Clock.wallTime))
            }
        }
    }

    private func exited(_ id: TaskID, _ exit: ContainerExit) {
        waits[id] = nil
        perform(agent.onExited(id, exit, now: Clock.now, wallClock: Clock.wallTime))
    }

    private func probed(_ id: TaskID, _ code: Int32?) {
        perform(agent.onHealthResult(id, exitCode: code, now: Clock.now, wallClock: Clock.wallTime))
    }

    private func stopFailed(_ id: TaskID) {
        agent.onStopFailed(id, now: Clock.now)
        setAlarm()
    }

    private func removalFailed(_ id: TaskID) {
        agent.onRemovalFailed(id, now: Clock.now)
        setAlarm()
    }

    private func removed(_ id: TaskID) {
        agent.onRemoved(id)
        setAlarm()
    }

    private func setAlarm() {
        guard let next = agent.nextWakeUp else { return }
        if let alarm, alarm.at <= next, alarm.at > Clock.now { return }
        alarm?.task.cancel()
        let task = Task {
            try? await Task.sleep(for: next - Clock.now)
            if !Task.isCancelled { ring() }
        }
        alarm = (next, task)
    }

    private func ring() {
        alarm = nil
        perform(agent.onTick(now: Clock.now, wallClock: Clock.wallTime))
    }
}

extension Failure {
    init(wrapping error: any Error) {
        self = error as? Failure ?? Failure(.internal, "\(error)")
    }
}
