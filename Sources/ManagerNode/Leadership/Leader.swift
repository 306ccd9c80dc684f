import Assignments
import ClusterModel
import ClusterState
import LinuxSystem
import Logging
import Orchestration
import Primitives

/// What a manager does while it leads: runs the control loops and talks to the agents.
///
/// Made anew for each term: everything that must outlast it is in the log.
actor Leader {
    typealias Propose = @Sendable (Transaction) async throws -> Void

    private struct Loop {
        let kind: ControlLoopKind
        var loop: any ControlLoop
        /// nil: look at everything.
        var pending: [StateChange]?
        var wakeAt: Timestamp?
        /// Runs in a row with a refused transaction, and with refused ones alone: those make it rest.
        var refusals = 0
        var hopelessRuns = 0
        var restsUntil = Instant(nanoseconds: 0)

        func isDue(_ now: Timestamp, _ instant: Instant) -> Bool {
            if restsUntil > instant { return false }
            guard let pending else { return true }
            return !pending.isEmpty || wakeAt.map { $0 <= now } ?? false
        }
    }

    private let replica: Replica
    private let propose: Propose
    private let log: Logger
    private let mailbox = ChangeMailbox()
    private var loops: [Loop]
    private var random: SeededRandom
    private var dispatcher = Dispatcher()
    private var sessions: [SessionID: AsyncStream<SessionEvent>.Continuation] = [:]
    private var nextSession: UInt64 = 0
    private var observations = ObservationQueue()
    private var isWritingObservations = false
    private var isFlushDue = false
    private var hasEnded = false

    /// What an agent is told.
    enum SessionEvent: Sendable {
        case heartbeatAnswer
        case assignments(AssignmentMessage)
        case end(reason: String, isFenced: Bool = false)
    }

    init(
        replica: Replica, hostRoutes: [IPv4Network], mtu: UInt16, seed: UInt64, log: Logger,
        propose: @escaping Propose
    ) {
        self.replica = replica
        self.propose = propose
        self.log = log
        random = SeededRandom(seed: seed)
        loops = ControlLoopKind.allCases.map {
            Loop(kind: $0, loop: $0.makeLoop(hostRoutes: hostRoutes, mtu: mtu), pending: nil)
        }
    }

    /// Runs until cancelled: at the end of the term.
    func run() async {
        let observer = replica.observe { [mailbox] changes, _ in mailbox.push(changes) }
        defer { replica.endObservation(observer) }
        perform(dispatcher.onLeadership(replica.tables, now: Clock.now))
        await withDiscardingTaskGroup { group in
            group.addTask { [mailbox] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: ManagerLimits.leaderTick)
                    mailbox.knock()
                }
            }
            await orchestrate()
            group.cancelAll()
        }
        end()
    }

    private func end() {
        hasEnded = true
        for session in sessions.values {
            session.yield(.end(reason: "this manager no longer leads"))
            session.finish()
        }
        sessions = [:]
    }

    // MARK: Control loops

    private func orchestrate() async {
        mailbox.knock()
        for await _ in mailbox.bell.rings {
            if Task.isCancelled { return }
            takeChanges()
            let tables = replica.tables
            perform(
                dispatcher.onTick(
                    tables: tables, now: Clock.now, wallClock: Clock.wallTime))
            for index in loops.indices where loops[index].isDue(Clock.wallTime, Clock.now) {
                await run(index)
                takeChanges()
            }
        }
    }

    private func takeChanges() {
        let changes = mailbox.take()
        for index in loops.indices {
            if let changes {
                loops[index].pending?.append(contentsOf: changes)
            } else {
                loops[index].pending = nil
            }
        }
        let tables = replica.tables
        perform(dispatcher.onChanges(changes ?? [StateChange(before: nil, after: nil)], tables: tables))
        scheduleFlush()
    }

    /// One loop on the state as it is, and its transactions to their end.
    private func run(_ index: Int) async {
        let output = loops[index].loop.run(
            replica.tables, changes: loops[index].pending, now: Clock.wallTime, random: &random)
        loops[index].pending = []
        loops[index].wakeAt = output.wakeAt
        if output.transactions.isEmpty { return }
        let refusals = await propose(output.transactions)
        guard let refusal = refusals.first else {
            loops[index].refusals = 0
            loops[index].hopelessRuns = 0
            return
        }
        // The loop looks at everything again: the first times at once, since another loop's change came between.
        loops[index].pending = nil
        loops[index].refusals += 1
        // Where some went through, the next look has less to do.
        let isHopeless = refusals.count == output.transactions.count
        loops[index].hopelessRuns = isHopeless ? loops[index].hopelessRuns + 1 : 0
        if loops[index].hopelessRuns > 2 {
            let shift = min(loops[index].hopelessRuns - 3, ManagerLimits.refusedLoopShifts)
            loops[index].restsUntil = Clock.now + ManagerLimits.refusedLoopRest * Double(1 << shift)
        }
        let count = loops[index].refusals
        let text = "\(loops[index].kind) loop: transaction refused \(count) times in a row: \(refusal)"
        if count.isMultiple(of: ManagerLimits.refusalsToReport) { log.warning("\(text)") } else { log.debug("\(text)") }
    }

    private func propose(_ transactions: [Transaction]) async -> [any Error] {
        await withTaskGroup(of: (any Error)?.self) { group in
            for transaction in transactions {
                group.addTask { [propose] in
                    do {
                        try await propose(transaction)
                        return nil
                    } catch { return error }
                }
            }
            var refusals: [any Error] = []
            for await refusal in group { if let refusal { refusals.append(refusal) } }
            return refusals
        }
    }

    // MARK: Sessions

    /// An agent says hello: what it is told from now on goes to `toAgent`, which ends with the session.
    func register(
        _ node: NodeID, _ marks: SessionMarks, _ description: NodeDescription, address: String,
        _ toAgent: AsyncStream<SessionEvent>.Continuation
    ) -> SessionID? {
        if hasEnded { return nil }
        nextSession += 1
        let id = SessionID(value: nextSession)
        sessions[id] = toAgent
        perform(
            dispatcher.onRegister(
                id, node: node, marks: marks, description: description, address: address,
                tables: replica.tables, now: Clock.now, wallClock: Clock.wallTime))
        return id
    }

    func heartbeat(_ id: SessionID) {
        dispatcher.onHeartbeat(id, now: Clock.now)
    }

    func statuses(_ id: SessionID, _ statuses: [(task: TaskID, status: TaskStatus)]) {
        perform(dispatcher.onStatuses(id, statuses, tables: replica.tables))
    }

    func disconnect(_ id: SessionID) {
        dispatcher.onDisconnect(id)
        sessions.removeValue(forKey: id)?.finish()
    }

    /// A node leaves on purpose.
    func leave(_ node: NodeID) {
        perform(dispatcher.onLeave(node, tables: replica.tables, wallClock: Clock.wallTime))
    }

    // MARK: Directives

    private func perform(_ directives: [Dispatcher.Directive]) {
        for directive in directives {
            switch directive {
            case .send(let id, let message):
                guard let session = sessions[id] else { continue }
                if case .dropped = session.yield(.assignments(message)) {
                    session.finish()
                    disconnect(id)
                }
            case .close(let id, let reason):
                guard let session = sessions.removeValue(forKey: id) else { continue }
                session.yield(.end(reason: reason))
                session.finish()
            case .fence(let id, let reason):
                guard let session = sessions.removeValue(forKey: id) else { continue }
                log.warning("two machines with one identity: \(reason)")
                session.yield(.end(reason: reason, isFenced: true))
                session.finish()
            case .write(let changes):
                observations.add(changes)
                writeObservations()
            }
        }
    }

    private func scheduleFlush() {
        guard dispatcher.hasUnsentChanges, !isFlushDue else { return }
        isFlushDue = true
        // Ends by itself after the delay.
        Task {
            try? await Task.sleep(for: ManagerLimits.assignmentBatch)
            isFlushDue = false
            perform(dispatcher.flush(tables: replica.tables))
        }
    }

    /// One batch at a time; what arrives meanwhile goes with the next.
    private func writeObservations() {
        guard !isWritingObservations, !observations.isEmpty, !hasEnded else { return }
        isWritingObservations = true
        // Ends by itself when all is written or the term is over.
        Task {
            while !observations.isEmpty, !hasEnded {
                let batch = observations.takeBatch()
                do {
                    try await propose(Transaction(batch, time: Clock.wallTime))
                    observations.onWritten()
                } catch let refusal as Failure where refusal.code == .invalidArgument {
                    if let lost = observations.onRefused(batch) {
                        log.error("an agent's report cannot be written and is given up: \(refusal): \(lost)")
                    }
                } catch {
                    log.debug("observations not written yet: \(error)")
                    observations.putBack(batch)
                    try? await Task.sleep(for: ManagerLimits.proposeRetry)
                }
            }
            isWritingObservations = false
        }
    }
}
