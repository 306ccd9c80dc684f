import AgentCore
import ClusterModel
import Consensus
import Primitives

/// A worker's machine: its daemon, what it keeps on disk, and its containers, which outlast the daemon.
final class SimulatedAgent {
    struct Container {
        enum State: Equatable { case created, running, exited(Int32) }
        var state: State
    }

    let id: NodeID
    unowned let world: Simulation
    let description: NodeDescription
    /// Nil while the daemon is down.
    var daemon: Agent?
    var records: [TaskID: TaskRecord] = [:]
    var containers: [TaskID: Container] = [:]
    private var session: AgentSession?
    private var hint: UInt64?
    private var heartbeat: Duration = .seconds(5)
    private(set) var isRetired = false
    /// It was removed, and its machine is about to be emptied.
    var isLeaving = false
    /// No connection until then.
    var cutOffUntil: Microseconds = 0
    /// Managers that it does not reach, until when.
    var partedFrom: [RaftID: Microseconds] = [:]
    /// Counts the daemon's lives: what an earlier one had under way is no more.
    private(set) var life = 0
    private var reports: [(task: TaskID, status: TaskStatus)] = []
    private var plannedTick: Microseconds?

    init(_ id: NodeID, name: String, in world: Simulation) {
        self.id = id
        self.world = world
        description = NodeDescription(
            hostname: name, resources: Resources(nanoCPUs: 64_000_000_000, memoryBytes: 64 << 30))
    }

    var now: Instant { Instant(nanoseconds: UInt64(1_000_000_000_000 + world.now * 1000)) }
    var wallClock: Timestamp { Timestamp(nanoseconds: Int64(1_700_000_000_000_000 + world.now) * 1000) }

    // MARK: The daemon's life

    func start() {
        guard daemon == nil, !isRetired else { return }
        life += 1
        world.trace("agent \(description.hostname) starts")
        daemon = Agent()
        for (id, record) in records.sorted(by: { $0.key < $1.key }) {
            let container: RestoredContainer
            switch containers[id]?.state {
            case .running?: container = .running(ContainerStatus(containerID: "\(id)"))
            case .exited(let code)?: container = .exited(ContainerExit(code: code, finishedAt: wallClock))
            case .created?, nil:
                containers[id] = nil
                container = .none
            }
            act { $0.onRestored(record, container, now: now, wallClock: wallClock) }
        }
        connectLater()
    }

    /// - Parameter isReboot: its containers go too.
    func crash(isReboot: Bool) {
        guard daemon != nil else { return }
        world.trace("agent \(description.hostname) \(isReboot ? "reboots" : "is killed")")
        life += 1
        daemon = nil
        plannedTick = nil
        reports = []
        session?.breakUp()
        session = nil
        guard isReboot else { return }
        for id in containers.keys.sorted() {
            if world.chance.percent(50) { containers[id] = nil } else { containers[id]?.state = .exited(255) }
        }
    }

    func cutOff(until time: Microseconds) {
        cutOffUntil = time
        session?.breakUp()
    }

    /// The machine leaves the cluster for good, with all that it keeps.
    func retire() {
        crash(isReboot: false)
        containers = [:]
        records = [:]
        isRetired = true
    }

    func isParted(from manager: RaftID) -> Bool { partedFrom[manager].map { $0 > world.now } ?? false }

    // MARK: The session

    private func connectLater(_ delay: Microseconds? = nil) {
        let life = life
        world.scheduler.after(delay ?? world.chance.pick(50_000...800_000)) { [self] in
            guard life == self.life, session == nil else { return }
            connect()
        }
    }

    private func connect() {
        guard cutOffUntil <= world.now else { return connectLater() }
        let target = hint.flatMap { world.manager($0) } ?? world.chance.pick(world.managers)
        hint = nil
        guard let process = target?.process, process.suspendedUntil <= world.now, !isParted(from: process.id) else {
            return connectLater()
        }
        guard let duties = process.duties, !duties.isOver else {
            hint = process.node.leader
            return connectLater(hint == nil ? nil : 10_000)
        }
        let session = AgentSession(self, with: duties, in: world)
        self.session = session
        world.coverage.note(.agentRegistered)
        duties.register(session, description)
        act { $0.onSession() }
        beat(session)
    }

    private func beat(_ session: AgentSession) {
        world.scheduler.after(Int(heartbeat.wholeMilliseconds) * 1000) { [self] in
            guard session.isOpen, self.session === session else { return }
            session.submit { duties, id in duties.heartbeat(id) }
            beat(session)
        }
    }

    func sessionEnded(_ ended: AgentSession) {
        guard session === ended else { return }
        session = nil
        if daemon != nil { connectLater() }
    }

    func take(_ message: AssignmentMessage) {
        heartbeat = message.heartbeatPeriod
        act { $0.onAssignments(message, now: now, wallClock: wallClock) }
    }

    // MARK: Directives

    /// Lets something happen to the daemon, and performs what follows.
    func act(_ event: (inout Agent) -> [Agent.Directive]) {
        guard var running = daemon else { return }
        daemon = nil
        let directives = event(&running)
        daemon = running
        for directive in directives { perform(directive) }
        planTick()
    }

    func later(_ range: ClosedRange<Int>, _ body: @escaping () -> Void) {
        let life = life
        world.scheduler.after(world.chance.pick(range) * 1000) { [self] in if life == self.life { body() } }
    }

    func report(_ task: TaskID, _ status: TaskStatus) {
        guard let session else { return }
        reports.append((task, status))
        guard reports.count == 1 else { return }
        later(0...5) { [self] in
            let batch = reports
            reports = []
            session.submit { duties, id in duties.statuses(id, batch) }
        }
    }

    private func planTick() {
        guard let wakeUp = daemon?.nextWakeUp else { return }
        let time = max(world.now, Int((wakeUp - now).wholeNanoseconds / 1000) + 1 + world.now)
        if let plannedTick, plannedTick <= time { return }
        plannedTick = time
        let life = life
        world.scheduler.after(time - world.now) { [self] in
            guard life == self.life, plannedTick == time else { return }
            plannedTick = nil
            act { $0.onTick(now: now, wallClock: wallClock) }
        }
    }
}
