import AgentCore
import Assignments
import ClusterMessages
import ClusterModel
import ClusterState
import Consensus
import Orchestration
import Primitives

/// What a manager does while it leads: runs the control loops and talks to the agents. The order of work is that of the
/// `Leader` of real machines.
final class LeaderDuties {
    private static let tick: Microseconds = 100_000
    private static let batch: Microseconds = 50_000
    private static let retry: Microseconds = 50_000

    private struct Loop {
        let kind: ControlLoopKind
        var loop: any ControlLoop
        /// nil: look at everything.
        var pending: [StateChange]?
        var wakeAt: Timestamp?

        func isDue(_ now: Timestamp) -> Bool {
            guard let pending else { return true }
            return !pending.isEmpty || wakeAt.map { $0 <= now } ?? false
        }
    }

    private unowned let world: Simulation
    private let process: ManagerProcess
    let term: Term
    private(set) var isOver = false
    private var loops = ControlLoopKind.allCases.map {
        Loop(kind: $0, loop: $0.makeLoop(hostRoutes: [], mtu: 1398), pending: nil)
    }
    private var mailbox: [StateChange] = []
    private var isWorking = false
    private var isKnocked = false
    private var dispatcher = Dispatcher()
    private var sessions: [SessionID: AgentSession] = [:]
    private var nextSession: UInt64 = 0
    private var observations: [Change] = []
    private var isWriting = false
    private var isFlushDue = false

    init(_ process: ManagerProcess, term: Term, in world: Simulation) {
        self.process = process
        self.term = term
        self.world = world
    }

    var manager: RaftID { process.id }
    private var tables: ClusterTables { process.tables }
    private var now: Instant { Instant(nanoseconds: UInt64(1_000_000_000_000 + world.now * 1000)) }
    private var wallClock: Timestamp { world.wallClock(of: process.id) }

    func start() {
        perform(dispatcher.onLeadership(tables, now: now))
        knock()
        tickLater()
    }

    func end() {
        isOver = true
        for (_, session) in sessions.sorted(by: { $0.key < $1.key }) { session.close() }
        sessions = [:]
    }

    /// What was applied here.
    func push(_ changes: [StateChange]) {
        if changes.isEmpty { return }
        mailbox += changes
        knock()
    }

    // MARK: Control loops

    private func tickLater() {
        world.scheduler.after(Self.tick) { [self] in
            if isOver { return }
            if process.pausedUntil <= world.now { knock() }
            tickLater()
        }
    }

    private func knock() {
        if isOver || isKnocked || isWorking {
            isKnocked = !isOver
            return
        }
        isKnocked = true
        world.scheduler.after(world.chance.pick(50...1_000)) { [self] in
            if isOver { return }
            isKnocked = false
            isWorking = true
            takeChanges()
            perform(dispatcher.onTick(tables: tables, now: now, wallClock: wallClock))
            runLoops(from: 0)
        }
    }

    private func takeChanges() {
        let changes = mailbox
        mailbox = []
        for index in loops.indices { loops[index].pending?.append(contentsOf: changes) }
        perform(dispatcher.onChanges(changes, tables: tables))
        scheduleFlush()
    }

    private func runLoops(from first: Int) {
        for index in first..<loops.count where loops[index].isDue(wallClock) {
            if run(index, then: { [self] in runLoops(from: index + 1) }) { return }
        }
        isWorking = false
        if isKnocked {
            isKnocked = false
            knock()
        }
    }

    /// One loop on the state as it is, and its transactions to their end.
    ///
    /// - Returns: whether there are any; `next` is called when all are answered.
    private func run(_ index: Int, then next: @escaping () -> Void) -> Bool {
        let output = loops[index].loop.run(
            tables, changes: loops[index].pending, now: wallClock, random: &world.chance.random)
        loops[index].pending = []
        loops[index].wakeAt = output.wakeAt
        if output.transactions.isEmpty { return false }
        world.coverage.note(.loopWrote)
        var open = output.transactions.count
        var wasRefused = false
        for transaction in output.transactions {
            propose(transaction) { [self] isDone in
                open -= 1
                wasRefused = wasRefused || !isDone
                guard open == 0, !isOver else { return }
                if wasRefused {
                    world.coverage.note(.loopWasRefused)
                    loops[index].pending = nil
                }
                takeChanges()
                #if !MUTANT_TRANSACTION_IN_FLIGHT_IGNORED
                    next()
                #endif
            }
        }
        #if MUTANT_TRANSACTION_IN_FLIGHT_IGNORED
            loops[index].pending = nil
            return false
        #endif
        return true
    }

    private func propose(_ transaction: Transaction, _ completion: @escaping (Bool) -> Void) {
        process.push(
            .propose(transaction.encoded()) { outcome in
                if case .applied = outcome { completion(true) } else { completion(false) }
            })
    }

    // MARK: Sessions

    func register(_ session: AgentSession, _ description: NodeDescription) {
        nextSession += 1
        let id = SessionID(value: nextSession)
        session.id = id
        if tables.roster.isRevoked(session.node) { world.coverage.note(.removedNodeTurnedAway) }
        sessions[id] = session
        perform(
            dispatcher.onRegister(
                id, node: session.node, description: description, address: "192.0.2.1", tables: tables, now: now,
                wallClock: wallClock))
    }

    func heartbeat(_ id: SessionID) {
        if !isOver { dispatcher.onHeartbeat(id, now: now) }
    }

    func statuses(_ id: SessionID, _ statuses: [(task: TaskID, status: TaskStatus)]) {
        if !isOver { perform(dispatcher.onStatuses(id, statuses, tables: tables)) }
    }

    func disconnect(_ id: SessionID) {
        if isOver { return }
        dispatcher.onDisconnect(id)
        sessions[id] = nil
    }

    // MARK: Directives

    private func perform(_ directives: [Dispatcher.Directive]) {
        for directive in directives {
            switch directive {
            case .send(let id, let message): sessions[id]?.send(message)
            case .close(let id, _), .fence(let id, _): sessions.removeValue(forKey: id)?.close()
            case .write(let changes):
                observations += changes
                writeObservations()
            }
        }
    }

    private func scheduleFlush() {
        guard dispatcher.hasUnsentChanges, !isFlushDue else { return }
        isFlushDue = true
        world.scheduler.after(Self.batch) { [self] in
            if isOver { return }
            isFlushDue = false
            perform(dispatcher.flush(tables: tables))
        }
    }

    /// One batch at a time; what arrives meanwhile goes with the next.
    private func writeObservations() {
        guard !isWriting, !observations.isEmpty, !isOver else { return }
        isWriting = true
        var packer = TransactionPacker()
        for change in observations where !packer.add([change]) { break }
        let batch = packer.take()
        propose(Transaction(batch, time: wallClock)) { [self] isDone in
            if isOver { return }
            if isDone { observations.removeFirst(batch.count) }
            world.scheduler.after(isDone ? 0 : Self.retry) { [self] in
                isWriting = false
                writeObservations()
            }
        }
    }
}
