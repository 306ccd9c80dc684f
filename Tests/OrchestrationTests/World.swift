import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

/// Tables made by hand, and a loop run on them.
struct World {
    var tables = ClusterTables()
    var now = Timestamp(nanoseconds: 1_000_000_000_000)
    var random = SeededRandom(seed: 7)
    private(set) var index: UInt64 = 0

    init(nodes: Int = 0, pools: [IPv4Network]? = nil) throws {
        let pool = try #require(IPv4Network("10.0.0.0/8"))
        try create(.cluster(Cluster(id: ClusterID(using: &random), addressPools: pools ?? [pool])))
        for number in 0..<nodes { try node("n\(number + 1)") }
    }

    @discardableResult
    mutating func apply(_ changes: [Change]) throws -> [StateChange] {
        index += 1
        return try tables.apply(Transaction(changes, time: now), at: index).get()
    }

    mutating func create(_ object: ClusterObject) throws { try apply([.create(object)]) }

    @discardableResult
    mutating func node(
        _ name: String, labels: [String: String] = [:], cpus: Int64 = 8, memoryMiB: Int64 = 8192
    ) throws -> Node {
        let resources = Resources(nanoCPUs: cpus * 1_000_000_000, memoryBytes: memoryMiB << 20)
        let node = Node(
            id: NodeID(value: UInt128(index + 1)), spec: NodeSpec(labels: labels, role: .worker),
            description: NodeDescription(hostname: name, resources: resources),
            status: NodeStatus(state: .ready, address: "192.0.2.\(tables.nodes.count + 1)"))
        try create(.node(node))
        return try #require(tables.nodes[node.id])
    }

    @discardableResult
    mutating func service(
        _ name: String = "web", mode: ServiceMode = .replicated(1), change: (inout ServiceSpec) -> Void = { _ in }
    ) throws -> Service {
        var spec = ServiceSpec(name: name, task: TaskSpec(container: ContainerSpec(image: "v1")), mode: mode)
        change(&spec)
        let service = Service(id: ServiceID(value: UInt128(1000 + tables.services.count)), spec: spec)
        try create(.service(service))
        return try #require(tables.services[service.id])
    }

    /// A task in a state, as if it had got there.
    @discardableResult
    mutating func task(
        of service: Service, slot: UInt64 = 1, on node: NodeID? = nil, _ state: TaskState,
        change: (inout ClusterTask) -> Void = { _ in }
    ) throws -> ClusterTask {
        var task = TaskFactory.task(of: service, slot: .number(slot), now: now, random: &random)
        task.nodeID = node
        task.ports = service.ports
        task.status = TaskStatus(state: state, timestamp: now, isServing: state == .running)
        change(&task)
        try create(.task(task))
        return try #require(tables.tasks[task.id])
    }

    mutating func update(_ node: Node, change: (inout Node) -> Void) throws {
        var node = try #require(tables.nodes[node.id])
        let status = node.status
        change(&node)
        if node.status != status { try apply([.observeNode(node.id, node.status, nil)]) }
        node.meta = try #require(tables.nodes[node.id]).meta
        try apply([.update(.node(node), bySpec: true)])
    }

    mutating func update(_ service: Service, change: (inout ServiceSpec) -> Void) throws {
        let service = try #require(tables.services[service.id])
        var spec = service.spec
        change(&spec)
        try apply([.update(.service(ServiceUpdates.updated(service, to: spec, now: now)), bySpec: true)])
    }

    mutating func observe(
        _ task: ClusterTask, _ state: TaskState, error: String = "", isServing: Bool? = nil
    ) throws {
        let status = TaskStatus(
            state: state, timestamp: now, error: error, isServing: isServing ?? (state == .running))
        try apply([.observeTask(task.id, status)])
    }

    /// One run of a fresh loop, its transactions applied.
    @discardableResult
    mutating func run(_ kind: ControlLoopKind) throws -> LoopOutput {
        var loop = kind.makeLoop(hostRoutes: [], mtu: 1398)
        let output = loop.run(tables, changes: nil, now: now, random: &random)
        for transaction in output.transactions { try apply(transaction.changes) }
        return output
    }

    /// Runs until the loop has nothing more to do.
    mutating func settle(_ kinds: ControlLoopKind...) throws {
        for _ in 0..<50 {
            var isQuiet = true
            for kind in kinds where !(try run(kind).transactions.isEmpty) { isQuiet = false }
            if isQuiet { return }
        }
        Issue.record("loops do not come to rest")
    }

    /// Carries active tasks to running, ends those that are to stop.
    mutating func playAgents(failing image: String? = nil) throws {
        for task in tables.tasks.sorted where !task.isUnassigned && !task.status.state.isTerminal {
            if !task.isActive {
                try observe(task, .shutdown)
            } else if task.spec.container.image == image {
                if task.desiredState == .running { try observe(task, .failed, error: "task: non-zero exit (1)") }
            } else if task.desiredState == .ready {
                if task.status.state < .ready { try observe(task, .ready) }
            } else if task.status.state < .running {
                try observe(task, .running)
            }
        }
    }

    mutating func wait(_ duration: Duration) { now = now + duration }

    func stored(_ task: ClusterTask) throws -> ClusterTask { try #require(tables.tasks[task.id]) }
    func stored(_ service: Service) throws -> Service { try #require(tables.services[service.id]) }
    func active(_ service: Service) -> [ClusterTask] {
        tables.tasks(of: service.id).filter(\.isActive).sorted { ($0.slot, $0.id) < ($1.slot, $1.id) }
    }
    var nodeIDs: [NodeID] { tables.nodes.sorted.map(\.id) }
}
