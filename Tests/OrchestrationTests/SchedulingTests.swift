import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

@Suite struct SchedulingTests {
    private func pending(_ world: inout World, _ service: Service, _ count: Int) throws {
        for slot in 1...count { try world.task(of: service, slot: UInt64(slot), .pending) }
    }

    private func perNode(_ world: World) -> [Int] {
        world.nodeIDs.map { id in world.tables.tasks(on: id).count }
    }

    @Test func tasksSpreadOverNodes() throws {
        var world = try World(nodes: 3)
        let web = try world.service()
        try pending(&world, web, 7)
        try world.run(.scheduling)
        #expect(perNode(world) == [3, 2, 2])
        #expect(world.active(web).allSatisfy { $0.status.state == .assigned })
        #expect(try world.run(.scheduling).transactions.isEmpty)
    }

    @Test func fewestOfTheServiceComesBeforeFewestOfAll() throws {
        var world = try World(nodes: 2)
        let web = try world.service("web")
        let other = try world.service("other")
        for slot in 1...3 { try world.task(of: other, slot: UInt64(slot), on: world.nodeIDs[0], .running) }
        try world.task(of: web, slot: 1, on: world.nodeIDs[1], .running)
        let task = try world.task(of: web, slot: 2, .pending)
        try world.run(.scheduling)
        #expect(try world.stored(task).nodeID == world.nodeIDs[0])
    }

    @Test func aNodeWithRecentFailuresIsTheLastChoice() throws {
        var world = try World(nodes: 2)
        let web = try world.service()
        for _ in 0..<5 {
            try world.task(of: web, on: world.nodeIDs[0], .failed) { $0.desiredState = .shutdown }
        }
        try world.task(of: web, slot: 2, on: world.nodeIDs[1], .running)
        let task = try world.task(of: web, .pending)
        try world.run(.scheduling)
        #expect(try world.stored(task).nodeID == world.nodeIDs[1])
        world.wait(.seconds(301))
        let later = try world.task(of: web, slot: 3, .pending)
        try world.run(.scheduling)
        #expect(try world.stored(later).nodeID == world.nodeIDs[0])
    }

    @Test func reservationsFillNodesAndTheRestIsExplainedOnce() throws {
        var world = try World(nodes: 2)
        let web = try world.service { $0.task.reservations.memoryBytes = 4096 << 20 }
        try pending(&world, web, 5)
        try world.run(.scheduling)
        #expect(perNode(world) == [2, 2])
        let waiting = try #require(world.active(web).first { $0.nodeID == nil })
        #expect(waiting.status.error == "no suitable node (insufficient resources on 2 nodes)")
        #expect(try world.run(.scheduling).transactions.isEmpty)
        try world.observe(try #require(world.tables.tasks(on: world.nodeIDs[1]).first), .complete)
        try world.run(.scheduling)
        #expect(try world.stored(waiting).nodeID == world.nodeIDs[1])
        #expect(try world.stored(waiting).status.error == "")
    }

    @Test func theExplanationCountsEveryReason() throws {
        var world = try World(nodes: 2)
        try world.node("small", cpus: 1)
        try world.node("tiny", cpus: 1)
        let drained = try world.node("drained")
        try world.update(drained) { $0.spec.availability = .drain }
        let constraint = try Constraint(parsing: "node.hostname==nowhere")
        let web = try world.service {
            $0.task.reservations.nanoCPUs = 2_000_000_000
            $0.task.placement.constraints = [constraint]
        }
        try world.node("third")
        try pending(&world, web, 1)
        try world.run(.scheduling)
        #expect(
            world.active(web).first?.status.error
                == "no suitable node (scheduling constraints not satisfied on 3 nodes; insufficient resources on 2 "
                + "nodes; 1 node not available for new tasks)")
    }

    @Test func withoutNodesTheExplanationIsShort() throws {
        var world = try World()
        let web = try world.service()
        try pending(&world, web, 1)
        try world.run(.scheduling)
        #expect(world.active(web).first?.status.error == "no suitable node")
    }

    @Test func hostPortsAndReplicaLimitsAreOnePerNode() throws {
        var world = try World(nodes: 2)
        let ports = [PortConfig(targetPort: 80, publishedPort: 80, mode: .host)]
        let web = try world.service("web") { $0.ports = ports }
        for slot in 1...3 { try world.task(of: web, slot: UInt64(slot), .pending) { $0.ports = ports } }
        let few = try world.service("few") { $0.task.placement.maxReplicasPerNode = 1 }
        try pending(&world, few, 3)
        try world.run(.scheduling)
        #expect(
            Set(world.active(web).map(\.status.error))
                == ["", "no suitable node (host-mode port already in use on 2 nodes)"])
        #expect(
            Set(world.active(few).map(\.status.error))
                == ["", "no suitable node (max replicas per node limit exceed)"])
        #expect(perNode(world) == [2, 2])
    }

    @Test func hostPortsOfDifferentAddressesShareANode() throws {
        var world = try World(nodes: 1)
        let web = try world.service()
        for (slot, address) in ["192.0.2.1", "192.0.2.2", nil].enumerated() {
            let port = PortConfig(targetPort: 80, publishedPort: 80, mode: .host, hostAddress: address)
            try world.task(of: web, slot: UInt64(slot + 1), .pending) { $0.ports = [port] }
        }
        // One version has one set of ports; here each task is a version of its own.
        for (number, task) in world.active(web).enumerated() {
            var task = task
            task.serviceVersion = UInt64(100 + number)
            try world.apply([.update(.task(task), bySpec: false)])
        }
        try world.run(.scheduling)
        #expect(world.active(web).map { $0.nodeID != nil } == [true, true, false])
    }

    @Test func spreadPreferencesBalanceBranchesNotNodes() throws {
        var world = try World()
        try world.node("a1", labels: ["zone": "a", "rack": "1"])
        try world.node("a2", labels: ["zone": "a", "rack": "1"])
        try world.node("a3", labels: ["zone": "a", "rack": "2"])
        try world.node("b1", labels: ["zone": "b", "rack": "1"])
        let web = try world.service { $0.task.placement.spread = ["node.labels.zone", "node.labels.rack"] }
        try pending(&world, web, 8)
        try world.run(.scheduling)
        #expect(perNode(world) == [1, 1, 2, 4])
    }

    @Test func aGlobalTaskIsCheckedAgainstItsOwnNode() throws {
        var world = try World(nodes: 2)
        let agent = try world.service("agent", mode: .global) { $0.task.reservations.memoryBytes = 6000 << 20 }
        let web = try world.service("web") { $0.task.reservations.memoryBytes = 6000 << 20 }
        try world.task(of: web, on: world.nodeIDs[1], .running)
        try world.settle(.replicas, .allocation, .scheduling)
        #expect(world.active(agent).filter { $0.nodeID == world.nodeIDs[0] }.map(\.status.state) == [.assigned])
        #expect(
            world.active(agent).filter { $0.nodeID == world.nodeIDs[1] }.map(\.status.error)
                == ["no suitable node (insufficient resources on 1 node)"])
    }

    @Test func aThousandTasksOnAHundredNodesTakeUnderHalfASecond() throws {
        var world = try World(nodes: 100)
        let web = try world.service {
            $0.task.reservations.nanoCPUs = 100_000_000
            $0.task.placement.spread = ["node.labels.zone"]
        }
        try pending(&world, web, 1000)
        var loop = SchedulingLoop()
        let start = ContinuousClock.now
        let output = loop.run(world.tables, changes: nil, now: world.now, random: &world.random)
        let elapsed = ContinuousClock.now - start
        #expect(output.transactions.reduce(0) { $0 + $1.changes.count } == 1000)
        #expect(elapsed < .milliseconds(500), "\(elapsed)")
        for transaction in output.transactions { try world.apply(transaction.changes) }
        #expect(perNode(world) == [Int](repeating: 10, count: 100))
    }
}
