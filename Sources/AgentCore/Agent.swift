public import ClusterModel
public import Primitives

/// A node's task machine: compares what managers want with what was observed and says what to do next.
///
/// An Instance: no I/O. Every event returns the directives that the shell performs, in order.
public struct Agent: Sendable {
    public enum Directive: Hashable, Sendable {
        /// Pull the image, make volumes and network, create the container without starting it → ``onPrepared``.
        case prepare(ClusterTask, [Secret], [Config])
        /// A preparation is not wanted any more; it ends with ``onPrepared`` all the same.
        case cancelPreparation(TaskID)
        /// Let the created container run → ``onStarted``, and after its end ``onExited``.
        case start(TaskID)
        /// Run the health check → ``onHealthResult``.
        case probe(TaskID, Healthcheck, timeout: Duration)
        /// Signal, wait for the grace period, kill → ``onExited``.
        case stop(TaskID, signal: String, grace: Duration)
        /// Remove the container and all it left → ``onRemoved``, or ``onRemovalFailed(_:now:)``.
        case remove(TaskID)
        /// Keep this record across a restart of the daemon.
        case save(TaskRecord)
        /// Tell the managers.
        case report(TaskID, TaskStatus)
    }

    private var records: [TaskID: TaskRecord] = [:]
    private var secrets: [SecretID: Secret] = [:]
    private var configs: [ConfigID: Config] = [:]
    private var health: [TaskID: HealthMonitor] = [:]
    /// How often in a row a container could not be stopped or removed, and when that is tried again.
    private var failures: [TaskID: (count: Int, retryAt: Instant?)] = [:]
    /// Parts of a complete set until its last one is here.
    private var incoming: [AssignmentItem]?

    public private(set) var networks: [NetworkID: Network] = [:]
    public private(set) var endpoints: [AssignmentKey: NetworkEndpoint] = [:]
    public private(set) var peers: [NodeID: OverlayPeer] = [:]

    public init() {}

    public var tasks: [TaskRecord] { records.values.sorted { $0.task.id < $1.task.id } }
    public subscript(task: TaskID) -> TaskRecord? { records[task] }

    /// The next time at which ``onTick(now:wallClock:)`` has something to do.
    public var nextWakeUp: Instant? {
        let drains = records.values.compactMap { record in
            if case .draining(let until) = record.phase { until } else { nil }
        }
        return (drains + health.values.compactMap(\.nextProbeAt) + failures.values.compactMap(\.retryAt)).min()
    }

    // MARK: Start and sessions

    /// A task that an earlier run of the daemon left, with what has become of its container.
    public mutating func onRestored(
        _ record: TaskRecord, _ container: RestoredContainer, now: Instant, wallClock: Timestamp
    ) -> [Directive] {
        var record = record
        switch container {
        case .running(let status):
            records[record.task.id] = record
            return resume(record, status, now: now, wallClock: wallClock)
        case .exited(let exit):
            records[record.task.id] = record
            return record.phase == .ended
                ? [] : onExited(record.task.id, exit, now: now, wallClock: wallClock)
        case .none:
            if record.phase != .ended {
                record.phase = .ended
                record.status = TaskStatus(
                    state: .failed, timestamp: wallClock, message: "lost",
                    error: "the container was gone when swarmd started again", container: record.status.container)
            }
            records[record.task.id] = record
            return [.save(record)]
        }
    }

    /// A container that went on while no daemon was here.
    private mutating func resume(
        _ record: TaskRecord, _ container: ContainerStatus, now: Instant, wallClock: Timestamp
    ) -> [Directive] {
        let id = record.task.id
        if record.phase == .stopping {
            // Nobody knows whether the signal was sent. The health says later whether the end is a failure.
            let health = record.status.container?.health ?? .none
            records[id]?.status.container = container
            records[id]?.status.container?.health = health
            return [stopDirective(record)]
        }
        monitorHealth(of: record, now: now)
        var status = record.status
        if status.state < .running {
            // Started, but the daemon ended before it could say so.
            status = startedStatus(id, container, wallClock)
        } else {
            status.container = container
            if health[id] != nil { status.container?.health = .starting }
        }
        return move(id, to: .running, status) + reconcile(id, now: now, wallClock: wallClock)
    }

    /// A session with a manager began: it is told where every task stands.
    public mutating func onSession() -> [Directive] {
        incoming = nil
        return tasks.map { .report($0.task.id, $0.status) }
    }

    /// What a manager wants, or a change of it.
    public mutating func onAssignments(_ message: AssignmentMessage, now: Instant, wallClock: Timestamp) -> [Directive]
    {
        switch message.kind {
        case .complete:
            incoming = (incoming ?? []) + message.updates
            guard message.isLast, let items = incoming else { return [] }
            incoming = nil
            let keys = Set(items.map(\.key))
            let gone = heldKeys.filter { !keys.contains($0) }
            return take(items, removals: gone, now: now, wallClock: wallClock)
        case .incremental:
            return take(message.updates, removals: message.removals, now: now, wallClock: wallClock)
        }
    }

    private var heldKeys: [AssignmentKey] {
        let held =
            records.keys.map(AssignmentKey.task) + secrets.keys.map(AssignmentKey.secret)
            + configs.keys.map(AssignmentKey.config) + networks.keys.map(AssignmentKey.network) + Array(endpoints.keys)
            + peers.keys.map(AssignmentKey.peer)
        return held.sorted()
    }

    private mutating func take(
        _ items: [AssignmentItem], removals: [AssignmentKey], now: Instant, wallClock: Timestamp
    ) -> [Directive] {
        var touched: [TaskID] = []
        var directives: [Directive] = []
        // What tasks need comes before the tasks.
        for item in items {
            switch item {
            case .secret(let secret): secrets[secret.id] = secret
            case .config(let config): configs[config.id] = config
            case .network(let network): networks[network.id] = network
            case .endpoint(let endpoint): endpoints[item.key] = endpoint
            case .peer(let peer): peers[peer.node] = peer
            case .task: break
            }
        }
        for case .task(let task) in items {
            directives += accept(task, wallClock: wallClock)
            touched.append(task.id)
        }
        for key in removals {
            switch key {
            case .secret(let id): secrets[id] = nil
            case .config(let id): configs[id] = nil
            case .network(let id): networks[id] = nil
            case .endpoint: endpoints[key] = nil
            case .peer(let id): peers[id] = nil
            case .task(let id):
                records[id]?.isForgotten = true
                touched.append(id)
            }
        }
        return directives + touched.flatMap { reconcile($0, now: now, wallClock: wallClock) }
    }

    private mutating func accept(_ task: ClusterTask, wallClock: Timestamp) -> [Directive] {
        if var record = records[task.id] {
            record.task = task
            record.isForgotten = false
            records[task.id] = record
            return [.save(record)]
        }
        // An end that this agent no longer knows of: nothing is here, and nothing may be started.
        if task.status.state.isTerminal { return [] }
        let record = TaskRecord(
            task: task, phase: .accepted,
            status: TaskStatus(state: .accepted, timestamp: wallClock, message: "accepted"))
        records[task.id] = record
        return [.save(record), .report(task.id, record.status)]
    }

    // MARK: Results

    /// - Parameter imageHealthcheck: what the image says of its health.
    public mutating func onPrepared(
        _ id: TaskID, _ result: Result<ContainerStatus, Failure>, imageHealthcheck: Healthcheck? = nil, now: Instant,
        wallClock: Timestamp
    ) -> [Directive] {
        guard let record = records[id], record.phase == .preparing else { return [] }
        if let imageHealthcheck {
            records[id]?.healthcheck = (record.healthcheck ?? Healthcheck(test: [])).completed(by: imageHealthcheck)
        }
        switch result {
        case .success(let container):
            let status = TaskStatus(state: .ready, timestamp: wallClock, message: "prepared", container: container)
            return move(id, to: .prepared, status) + reconcile(id, now: now, wallClock: wallClock)
        case .failure(let failure):
            let isWanted = record.task.desiredState <= .running && !record.isForgotten
            let status = TaskStatus(
                state: isWanted ? .rejected : .shutdown, timestamp: wallClock, message: "preparing",
                error: isWanted ? failure.description : "")
            return move(id, to: .ended, status) + reconcile(id, now: now, wallClock: wallClock)
        }
    }

    public mutating func onStarted(
        _ id: TaskID, _ result: Result<ContainerStatus, Failure>, now: Instant, wallClock: Timestamp
    ) -> [Directive] {
        guard let record = records[id], record.phase == .starting else { return [] }
        switch result {
        case .success(let container):
            monitorHealth(of: record, now: now)
            return move(id, to: .running, startedStatus(id, container, wallClock))
                + reconcile(id, now: now, wallClock: wallClock)
        case .failure(let failure):
            let status = TaskStatus(
                state: .failed, timestamp: wallClock, message: "starting", error: failure.description,
                container: record.status.container)
            return move(id, to: .ended, status) + reconcile(id, now: now, wallClock: wallClock)
        }
    }

    /// The status of a container that has just started; one with a health check has still to pass it.
    private func startedStatus(_ id: TaskID, _ container: ContainerStatus, _ wallClock: Timestamp) -> TaskStatus {
        let isHealthy = health[id] == nil
        var container = container
        container.health = isHealthy ? .none : .starting
        return TaskStatus(
            state: isHealthy ? .running : .starting, timestamp: wallClock,
            message: isHealthy ? "started" : "waiting for the first healthy check", container: container,
            isServing: isHealthy)
    }

    /// A health check's exit code; nil when it could not be run or took too long.
    public mutating func onHealthResult(
        _ id: TaskID, exitCode: Int32?, now: Instant, wallClock: Timestamp
    ) -> [Directive] {
        guard let record = records[id], record.phase == .running else { return [] }
        health[id]?.onResult(exitCode: exitCode, now: now)
        guard let state = health[id]?.state, var container = record.status.container, container.health != state else {
            return []
        }
        container.health = state
        var status = record.status
        status.container = container
        status.timestamp = wallClock
        switch state {
        case .healthy:
            status.state = .running
            status.isServing = true
            status.message = "started"
            return move(id, to: .running, status)
        case .unhealthy:
            status.isServing = false
            status.error = "unhealthy container"
            return move(id, to: .stopping, status) + [stopDirective(record)]
        case .none, .starting:
            return move(id, to: .running, status)
        }
    }

    public mutating func onExited(
        _ id: TaskID, _ exit: ContainerExit, now: Instant, wallClock: Timestamp
    ) -> [Directive] {
        guard let record = records[id], record.phase != .ended else { return [] }
        health[id] = nil
        failures[id] = nil
        var status = TaskStatus(
            state: .shutdown, timestamp: exit.finishedAt, message: "finished", container: record.status.container)
        status.container?.exitCode = exit.code
        status.container?.pid = 0
        let wasUnhealthy = record.status.container?.health == .unhealthy
        if wasUnhealthy {
            status.state = .failed
            status.error = "task: unhealthy container (exit \(exit.code))"
        } else if record.isWantedRunning {
            status.state = exit.code == 0 ? .complete : .failed
            status.error = exit.code == 0 ? "" : "task: non-zero exit (\(exit.code))"
            if exit.wasOutOfMemory { status.error += ": out of memory" }
        }
        return move(id, to: .ended, status) + reconcile(id, now: now, wallClock: wallClock)
    }

    /// The container could not be told to stop: it is told again, later each time.
    public mutating func onStopFailed(_ id: TaskID, now: Instant) {
        if records[id]?.phase == .stopping { repeatLater(id, now: now) }
    }

    /// The container may still be there: its record stays until it is not.
    public mutating func onRemovalFailed(_ id: TaskID, now: Instant) {
        if records[id]?.phase == .removing { repeatLater(id, now: now) }
    }

    private mutating func repeatLater(_ id: TaskID, now: Instant) {
        let count = failures[id]?.count ?? 0
        let delay = min(
            Duration.seconds(AgentLimits.retrySeconds << min(count, 16)),
            .seconds(AgentLimits.retryCeilingSeconds))
        failures[id] = (count + 1, now + delay)
    }

    public mutating func onRemoved(_ id: TaskID) {
        records[id] = nil
        health[id] = nil
        failures[id] = nil
    }

    public mutating func onTick(now: Instant, wallClock: Timestamp) -> [Directive] {
        var directives: [Directive] = []
        for record in tasks {
            let id = record.task.id
            if case .draining(let until) = record.phase, until <= now {
                directives += move(id, to: .stopping, record.status) + [stopDirective(record)]
            }
            if let retryAt = failures[id]?.retryAt, retryAt <= now {
                failures[id]?.retryAt = nil
                directives.append(record.phase == .removing ? .remove(id) : stopDirective(record))
            }
            for case .probe(let timeout) in health[id]?.onTick(now: now) ?? [] {
                guard let check = record.healthcheck else { continue }
                directives.append(.probe(id, check, timeout: timeout))
            }
        }
        return directives
    }

    // MARK: Moving on

    /// The next step towards what is wanted of the task.
    private mutating func reconcile(_ id: TaskID, now: Instant, wallClock: Timestamp) -> [Directive] {
        guard let record = records[id] else { return [] }
        switch (record.phase, record.isWantedRunning) {
        case (.accepted, true):
            let container = record.task.spec.container
            let status = TaskStatus(state: .preparing, timestamp: wallClock, message: "preparing")
            return move(id, to: .preparing, status) + [
                .prepare(
                    record.task, container.secrets.compactMap { secrets[$0.id] },
                    container.configs.compactMap { configs[$0.id] })
            ]
        case (.prepared, true):
            guard record.task.desiredState == .running else { return [] }
            let status = TaskStatus(
                state: .starting, timestamp: wallClock, message: "starting", container: record.status.container)
            return move(id, to: .starting, status) + [.start(id)]
        case (.accepted, false):
            return move(id, to: .ended, TaskStatus(state: .shutdown, timestamp: wallClock, message: "shutdown"))
                + reconcile(id, now: now, wallClock: wallClock)
        case (.preparing, false): return [.cancelPreparation(id)]
        case (.prepared, false): return move(id, to: .stopping, record.status) + [stopDirective(record)]
        case (.running, false): return withdraw(record, now: now, wallClock: wallClock)
        case (.ended, _):
            guard record.isForgotten else { return [] }
            records[id]?.phase = .removing
            return [.remove(id)]
        case (.preparing, true), (.starting, _), (.running, true), (.draining, _), (.stopping, _), (.removing, _):
            return []
        }
    }

    /// Names and ports stop leading to the task before it is told to stop, so that no request is lost.
    private mutating func withdraw(_ record: TaskRecord, now: Instant, wallClock: Timestamp) -> [Directive] {
        let id = record.task.id
        var status = record.status
        status.isServing = false
        status.timestamp = wallClock
        let isReachable = record.status.isServing && (!record.task.networks.isEmpty || !record.task.ports.isEmpty)
        guard isReachable else { return move(id, to: .stopping, status) + [stopDirective(record)] }
        status.message = "withdrawn, draining"
        return move(id, to: .draining(until: now + .seconds(AgentLimits.drainSeconds)), status)
    }

    private func stopDirective(_ record: TaskRecord) -> Directive {
        let container = record.task.spec.container
        return .stop(record.task.id, signal: container.stopSignal, grace: container.stopGracePeriod)
    }

    private mutating func move(_ id: TaskID, to phase: TaskRecord.Phase, _ status: TaskStatus) -> [Directive] {
        guard var record = records[id] else { return [] }
        let isNews = record.status != status
        record.phase = phase
        record.status = status
        records[id] = record
        return [.save(record)] + (isNews ? [.report(id, status)] : [])
    }

    private mutating func monitorHealth(of record: TaskRecord, now: Instant) {
        health[record.task.id] = HealthMonitor(record.healthcheck, startedAt: now)
    }
}
