import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

@Suite struct ReplicasTests {
    @Test func missingSlotsGetTasksOnce() throws {
        var world = try World()
        let web = try world.service(mode: .replicated(3))
        try world.run(.replicas)
        #expect(world.active(web).map(\.slot) == [1, 2, 3])
        #expect(world.active(web).allSatisfy { $0.status.state == .new && $0.name.hasPrefix("web.\($0.slot).") })
        #expect(try world.run(.replicas).transactions.isEmpty)
    }

    @Test func largeServicesAreSplitIntoTransactions() throws {
        var world = try World()
        let web = try world.service(mode: .replicated(450))
        #expect(try world.run(.replicas).transactions.map(\.changes.count) == [200, 200, 50])
        #expect(world.active(web).count == 450)
    }

    @Test func largeTasksMakeSmallerTransactions() throws {
        var world = try World()
        try world.service(mode: .replicated(20)) {
            $0.task.container.environment = [String(repeating: "x", count: 100_000)]
        }
        #expect(try world.run(.replicas).transactions.allSatisfy { $0.changes.count <= 7 })
    }

    @Test func surplusSlotsAreIdleOnesThenThoseOfCrowdedNodes() throws {
        var world = try World(nodes: 2)
        let web = try world.service(mode: .replicated(2))
        let nodes = world.nodeIDs
        let first = try world.task(of: web, slot: 1, on: nodes[0], .running)
        let second = try world.task(of: web, slot: 2, on: nodes[0], .running)
        let idle = try world.task(of: web, slot: 3, on: nodes[1], .preparing)
        let other = try world.task(of: web, slot: 4, on: nodes[1], .running)
        try world.run(.replicas)
        #expect(world.active(web).map(\.id) == [first.id, other.id])
        #expect(try world.stored(second).desiredState == .remove)
        #expect(try world.stored(idle).desiredState == .remove)
    }

    @Test func aVacatedSlotIsFilledFirst() throws {
        var world = try World(nodes: 1)
        let web = try world.service(mode: .replicated(2))
        try world.task(of: web, slot: 1, .running)
        try world.task(of: web, slot: 5, .running) { $0.desiredState = .shutdown }
        try world.run(.replicas)
        #expect(world.active(web).map(\.slot) == [1, 5])
    }

    @Test func anEndedTaskStillStandsForItsSlot() throws {
        var world = try World()
        let web = try world.service()
        try world.task(of: web, .failed)
        #expect(try world.run(.replicas).transactions.isEmpty)
    }

    @Test func globalServicesHaveOneTaskOnEachFittingNode() throws {
        var world = try World()
        let eu = try world.node("n1", labels: ["zone": "eu"])
        try world.node("n2", labels: ["zone": "us"])
        let paused = try world.node("n3", labels: ["zone": "eu"])
        try world.update(paused) { $0.spec.availability = .pause }
        let constraint = try Constraint(parsing: "node.labels.zone==eu")
        let agent = try world.service("agent", mode: .global) { $0.task.placement.constraints = [constraint] }
        try world.run(.replicas)
        #expect(world.active(agent).map(\.nodeID) == [eu.id])
        #expect(world.active(agent).first?.name.hasPrefix("agent.\(eu.id).") == true)
        #expect(try world.run(.replicas).transactions.isEmpty)
        try world.update(eu) { $0.spec.labels = [:] }
        try world.run(.replicas)
        #expect(world.active(agent).isEmpty)
    }

    @Test func ofTwinsTheServingOneStays() throws {
        var world = try World(nodes: 1)
        let web = try world.service()
        try world.task(of: web, .failed)
        let good = try world.task(of: web, .running)
        try world.run(.replicas)
        #expect(world.active(web).map(\.id) == [good.id])
    }

    @Test func anAbsurdServiceDoesNotStopTheOthers() throws {
        var world = try World()
        try world.service("absurd", mode: .replicated(.max))
        let web = try world.service("web", mode: .replicated(2))
        try world.run(.replicas)
        #expect(world.active(web).count == 2)
    }
}
