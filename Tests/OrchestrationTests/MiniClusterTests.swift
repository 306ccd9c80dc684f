import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

@Suite struct MiniClusterTests {
    private static func service(_ number: Int, _ random: inout SeededRandom) -> Service {
        var spec = ServiceSpec(
            name: "s\(number)", task: TaskSpec(container: ContainerSpec(image: "v1")),
            mode: Int.random(in: 0..<5, using: &random) == 0
                ? .global : .replicated(UInt64.random(in: 1...6, using: &random)))
        spec.task.restart.delay = .milliseconds([0, 200, 2000].randomElement(using: &random) ?? 0)
        spec.task.networks = [NetworkAttachmentSpec(network: NetworkID(value: 3))]
        func config(_ actions: [UpdateFailureAction]) -> UpdateConfig {
            UpdateConfig(
                parallelism: UInt64.random(in: 1...3, using: &random),
                delay: .milliseconds([0, 500].randomElement(using: &random) ?? 0),
                failureAction: actions.randomElement(using: &random) ?? .pause,
                monitor: .milliseconds([0, 1500].randomElement(using: &random) ?? 0),
                order: Bool.random(using: &random) ? .startFirst : .stopFirst)
        }
        spec.update = config([.pause, .continue, .rollback])
        spec.rollback = config([.pause, .continue])
        // Continuing past failures piles start-first tasks up beyond the parallelism: a failed one is still wanted.
        if spec.update.failureAction == .continue { spec.update.order = .stopFirst }
        if spec.rollback.failureAction == .continue { spec.rollback.order = .stopFirst }
        if number == 0 { spec.ports = [PortConfig(targetPort: 80)] }
        return Service(id: ServiceID(value: UInt128(1000 + number)), spec: spec)
    }

    private static func disturb(_ cluster: inout MiniCluster, _ added: inout UInt128) throws {
        let nodes = cluster.tables.nodes.sorted.map(\.id)
        let services = cluster.tables.services.sorted
        guard let node = nodes.randomElement(using: &cluster.random),
            let service = services.randomElement(using: &cluster.random)
        else { return }
        switch Int.random(in: 0..<12, using: &cluster.random) {
        case 0: if cluster.lostNodes.isEmpty { try cluster.lose(node) }
        case 1: for lost in cluster.lostNodes.sorted() { try cluster.find(lost) }
        case 2: try cluster.set(node, .drain)
        case 3: for node in nodes { try cluster.set(node, .active) }
        case 4 where nodes.count > 2:
            try cluster.propose([.delete(.node(node), version: nil)])
            added += 1
            try cluster.propose([.create(.node(MiniCluster.node(added)))])
        case 5, 6:
            let image = ["v1", "v2", "v3", "bad"].randomElement(using: &cluster.random) ?? "v1"
            try cluster.update(service.id) { $0.task.container.image = image }
        case 7 where !service.isGlobal:
            let replicas = UInt64.random(in: 0...7, using: &cluster.random)
            try cluster.update(service.id) { $0.mode = .replicated(replicas) }
        case 8: cluster.elect()
        case 9 where services.count > 1:
            try cluster.propose([.delete(.service(service.id), version: nil)])
        default: try cluster.update(service.id) { $0.task.forceUpdate += 1 }
        }
    }

    /// Chaos, then calm: what must never be never is, and in the end everything is as it was asked for.
    private static func play(seed: UInt64) throws -> [String] {
        var random = SeededRandom(seed: seed &* 977)
        var cluster = try MiniCluster(seed: seed, nodes: Int.random(in: 2...5, using: &random))
        cluster.failuresPerMille = [0, 20, 100].randomElement(using: &random) ?? 0
        cluster.lossPerMille = [0, 50].randomElement(using: &random) ?? 0
        for number in 0..<Int.random(in: 1...3, using: &random) { try cluster.create(service(number, &random)) }
        try cluster.run(until: cluster.now + .seconds(5))
        var added: UInt128 = 50
        for _ in 0..<Int.random(in: 3...12, using: &random) {
            try disturb(&cluster, &added)
            try cluster.run(until: cluster.now + .milliseconds(Int.random(in: 10...8000, using: &random)))
        }
        cluster.failuresPerMille = 0
        cluster.lossPerMille = 0
        for lost in cluster.lostNodes.sorted() { try cluster.find(lost) }
        for node in cluster.tables.nodes.sorted { try cluster.set(node.id, .active) }
        for service in cluster.tables.services.sorted {
            try cluster.update(service.id) { $0.task.container.image = "good" }
        }
        try cluster.run(until: cluster.now + .seconds(400))
        return cluster.checker.violations + leftovers(cluster)
    }

    private static func leftovers(_ cluster: MiniCluster) -> [String] {
        var problems: [String] = []
        if !cluster.isQuiet { problems.append("something is still going on") }
        for (kind, transactions) in cluster.leftToDo().sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            problems.append("\(kind) is not done: \(transactions[0].changes[0])")
        }
        for service in cluster.tables.services.sorted {
            let tasks = cluster.tables.tasks(of: service.id).filter(\.isActive)
            let wanted =
                switch service.spec.mode {
                case .replicated(let replicas): Int(replicas)
                case .global: cluster.tables.nodes.count
                }
            let good = tasks.count { $0.status.isServing && $0.spec.container.image == "good" }
            if tasks.count != wanted || good != wanted {
                problems.append(
                    "\(service.spec.name): \(good) good of \(tasks.count) tasks, \(wanted) wanted, "
                        + "\(String(describing: service.update))")
            }
            switch service.update?.state {
            case .completed, nil: break
            default: problems.append("\(service.spec.name): update \(String(describing: service.update))")
            }
        }
        let orphans = cluster.tables.tasks.sorted.count { cluster.tables.services[$0.serviceID] == nil }
        if orphans > 0 { problems.append("\(orphans) tasks without service") }
        return problems
    }

    @Test(arguments: 0..<8) func twoHundredSeedsKeepTheirPromises(_ part: UInt64) throws {
        for seed in part * 25..<(part + 1) * 25 {
            let problems = try MiniClusterTests.play(seed: seed)
            #expect(problems.isEmpty, "seed \(seed): \(problems.joined(separator: "\n"))")
        }
    }

    @Test func aSeedReplaysTheSameRun() throws {
        func objects() throws -> [ClusterObject] {
            var random = SeededRandom(seed: 5)
            var cluster = try MiniCluster(seed: 11, nodes: 3)
            cluster.failuresPerMille = 50
            try cluster.create(MiniClusterTests.service(0, &random))
            try cluster.run(until: cluster.now + .seconds(60))
            return Array(cluster.tables.objects)
        }
        #expect(try objects() == objects())
    }

    @Test func aThousandTasksLeaveNoAddressBehind() throws {
        var world = try World(nodes: 3)
        try world.create(.network(Network(id: NetworkID(value: 3), spec: NetworkSpec(name: "net"))))
        try world.settle(.allocation)
        var random = SeededRandom(seed: 3)
        for cycle in 0..<250 {
            let web = try world.service("web\(cycle)", mode: .replicated(4)) {
                $0.task.networks = [NetworkAttachmentSpec(network: NetworkID(value: 3))]
            }
            try world.settle(.replicas, .allocation, .scheduling)
            for task in world.active(web) {
                let end: TaskState? = [.failed, .rejected, .running, nil].randomElement(using: &random) ?? nil
                if let end { try world.observe(task, end) }
            }
            try world.apply([.delete(.service(web.id), version: nil)])
            try world.settle(.reaping)
            try world.playAgents()
            try world.settle(.reaping)
            #expect(world.tables.tasks.count == 0)
        }
        let web = try world.service("last", mode: .replicated(254)) {
            $0.task.networks = [NetworkAttachmentSpec(network: NetworkID(value: 3))]
        }
        try world.settle(.replicas, .allocation)
        #expect(Set(world.active(web).compactMap(\.networks.first?.address)).count == 253)
    }
}
