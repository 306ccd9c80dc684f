import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

@Suite struct NodesTests {
    @Test func tasksOfADownNodeAreReplacedElsewhere() throws {
        var world = try World(nodes: 2)
        let web = try world.service()
        let lost = try #require(world.tables.nodes.sorted.first)
        let old = try world.task(of: web, on: lost.id, .running)
        let since = world.now
        try world.update(lost) {
            $0.status.state = .down
            $0.status.since = since
        }
        let output = try world.run(.nodes)
        #expect(try world.stored(old).desiredState == .shutdown)
        #expect(try world.stored(old).status.state == .running)
        #expect(output.wakeAt == world.now + OrchestrationLimits.orphanDelay)
        try world.settle(.replicas, .allocation, .scheduling)
        #expect(world.active(web).map(\.nodeID) == [world.nodeIDs[1]])
    }

    @Test func afterADayTheyAreOrphaned() throws {
        var world = try World(nodes: 1)
        let web = try world.service()
        let lost = try #require(world.tables.nodes.sorted.first)
        let old = try world.task(of: web, on: lost.id, .running)
        let since = world.now
        try world.update(lost) {
            $0.status.state = .down
            $0.status.since = since
        }
        world.wait(OrchestrationLimits.orphanDelay)
        try world.run(.nodes)
        let task = try world.stored(old)
        #expect(task.status.state == .orphaned && !task.status.isServing)
        #expect(task.status.message == "orphaned: its node has been down for 24 hours")
        #expect(try world.run(.nodes).transactions.isEmpty)
    }

    @Test func aRemovedNodeOrphansItsTasksAtOnce() throws {
        var world = try World(nodes: 1)
        let web = try world.service()
        let node = world.nodeIDs[0]
        let old = try world.task(of: web, on: node, .running)
        try world.apply([.delete(.node(node), version: nil)])
        try world.run(.nodes)
        #expect(try world.stored(old).status.state == .orphaned)
        #expect(try world.stored(old).desiredState == .shutdown)
    }

    @Test func drainMovesTasksAwayAndPauseDoesNot() throws {
        var world = try World(nodes: 2)
        let web = try world.service(mode: .replicated(2))
        let nodes = world.tables.nodes.sorted
        let drained = try world.task(of: web, slot: 1, on: nodes[0].id, .running)
        let paused = try world.task(of: web, slot: 2, on: nodes[1].id, .running)
        let ended = try world.task(of: web, slot: 2, on: nodes[0].id, .complete)
        try world.update(nodes[0]) { $0.spec.availability = .drain }
        try world.update(nodes[1]) { $0.spec.availability = .pause }
        try world.run(.nodes)
        #expect(try world.stored(drained).desiredState == .shutdown)
        #expect(try world.stored(paused).desiredState == .running)
        #expect(try world.stored(ended).desiredState == .running)
    }

    @Test func aNodeThatLostItsLabelLosesTheTasksThatNeedIt() throws {
        var world = try World()
        let node = try world.node("n1", labels: ["ssd": "yes"])
        let constraint = try Constraint(parsing: "node.labels.ssd==yes")
        let web = try world.service { $0.task.placement.constraints = [constraint] }
        let task = try world.task(of: web, on: node.id, .running)
        try world.run(.nodes)
        #expect(try world.stored(task).isActive)
        try world.update(node) { $0.spec.labels = [:] }
        try world.run(.nodes)
        #expect(try world.stored(task).desiredState == .shutdown)
    }
}

@Suite struct ReapingTests {
    @Test func tasksOfARemovedServiceGoOnceTheirAgentIsDone() throws {
        var world = try World(nodes: 1)
        let web = try world.service()
        let running = try world.task(of: web, slot: 1, on: world.nodeIDs[0], .running)
        let pending = try world.task(of: web, slot: 2, .pending)
        let ended = try world.task(of: web, slot: 2, on: world.nodeIDs[0], .failed)
        try world.apply([.delete(.service(web.id), version: nil)])
        try world.settle(.reaping)
        #expect(try world.stored(running).desiredState == .remove)
        #expect(world.tables.tasks[pending.id] == nil)
        #expect(world.tables.tasks[ended.id] == nil)
        try world.observe(running, .shutdown)
        try world.settle(.reaping)
        #expect(world.tables.tasks.count == 0)
    }

    @Test func tasksOfARemovedServiceOnARemovedNodeGoAtOnce() throws {
        var world = try World(nodes: 1)
        let web = try world.service()
        try world.task(of: web, on: world.nodeIDs[0], .running)
        try world.apply([
            .delete(.service(web.id), version: nil), .delete(.node(world.nodeIDs[0]), version: nil),
        ])
        try world.settle(.reaping)
        #expect(world.tables.tasks.count == 0)
    }

    @Test func theNewestEndedTasksOfASlotAreKept() throws {
        var world = try World(nodes: 1)
        let web = try world.service()
        var ended: [TaskID] = []
        for _ in 0..<9 {
            world.wait(.seconds(1))
            ended.append(try world.task(of: web, on: world.nodeIDs[0], .failed) { $0.desiredState = .shutdown }.id)
        }
        try world.task(of: web, on: world.nodeIDs[0], .running)
        // The back-off needs them while failures are recent.
        let output = try world.run(.reaping)
        #expect(output == LoopOutput(wakeAt: world.now + OrchestrationLimits.failureWindow))
        world.wait(OrchestrationLimits.failureWindow)
        try world.settle(.reaping)
        #expect(world.tables.tasks(of: web.id).filter { !$0.isActive }.map(\.id) == ended.suffix(5).sorted())
    }

    @Test func historyReachesBeyondTheRestartAttempts() throws {
        var world = try World(nodes: 1)
        let web = try world.service { $0.task.restart.maxAttempts = 8 }
        for _ in 0..<12 {
            world.wait(.seconds(1))
            try world.task(of: web, on: world.nodeIDs[0], .failed) { $0.desiredState = .shutdown }
        }
        try world.task(of: web, on: world.nodeIDs[0], .running)
        try world.settle(.reaping)
        #expect(world.tables.tasks.count == 10)
    }

    @Test func aClosedSlotKeepsNoHistory() throws {
        var world = try World(nodes: 1)
        let web = try world.service(mode: .replicated(1))
        try world.task(of: web, slot: 1, on: world.nodeIDs[0], .running)
        try world.task(of: web, slot: 2, on: world.nodeIDs[0], .failed) { $0.desiredState = .shutdown }
        let stopping = try world.task(of: web, slot: 2, on: world.nodeIDs[0], .running) { $0.desiredState = .remove }
        try world.settle(.reaping)
        #expect(world.tables.tasks(of: web.id).filter { $0.slot == 2 }.map(\.id) == [stopping.id])
        try world.observe(stopping, .shutdown)
        try world.settle(.reaping)
        #expect(world.tables.tasks.count == 1)
    }
}
