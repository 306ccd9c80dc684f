import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

/// All loops on one set of tables, with transactions that take their time, and agents that carry tasks forward, fail
/// and get lost. Everything follows from the seed.
struct MiniCluster {
    private struct Runner {
        let kind: ControlLoopKind
        var loop: any ControlLoop
        /// nil: the first run of a term.
        var changes: [StateChange]?
        var isDue = true
        var wakeAt: Timestamp?
        var inFlight: [(at: Timestamp, transaction: Transaction)] = []
    }

    private(set) var tables = ClusterTables()
    private(set) var now = Timestamp(nanoseconds: 1_000_000_000_000)
    private(set) var index: UInt64 = 0
    var random: SeededRandom
    private var runners: [Runner] = []
    private var timers: [TaskID: Timestamp] = [:]
    private(set) var lostNodes: Set<NodeID> = []
    /// Chances in a thousand, at each step of a task.
    var failuresPerMille = 0
    /// Chances in a thousand that a transaction is lost on its way.
    var lossPerMille = 0
    private(set) var checker = MiniChecker()
    private(set) var appliedByLoops = 0

    init(seed: UInt64, nodes: Int) throws {
        random = SeededRandom(seed: seed)
        let pool = try #require(IPv4Network("10.0.0.0/8"))
        var changes: [Change] = [
            .create(.cluster(Cluster(id: ClusterID(value: 1), addressPools: [pool]))),
            .create(.network(Network(id: NetworkID(value: 2), spec: NetworkSpec(name: "ingress", isIngress: true)))),
            .create(.network(Network(id: NetworkID(value: 3), spec: NetworkSpec(name: "net")))),
        ]
        for number in 1...nodes { changes.append(.create(.node(MiniCluster.node(UInt128(number))))) }
        elect()
        try propose(changes)
    }

    static func node(_ number: UInt128) -> Node {
        Node(
            id: NodeID(value: 100 + number), spec: NodeSpec(role: .worker),
            description: NodeDescription(
                hostname: "n\(number)", resources: Resources(nanoCPUs: 64_000_000_000, memoryBytes: 64 << 30)),
            status: NodeStatus(state: .ready))
    }

    mutating func chance(_ perMille: Int) -> Bool { Int.random(in: 0..<1000, using: &random) < perMille }

    /// A new leader: the loops begin anew, and what the old one had in flight is lost or not.
    mutating func elect() {
        let flying = runners.flatMap(\.inFlight)
        runners = ControlLoopKind.allCases.map { kind in
            Runner(kind: kind, loop: kind.makeLoop(hostRoutes: [], mtu: 1398))
        }
        for flight in flying where chance(500) { commit(flight.transaction, by: nil) }
    }

    mutating func propose(_ changes: [Change]) throws {
        index += 1
        let result = try tables.apply(Transaction(changes, time: now), at: index).get()
        observe(result)
    }

    // MARK: What users and the world do

    mutating func create(_ service: Service) throws { try propose([.create(.service(service))]) }

    mutating func update(_ id: ServiceID, _ change: (inout ServiceSpec) -> Void) throws {
        guard let service = tables.services[id] else { return }
        var spec = service.spec
        change(&spec)
        checker.allow(id, old: service.spec, new: spec, now: now)
        try propose([.update(.service(ServiceUpdates.updated(service, to: spec, now: now)), bySpec: true)])
    }

    mutating func lose(_ id: NodeID) throws {
        guard var status = tables.nodes[id]?.status else { return }
        lostNodes.insert(id)
        status.state = .down
        status.since = now
        try propose([.observeNode(id, status, nil)])
    }

    mutating func find(_ id: NodeID) throws {
        lostNodes.remove(id)
        guard var status = tables.nodes[id]?.status else { return }
        status.state = .ready
        status.since = now
        try propose([.observeNode(id, status, nil)])
        for task in tables.tasks(on: id) { schedule(task) }
    }

    mutating func set(_ id: NodeID, _ availability: NodeAvailability) throws {
        guard var node = tables.nodes[id] else { return }
        node.spec.availability = availability
        try propose([.update(.node(node), bySpec: true)])
    }

    // MARK: Time

    /// Carries on until nothing is left to do but waiting for a loop's wake-up beyond `deadline`, or the deadline.
    mutating func run(until deadline: Timestamp) throws {
        while true {
            runLoops()
            guard let next = nextEvent(), next <= deadline else { break }
            now = max(now, next)
            deliver()
            try playAgents()
        }
        now = max(now, deadline)
    }

    var isQuiet: Bool { timers.isEmpty && runners.allSatisfy { $0.inFlight.isEmpty && !$0.isDue } }

    private func nextEvent() -> Timestamp? {
        var next: Timestamp?
        func consider(_ time: Timestamp?) { if let time { next = min(time, next ?? time) } }
        for runner in runners {
            if runner.inFlight.isEmpty { consider(runner.wakeAt) }
            for flight in runner.inFlight { consider(flight.at) }
        }
        for (_, at) in timers { consider(at) }
        return next
    }

    private mutating func runLoops() {
        for index in runners.indices where runners[index].inFlight.isEmpty {
            let isAwake = runners[index].wakeAt.map { $0 <= now } ?? false
            guard runners[index].isDue || isAwake else { continue }
            let output = runners[index].loop.run(
                tables, changes: runners[index].changes, now: now, random: &random)
            runners[index].changes = []
            runners[index].isDue = false
            runners[index].wakeAt = output.wakeAt
            if runners[index].kind == .updates { checker.checkUpdate(output.transactions, tables) }
            for transaction in output.transactions {
                #expect(transaction.changes.count <= StateLimits.changesPerTransaction)
                let delay = Duration.milliseconds(Int.random(in: 1...60, using: &random))
                runners[index].inFlight.append((now + delay, transaction))
            }
        }
    }

    private mutating func deliver() {
        for index in runners.indices {
            let due = runners[index].inFlight.filter { $0.at <= now }
            if due.isEmpty { continue }
            runners[index].inFlight.removeAll { $0.at <= now }
            for flight in due {
                if chance(lossPerMille) { runners[index].isDue = true } else { commit(flight.transaction, by: index) }
            }
        }
    }

    private mutating func commit(_ transaction: Transaction, by runner: Int?) {
        index += 1
        if let runner { runners[runner].isDue = true }
        guard case .success(let changes) = tables.apply(transaction, at: index) else { return }
        appliedByLoops += 1
        observe(changes)
    }

    private mutating func observe(_ changes: [StateChange]) {
        for index in runners.indices {
            runners[index].changes?.append(contentsOf: changes)
            runners[index].isDue = true
        }
        for change in changes {
            if case .task(let task) = change.after { schedule(task) }
            if case (.task(let task), nil) = (change.before, change.after) { timers[task.id] = nil }
        }
        checker.check(changes, tables, now: now)
    }

    // MARK: Agents

    private mutating func schedule(_ task: ClusterTask) {
        guard !task.isUnassigned, !task.status.state.isTerminal, let node = task.nodeID, tables.nodes[node] != nil,
            !lostNodes.contains(node)
        else {
            timers[task.id] = nil
            return
        }
        let isWaiting = task.isActive && task.status.state == .ready && task.desiredState == .ready
        let isFine = task.isActive && task.status.state == .running && failuresPerMille == 0
        if isWaiting || isFine {
            timers[task.id] = nil
        } else if timers[task.id] == nil || !task.isActive {
            let range =
                if task.status.state == .running, task.isActive {
                    1_000...30_000
                } else if !task.isActive, task.status.state == .running, !task.status.isServing {
                    2_000...2_500
                } else {
                    5...400
                }
            timers[task.id] = now + .milliseconds(Int.random(in: range, using: &random))
        }
    }

    private mutating func playAgents() throws {
        for (id, at) in timers.sorted(by: { $0.key < $1.key }) where at <= now {
            timers[id] = nil
            guard let task = tables.tasks[id], let node = task.nodeID, !lostNodes.contains(node) else { continue }
            guard var status = next(task) else {
                schedule(task)
                continue
            }
            status.timestamp = now
            try propose([.observeTask(id, status)])
        }
    }

    private mutating func next(_ task: ClusterTask) -> TaskStatus? {
        func status(_ state: TaskState, error: String = "") -> TaskStatus {
            TaskStatus(state: state, error: error, isServing: state == .running)
        }
        if task.status.state.isTerminal { return nil }
        guard task.isActive else {
            if task.status.isServing {
                var draining = task.status
                draining.isServing = false
                return draining
            }
            return status(.shutdown)
        }
        let isFailing = chance(failuresPerMille)
        switch task.status.state {
        case .assigned: return status(.accepted)
        case .accepted: return status(.preparing)
        case .preparing: return isFailing ? status(.rejected, error: "no such image") : status(.ready)
        case .ready: return task.desiredState == .running ? status(.starting) : nil
        case .starting:
            let isBad = task.spec.container.image == "bad" || isFailing
            return isBad ? status(.failed, error: "task: non-zero exit (1)") : status(.running)
        case .running:
            if !isFailing { return nil }
            return chance(500) ? status(.complete) : status(.failed, error: "task: non-zero exit (2)")
        default: return nil
        }
    }

    /// What fresh loops would still do.
    func leftToDo() -> [ControlLoopKind: [Transaction]] {
        var random = SeededRandom(seed: 1)
        var result: [ControlLoopKind: [Transaction]] = [:]
        for kind in ControlLoopKind.allCases {
            var loop = kind.makeLoop(hostRoutes: [], mtu: 1398)
            let output = loop.run(tables, changes: nil, now: now, random: &random)
            if !output.transactions.isEmpty { result[kind] = output.transactions }
        }
        return result
    }
}
