import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

@Suite struct RestartsTests {
    @Test func aFailedTaskIsReplacedAfterTheDelay() throws {
        var world = try World()
        let web = try world.service()
        let old = try world.task(of: web, .failed)
        try world.run(.restarts)
        let successor = try #require(world.active(web).first)
        #expect(try world.stored(old).desiredState == .shutdown)
        #expect(successor.desiredState == .ready && successor.slot == 1)
        #expect(successor.notBefore == world.now + .seconds(5))
        let output = try world.run(.restarts)
        #expect(output == LoopOutput(wakeAt: successor.notBefore))
        world.wait(.seconds(5))
        try world.run(.restarts)
        #expect(try world.stored(successor).desiredState == .running)
    }

    /// A service may have thousands of slots.
    @Test func taskThatEndedConcernsItsSlotAlone() throws {
        var world = try World()
        let web = try world.service(mode: .replicated(2)) { $0.task.restart.delay = .zero }
        let first = try world.task(of: web, slot: 1, .running)
        let second = try world.task(of: web, slot: 2, .running)
        var loop = RestartsLoop()
        func run(_ changes: [StateChange]?) -> [Change] {
            loop.run(world.tables, changes: changes, now: world.now, random: &world.random).transactions.flatMap(
                \.changes)
        }
        #expect(run(nil).isEmpty)
        let changes = try world.apply([first, second].map { .observeTask($0.id, TaskStatus(state: .failed)) })
        func replaced(_ changes: [Change]) -> [TaskID] {
            changes.compactMap { if case .update(.task(let task), _) = $0 { task.id } else { nil } }
        }
        #expect(replaced(run([changes[0]])) == [first.id])
        // It may have been refused.
        #expect(replaced(run([])) == [first.id])
        let service = StateChange(before: .service(web), after: .service(web))
        #expect(replaced(run([service])) == [first.id, second.id])
    }

    @Test(arguments: [
        (RestartCondition.none, TaskState.failed, false), (.none, .complete, false), (.onFailure, .complete, false),
        (.onFailure, .failed, true), (.onFailure, .rejected, true), (.any, .complete, true), (.any, .failed, true),
    ])
    func conditionDecides(_ condition: RestartCondition, _ state: TaskState, _ isRestarted: Bool) throws {
        var world = try World()
        let web = try world.service { $0.task.restart.condition = condition }
        let old = try world.task(of: web, state)
        try world.run(.restarts)
        #expect(try world.stored(old).isActive == !isRestarted)
    }

    /// Restarts until the policy ends them, each task failing at once.
    private func restarts(
        _ policy: RestartPolicy, reaping: Bool = false, reelecting: Bool = false
    ) throws -> (count: Int, world: World, service: Service) {
        var world = try World()
        let web = try world.service { $0.task.restart = policy }
        try world.run(.replicas)
        var count = 0
        for _ in 0..<40 {
            for task in world.active(web) where !task.status.state.isTerminal {
                try world.observe(task, .failed)
            }
            if try world.run(.restarts).transactions.isEmpty { break }
            count += 1
            if reaping { try world.settle(.reaping) }
            try world.run(.replicas)
            world.wait(max(policy.delay, .seconds(120)))
        }
        return (count, world, web)
    }

    @Test func restartsStopAfterExactlyMaxAttempts() throws {
        #expect(try restarts(RestartPolicy(maxAttempts: 3)).count == 3)
        #expect(try restarts(RestartPolicy(maxAttempts: 8), reaping: true).count == 8)
    }

    @Test func aWindowShorterThanTheDelayStillStops() throws {
        let policy = RestartPolicy(delay: .seconds(5), maxAttempts: 3, window: .seconds(2))
        var world = try World()
        let web = try world.service { $0.task.restart = policy }
        try world.run(.replicas)
        var count = 0
        while count < 20 {
            // Each runs for half a second once it may start.
            let task = try #require(world.active(web).first)
            if let start = task.notBefore { world.now = max(world.now, start) }
            world.wait(.milliseconds(500))
            try world.observe(task, .failed)
            if try world.run(.restarts).transactions.isEmpty { break }
            count += 1
        }
        #expect(count == 3)
    }

    @Test func attemptsOutsideTheWindowAreForgotten() throws {
        let policy = RestartPolicy(delay: .seconds(1), maxAttempts: 2, window: .seconds(60))
        var world = try World()
        let web = try world.service { $0.task.restart = policy }
        try world.run(.replicas)
        for _ in 0..<10 {
            world.wait(.seconds(100))
            try world.observe(try #require(world.active(web).first), .failed)
            #expect(try !world.run(.restarts).transactions.isEmpty)
        }
    }

    @Test func aNewSpecStartsCountingAnew() throws {
        var (_, world, web) = try restarts(RestartPolicy(maxAttempts: 2))
        try world.update(web) { $0.task.container.image = "v2" }
        try world.settle(.updates)
        let task = try #require(world.active(web).first)
        #expect(task.spec.container.image == "v2")
        try world.observe(task, .failed)
        #expect(try !world.run(.restarts).transactions.isEmpty)
    }

    @Test func repeatedFailuresBackOff() throws {
        var world = try World()
        let web = try world.service { $0.task.restart.delay = .seconds(5) }
        try world.run(.replicas)
        var delays: [Int64] = []
        for _ in 0..<6 {
            try world.observe(try #require(world.active(web).first), .failed)
            let now = world.now
            try world.run(.restarts)
            let next = try #require(world.active(web).first?.notBefore)
            delays.append((next - now).wholeMilliseconds / 1000)
            world.now = next
            try world.run(.restarts)
        }
        #expect(delays == [5, 5, 5, 10, 20, 40])
    }

    @Test func backingOffReachesTheCeilingAndStaysThere() throws {
        var world = try World()
        let web = try world.service { $0.task.restart.delay = .zero }
        try world.run(.replicas)
        var delays: [Int64] = []
        for _ in 0..<20 {
            world.wait(.seconds(1))
            let task = try #require(world.active(web).first)
            try world.observe(task, .failed)
            let now = world.now
            try world.run(.restarts)
            try world.settle(.reaping)
            let next = world.active(web).first?.notBefore ?? now
            delays.append((next - now).wholeMilliseconds / 1000)
            world.now = next
            try world.run(.restarts)
        }
        #expect(delays == [0, 0, 0, 2, 4, 8, 16, 32] + [Int64](repeating: 60, count: 12))
        #expect(world.tables.tasks.count <= 11)
        // One that ran for long begins anew.
        world.wait(.seconds(301))
        try world.observe(try #require(world.active(web).first), .failed)
        try world.run(.restarts)
        #expect(world.active(web).first?.notBefore == nil)
    }

    @Test func aPreparedTaskWaitsForItsPredecessor() throws {
        var world = try World(nodes: 1)
        let web = try world.service()
        let old = try world.task(of: web, on: world.nodeIDs[0], .running) { $0.desiredState = .shutdown }
        let new = try world.task(of: web, .ready) { $0.desiredState = .ready }
        #expect(try world.run(.restarts).transactions.isEmpty)
        try world.observe(old, .shutdown)
        try world.run(.restarts)
        #expect(try world.stored(new).desiredState == .running)
    }

    @Test func aPredecessorOnANodeThatIsDownIsNotWaitedFor() throws {
        var world = try World(nodes: 1)
        let web = try world.service()
        try world.task(of: web, on: world.nodeIDs[0], .running) { $0.desiredState = .shutdown }
        let new = try world.task(of: web, .ready) { $0.desiredState = .ready }
        try world.update(try #require(world.tables.nodes.sorted.first)) { $0.status.state = .down }
        try world.run(.restarts)
        #expect(try world.stored(new).desiredState == .running)
    }

    @Test func anOutdatedTaskIsRestartedAsItWas() throws {
        var world = try World()
        let web = try world.service { $0.task.restart.delay = .zero }
        try world.task(of: web, .failed)
        try world.update(web) { $0.task.container.image = "v2" }
        try world.run(.restarts)
        let successor = try #require(world.active(web).first)
        #expect(successor.spec.container.image == "v1")
        #expect(successor.serviceVersion == web.taskVersion)
    }
}
