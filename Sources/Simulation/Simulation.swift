import ClusterMessages
import ClusterModel
import ClusterState
import Consensus
import Primitives

/// What a run came to.
public struct SimulationResult: Sendable {
    public var seed: UInt64
    public var violation: Violation?
    public var coverage: Coverage
    public var simulated: Microseconds
    /// Of all that was applied: two runs of one seed are the same run.
    public var digest: UInt64
}

/// A cluster in one thread under one seed: first a phase of faults, then a calm phase in which it must come to rest.
public final class Simulation {
    /// After the faults: until clients stop, and until all must be settled.
    private static let clientsAfterFaults: Microseconds = 4_000_000
    private static let calm: Microseconds = 40_000_000
    /// With services: backoffs, updates and nodes that were lost take their time.
    private static let calmWithServices: Microseconds = 400_000_000

    let options: SimulationOptions
    let chance: Chance
    let scheduler = Scheduler()
    private(set) var network: SimulatedNetwork
    private(set) var managers: [SimulatedManager] = []
    private(set) var agents: [SimulatedAgent] = []
    private var lastNode = 0
    var checker = RaftChecker()
    let clusterChecker = ClusterChecker()
    var history: History
    let coverage = CoverageCounter()
    private let story: ((String) -> Void)?
    private(set) var clients: [SimulatedClient] = []
    private var lastValue: UInt64 = 0
    private var violation: Violation?
    private(set) var isCalm = false
    private(set) var isOverForClients = false
    private var memberships: MembershipChecker
    private var probe: Probe?
    private var retired: [SimulatedManager] = []
    private var lastManagerID: RaftID = 0
    /// In runs in which the nodes' specs say who is a manager.
    var machines: [ManagerMachine] = []
    var roleChange: RoleChange?
    /// Still to be made when nothing fails any more.
    var calmRoleChanges = 2
    var leaseTrap: LeaseTrap?
    /// The last one that was asked for.
    var transfer: (to: RaftID, at: Microseconds)?

    private enum Probe {
        case proposed
        case applied(at: LogIndex)
    }

    /// - Parameters:
    ///   - faultSeconds: how long the phase of faults is, instead of what the seed says.
    ///   - story: gets each line of what happens.
    public init(seed: UInt64, faultSeconds: Int? = nil, story: ((String) -> Void)? = nil) {
        chance = Chance(seed: seed)
        var options = SimulationOptions(seed: seed, chance: chance)
        options.faultSeconds = faultSeconds ?? options.faultSeconds
        self.options = options
        self.story = story
        history = History(keys: options.keys)
        memberships = MembershipChecker(founding: Membership(voters: (1...UInt64(options.managers)).map { $0 }))
        network = SimulatedNetwork(options: options, scheduler: scheduler, chance: chance, coverage: coverage)
    }

    public func run() -> SimulationResult {
        do {
            try play()
        } catch let violation as Violation {
            self.violation = violation
        } catch {
            violation = .safety("\(error)")
        }
        if let violation { trace("\(violation)") }
        let digest = checker.history.reduce(into: UInt64(scheduler.now)) { digest, entry in
            for byte in entry.data { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            digest = (digest ^ entry.term) &* 0x0000_0100_0000_01b3
        }
        return SimulationResult(
            seed: options.seed, violation: violation, coverage: coverage.value, simulated: scheduler.now, digest: digest
        )
    }

    /// The first register's history of a run, for tests of the checker.
    public func recordedHistory() throws -> [Operation] {
        try play()
        return history.known(0)
    }

    private func play() throws {
        trace("options: \(options)")
        let founders = (1...UInt64(options.managers)).map { $0 }
        for id in founders { _ = try addManager(id, founders: founders) }
        clients = (1...options.clients).map { SimulatedClient($0, in: self) }
        for client in clients { client.start() }
        agents = (0..<options.workers).map { number in
            SimulatedAgent(Self.nodeID(number), name: "worker-\(number)", in: self)
        }
        lastNode = agents.count - 1
        for agent in agents { agent.start() }
        if !agents.isEmpty { planOperations() }
        planFaults()
        planRoles()
        try run(until: options.faultSeconds * 1_000_000)
        try beginCalm()
        try run(until: now + Self.clientsAfterFaults)
        isOverForClients = true
        // Looked at now and then: it is a look at everything.
        let end = now + (agents.isEmpty ? Self.calm : Self.calmWithServices)
        while now < end, !(isConverged && servicesProblem == nil) { try run(until: now + 250_000) }
        try requireConvergence()
        coverage.note(.clusterConverged)
        if !agents.isEmpty { coverage.note(.servicesConverged) }
        try history.check(coverage)
    }

    private func run(until end: Microseconds, isOver: () -> Bool = { false }) throws {
        try scheduler.run(until: end) { violation != nil || isOver() }
        if let violation { throw violation }
    }

    var now: Microseconds { scheduler.now }

    func trace(_ text: @autoclosure () -> String) {
        guard let story else { return }
        let milliseconds = "\(now / 1000)"
        story(String(repeating: " ", count: max(0, 8 - milliseconds.count)) + milliseconds + " ms  " + text())
    }

    func nextValue() -> UInt64 {
        lastValue += 1
        return lastValue
    }

    func saw(_ value: UInt64, version: UInt64) {
        do throws(Violation) { try history.saw(value, version: version) } catch { violation = error }
    }

    // MARK: Managers

    func manager(_ id: RaftID) -> SimulatedManager? { managers.first { $0.id == id } }

    func newManagerID() -> RaftID {
        lastManagerID += 1
        return lastManagerID
    }

    func addManager(_ id: RaftID, founders: [RaftID]) throws -> SimulatedManager {
        let drift = options.driftPerMille
        if drift > 0 { coverage.note(Fault.clockDrift) }
        let manager = SimulatedManager(
            id: id, founders: founders,
            disk: SimulatedDisk(syncMicroseconds: options.syncMicroseconds, chance: chance, coverage: coverage),
            secrets: SeededRandom(seed: options.seed ^ id << 32), clockPerMille: 1000 + chance.pick(-drift...drift))
        managers.append(manager)
        lastManagerID = max(lastManagerID, id)
        try start(manager)
        return manager
    }

    /// The last membership that anybody has applied.
    var membership: Membership { memberships.current }

    /// Nothing of it is left.
    func retire(_ manager: SimulatedManager) {
        manager.process?.end()
        manager.process = nil
        manager.retire()
        // Its process refers to it, and may still have something under way.
        retired.append(manager)
        managers.removeAll { $0 === manager }
    }

    /// The machine of a worker that was removed joins as another node.
    func replaceAgent(_ id: NodeID) {
        guard let index = agents.firstIndex(where: { $0.id == id }) else { return }
        agents[index].retire()
        lastNode += 1
        agents[index] = SimulatedAgent(Self.nodeID(lastNode), name: "worker-\(lastNode)", in: self)
        agents[index].start()
    }

    func start(_ manager: SimulatedManager) throws {
        guard manager.process == nil, !manager.isRetired else { return }
        if manager.isCorruptionDue {
            manager.isCorruptionDue = false
            if manager.disk.corrupt() { trace("manager \(manager.id): a bit of its disk has turned") }
        }
        manager.disk.trouble = nil
        let cuts = manager.disk.cuts
        do {
            manager.process = try ManagerProcess(manager, in: self)
        } catch let failure as Failure {
            return try refused(manager, failure)
        }
        if manager.disk.isDamaged {
            throw Violation.safety("manager \(manager.id) started from a damaged disk and did not notice")
        }
        coverage.note(.restarted)
        if manager.disk.cuts > cuts { coverage.note(.tornTailCut) }
        trace("manager \(manager.id) starts")
    }

    private func refused(_ manager: SimulatedManager, _ failure: Failure) throws {
        switch manager.disk.trouble {
        case .powerLost?:
            coverage.note(.crashAtDiskOperation)
            manager.disk.cutPower()
        case .full?: break
        case nil:
            guard manager.disk.isDamaged, [.dataLoss, .failedPrecondition].contains(failure.code) else {
                throw Violation.safety("manager \(manager.id) does not start: \(failure)")
            }
            coverage.note(.damageRefused)
            if !isCalm, try loseDisk(of: manager) { return }
            manager.disk.repair()
        }
        restartLater(manager)
    }

    /// The process or the machine dies.
    func crash(_ manager: SimulatedManager, losesPower: Bool, restartingAfter delay: Microseconds? = nil) {
        guard let process = manager.process else { return }
        trace("manager \(manager.id) \(losesPower ? "loses power" : "is killed")")
        if losesPower { process.breakWrites() }
        process.end()
        manager.process = nil
        if losesPower { manager.disk.cutPower() }
        restartLater(manager, after: delay)
    }

    /// The process ended because its disk failed.
    func ended(_ manager: SimulatedManager, _ failure: Failure) throws {
        switch manager.disk.trouble {
        case .powerLost?:
            coverage.note(.crashAtDiskOperation)
            crash(manager, losesPower: true)
        case .full?: crash(manager, losesPower: false)
        case nil: throw Violation.safety("manager \(manager.id) ended: \(failure)")
        }
    }

    private func restartLater(_ manager: SimulatedManager, after delay: Microseconds? = nil) {
        scheduler.after(delay ?? restartDelay) { [self] in try start(manager) }
    }

    private var restartDelay: Microseconds {
        if isCalm { return 50_000 }
        if chance.percent(options.quickRestartPercent) { return chance.pick(1_000...300_000) }
        return chance.pick(20_000...(chance.percent(80) ? 2_000_000 : 15_000_000))
    }

    func wallClock(of id: RaftID) -> Timestamp {
        Timestamp(nanoseconds: Int64(1_700_000_000_000_000 + now + (manager(id)?.wallOffset ?? 0)) * 1000)
    }

    func membershipApplied(_ membership: Membership, at index: LogIndex) throws(Violation) {
        guard let before = try memberships.applied(membership, at: index) else { return }
        trace("members: voters \(membership.voters) + \(membership.outgoingVoters), learners \(membership.learners)")
        coverage.note(.membershipsCompared)
        if membership.isJoint { noteJointChange(from: before, to: membership) }
        if membership.learners.contains(where: { !before.contains($0) }) { coverage.note(.learnerAdded) }
        if membership.voters.contains(where: { before.learners.contains($0) }) { coverage.note(.learnerPromoted) }
        if before.voters.contains(where: { !membership.contains($0) }) { coverage.note(.voterRemoved) }
        if membership.learners.contains(where: { before.voters.contains($0) }) { coverage.note(.voterDemoted) }
    }

    private func noteJointChange(from before: Membership, to membership: Membership) {
        coverage.note(.changedJointly)
        if machines.isEmpty { return }
        let incoming = membership.voters.count { !before.voters.contains($0) }
        let outgoing = before.voters.count { !membership.voters.contains($0) }
        if incoming > 1 { coverage.note(.managersPromotedTogether) }
        if outgoing > 1 { coverage.note(.managersDemotedTogether) }
        if incoming > 0, outgoing > 0 { coverage.note(.managersSwapped) }
    }

    // MARK: The calm phase

    private func beginCalm() throws {
        trace("calm")
        isCalm = true
        network.isCalm = true
        network.heal()
        for manager in managers {
            manager.disk.isFull = false
            manager.disk.operationsLeft = nil
            manager.disk.syncMicroseconds = options.syncMicroseconds
            manager.isCorruptionDue = false
            manager.process?.directivesLeft = nil
            manager.process?.pausedUntil = 0
            manager.process?.suspendedUntil = 0
            try start(manager)
        }
        for agent in agents {
            agent.cutOffUntil = 0
            agent.partedFrom = [:]
            agent.start()
        }
    }

    var leader: ManagerProcess? {
        managers.compactMap(\.process).filter { $0.node.role == .leader }.max { $0.node.term < $1.node.term }
    }

    /// A write goes through the leader, and all members have it.
    private var isConverged: Bool {
        guard rolesAreSettled, let leader, let index = probedIndex(leader) else { return false }
        return leader.node.membership.members.allSatisfy { id in
            guard let process = manager(id)?.process else { return false }
            return process.tables.index >= index && process.tables.index == leader.tables.index
                && process.node.leader == leader.id && process.node.membership == leader.node.membership
        }
    }

    private func probedIndex(_ leader: ManagerProcess) -> LogIndex? {
        if case .applied(let index)? = probe { return index }
        if probe == nil {
            probe = .proposed
            leader.push(
                .propose(Transaction([], time: .zero).encoded()) { [self] outcome in
                    if case .applied(let index) = outcome { probe = .applied(at: index) } else { probe = nil }
                })
        }
        return nil
    }

    private func requireConvergence() throws(Violation) {
        if isConverged {
            for process in managers.compactMap(\.process) {
                try checker.compare(process.tables, of: process.id, coverage)
            }
            guard let servicesProblem else { return }
            throw .liveness("the services do not come to rest: \(servicesProblem)")
        }
        let states = managers.map { manager in
            guard let process = manager.process else { return "manager \(manager.id) is down" }
            let node = process.node
            return "manager \(manager.id): \(node.role) of term \(node.term), leader \(node.leader ?? 0), last "
                + "\(node.lastIndex), committed \(node.commitIndex), applied \(node.appliedIndex), voters "
                + "\(node.membership.voters), learners \(node.membership.learners)"
        }
        throw .liveness(
            "no common state \(Self.calm / 1_000_000) s after the last fault; " + states.joined(separator: "; "))
    }
}
