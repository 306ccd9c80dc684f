import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

@Suite struct UpdatesTests {
    /// A service that runs `v1`, then is asked for `v2`.
    private func updating(
        replicas: UInt64 = 3, nodes: Int = 3, change: (inout ServiceSpec) -> Void = { _ in }
    ) throws -> (World, Service) {
        var world = try World(nodes: nodes)
        let web = try world.service(mode: .replicated(replicas), change: change)
        try world.settle(.replicas, .allocation, .scheduling)
        try world.playAgents()
        world.wait(.seconds(60))
        try world.update(web) { $0.task.container.image = "v2" }
        return (world, web)
    }

    private func step(_ world: inout World, _ duration: Duration = .seconds(1), failing image: String? = nil) throws {
        try world.settle(.nodes, .replicas, .restarts, .updates, .allocation, .scheduling, .reaping)
        try world.playAgents(failing: image)
        world.wait(duration)
    }

    private func images(_ world: World, _ service: Service) -> [String] {
        world.active(service).map(\.spec.container.image)
    }

    private func serving(_ world: World, _ service: Service) -> Int {
        world.active(service).count(where: \.status.isServing)
    }

    @Test func stopFirstReplacesAFewAtATimeAndCompletes() throws {
        var (world, web) = try updating(replicas: 4) { $0.update.parallelism = 2 }
        try world.run(.updates)
        #expect(try world.stored(web).update?.state == .updating)
        #expect(try world.stored(web).update?.message == "update in progress")
        try world.run(.updates)
        #expect(images(world, web) == ["v2", "v2", "v1", "v1"])
        #expect(world.active(web).map(\.desiredState) == [.ready, .ready, .running, .running])
        #expect(try world.run(.updates).transactions.isEmpty)
        for _ in 0..<40 {
            try step(&world)
            #expect(serving(world, web) >= 2)
        }
        #expect(images(world, web) == ["v2", "v2", "v2", "v2"])
        #expect(try world.stored(web).update?.state == .completed)
        #expect(try world.stored(web).update?.message == "update completed")
        #expect(try world.stored(web).update?.completedAt != nil)
    }

    @Test func startFirstNeverHasFewerThanWanted() throws {
        var (world, web) = try updating(replicas: 3) { $0.update.order = .startFirst }
        for _ in 0..<60 {
            try step(&world)
            #expect(serving(world, web) >= 3)
            #expect(world.active(web).count <= 4)
        }
        #expect(images(world, web) == ["v2", "v2", "v2"])
        #expect(try world.stored(web).update?.state == .completed)
    }

    @Test func theNextBatchWaitsForMonitorAndDelay() throws {
        var (world, web) = try updating(replicas: 2) {
            $0.update.monitor = .seconds(10)
            $0.update.delay = .seconds(20)
        }
        try step(&world, .zero)
        try step(&world, .zero)
        #expect(images(world, web) == ["v2", "v1"])
        let started = world.now
        world.wait(.seconds(29))
        let output = try world.run(.updates)
        #expect(output.transactions.isEmpty)
        #expect(output.wakeAt == started + .seconds(30))
        world.wait(.seconds(1))
        try world.run(.updates)
        #expect(images(world, web) == ["v2", "v2"])
    }

    @Test func aFailurePausesWithTheReason() throws {
        var (world, web) = try updating { $0.task.restart.delay = .seconds(60) }
        for _ in 0..<10 { try step(&world, failing: "v2") }
        let update = try #require(try world.stored(web).update)
        let failed = try #require(world.tables.tasks(of: web.id).first { $0.hasFailed })
        #expect(update.state == .paused)
        #expect(
            update.message
                == "update paused due to failure or early termination of task \(failed.id): task: non-zero exit (1)")
        #expect(images(world, web).filter { $0 == "v1" }.count == 2)
    }

    @Test func aFailureRollsBackAndKeepsWhatWasNotReplaced() throws {
        var (world, web) = try updating { $0.update.failureAction = .rollback }
        let untouched = world.active(web).suffix(2).map(\.id)
        for _ in 0..<40 { try step(&world, failing: "v2") }
        let service = try world.stored(web)
        #expect(service.update?.state == .rollbackCompleted)
        #expect(service.update?.message == "rollback completed")
        #expect(service.spec.task.container.image == "v1")
        #expect(service.previousSpec == nil)
        #expect(images(world, web) == ["v1", "v1", "v1"])
        #expect(serving(world, web) == 3)
        #expect(world.active(web).suffix(2).map(\.id) == untouched)
    }

    @Test func continueGoesOnPastFailures() throws {
        var (world, web) = try updating { $0.update.failureAction = .continue }
        for _ in 0..<60 { try step(&world, failing: "v2") }
        #expect(try world.stored(web).update?.state == .completed)
        #expect(images(world, web) == ["v2", "v2", "v2"])
    }

    @Test func toleratedFailuresDoNotStop() throws {
        var (world, web) = try updating(replicas: 4) { $0.update.maxFailureRatio = 0.5 }
        try step(&world)
        let first = try #require(world.active(web).first)
        try world.settle(.restarts, .updates)
        try world.observe(first, .failed)
        for _ in 0..<60 { try step(&world) }
        #expect(try world.stored(web).update?.state == .completed)
    }

    @Test func aLateFailureIsNotTheUpdates() throws {
        var (world, web) = try updating { $0.update.delay = .seconds(100) }
        var loop = UpdatesLoop()
        func run(_ world: inout World) throws {
            for _ in 0..<3 {
                let output = loop.run(world.tables, changes: nil, now: world.now, random: &world.random)
                for transaction in output.transactions { try world.apply(transaction.changes) }
            }
        }
        try run(&world)
        try world.settle(.allocation, .scheduling)
        try world.playAgents()
        try world.settle(.restarts)
        try world.playAgents()
        try run(&world)
        world.wait(.seconds(6))
        try run(&world)
        let new = try #require(world.active(web).first)
        #expect(new.spec.container.image == "v2" && new.status.isServing)
        try world.observe(new, .failed)
        try run(&world)
        #expect(try world.stored(web).update?.state == .updating)
    }

    /// One loop for the whole update, as a leader has it; looks after each thing that happens.
    private func look(_ world: inout World, _ loop: inout UpdatesLoop) throws {
        for _ in 0..<3 {
            let output = loop.run(world.tables, changes: nil, now: world.now, random: &world.random)
            for transaction in output.transactions { try world.apply(transaction.changes) }
        }
        try world.settle(.allocation, .scheduling)
    }

    @Test func aTaskThatEndsForGoodAfterItsMonitoringDoesNotHoldTheUpdateUp() throws {
        var (world, web) = try updating(replicas: 2) {
            $0.update.delay = .seconds(10)
            $0.task.restart.condition = .none
        }
        var loop = UpdatesLoop()
        for step in 0..<40 {
            try look(&world, &loop)
            try world.settle(.restarts)
            try world.playAgents()
            try look(&world, &loop)
            let survivor = world.active(web).first { $0.spec.container.image == "v2" && $0.status.isServing }
            if step == 8 { try world.observe(try #require(survivor), .failed) }
            world.wait(.seconds(1))
        }
        #expect(try world.stored(web).update?.state == .completed)
        #expect(images(world, web) == ["v2", "v2"])
    }

    @Test func aNodesClockThatIsBehindDoesNotEndTheMonitoring() throws {
        var (world, web) = try updating(replicas: 2) { $0.update.monitor = .seconds(10) }
        var loop = UpdatesLoop()
        for _ in 0..<3 {
            try look(&world, &loop)
            try world.settle(.restarts)
            world.wait(.seconds(-50))
            try world.playAgents()
            world.wait(.seconds(50))
        }
        try look(&world, &loop)
        #expect(images(world, web) == ["v2", "v1"])
        world.wait(.seconds(9))
        try look(&world, &loop)
        #expect(images(world, web) == ["v2", "v1"])
        let new = try #require(world.active(web).first)
        try world.observe(new, .failed)
        try look(&world, &loop)
        #expect(try world.stored(web).update?.state == .paused)
    }

    @Test func anotherLeaderGoesOn() throws {
        var (world, web) = try updating(replicas: 5)
        // Every run is by a fresh loop: a change of leader at each step.
        for _ in 0..<60 { try step(&world) }
        #expect(try world.stored(web).update?.state == .completed)
        #expect(images(world, web) == [String](repeating: "v2", count: 5))
    }

    @Test func aNewerSpecSupersedesAPausedUpdate() throws {
        var (world, web) = try updating()
        for _ in 0..<10 { try step(&world, failing: "v2") }
        #expect(try world.stored(web).update?.state == .paused)
        try world.update(web) { $0.task.container.image = "v3" }
        for _ in 0..<60 { try step(&world, failing: "v2") }
        #expect(try world.stored(web).update?.state == .completed)
        #expect(images(world, web) == ["v3", "v3", "v3"])
    }

    @Test func anUpdateDuringARollbackTakesOver() throws {
        var (world, web) = try updating { $0.update.failureAction = .rollback }
        for _ in 0..<30 where try world.stored(web).update?.state != .rollbackStarted {
            try step(&world, .milliseconds(100), failing: "v2")
        }
        #expect(try world.stored(web).update?.state == .rollbackStarted)
        try world.update(web) { $0.task.container.image = "v3" }
        for _ in 0..<60 { try step(&world, failing: "v2") }
        #expect(try world.stored(web).update?.state == .completed)
        #expect(images(world, web) == ["v3", "v3", "v3"])
    }

    @Test func scalingDuringAnUpdateKeepsItGoing() throws {
        var (world, web) = try updating()
        for _ in 0..<3 { try step(&world) }
        try world.update(web) { $0.mode = .replicated(6) }
        #expect(try world.stored(web).update?.state == .updating)
        #expect(try world.stored(web).previousSpec?.task.container.image == "v1")
        #expect(try world.stored(web).previousSpec?.mode == .replicated(6))
        for _ in 0..<60 { try step(&world) }
        #expect(try world.stored(web).update?.state == .completed)
        #expect(images(world, web) == [String](repeating: "v2", count: 6))
    }

    @Test func aHostPortOnTheOnlyNodeIsStoppedFirst() throws {
        var (world, web) = try updating(replicas: 1, nodes: 1) {
            $0.update.order = .startFirst
            $0.ports = [PortConfig(targetPort: 80, publishedPort: 80, mode: .host)]
        }
        try world.run(.updates)
        try world.run(.updates)
        #expect(
            try world.stored(web).update?.message
                == "update in progress: tasks are stopped first, because start-first finds no suitable node "
                + "(host-mode port already in use on 1 node)")
        for _ in 0..<20 { try step(&world) }
        #expect(images(world, web) == ["v2"])
        #expect(serving(world, web) == 1)
        #expect(try world.stored(web).update?.state == .completed)
    }

    @Test func aTaskThatFitsNowherePausesTheUpdateInTheEnd() throws {
        var (world, web) = try updating(replicas: 2)
        try world.update(web) { $0.task.reservations.memoryBytes = 1 << 50 }
        for _ in 0..<100 { try step(&world, .seconds(2)) }
        let update = try #require(try world.stored(web).update)
        #expect(update.state == .paused)
        #expect(update.message.hasSuffix(": no suitable node (insufficient resources on 3 nodes)"))
        #expect(serving(world, web) == 1)
    }

    @Test func aPendingTaskDoesNotBlockTheSpecThatFits() throws {
        var world = try World(nodes: 1)
        let web = try world.service(mode: .replicated(2)) { $0.task.reservations.memoryBytes = 1 << 50 }
        try step(&world)
        #expect(world.active(web).allSatisfy { $0.status.error.hasPrefix("no suitable node") })
        try world.update(web) { $0.task.reservations.memoryBytes = 0 }
        for _ in 0..<20 { try step(&world) }
        #expect(serving(world, web) == 2)
        #expect(world.tables.tasks(of: web.id).count == 2)
    }

    @Test func newConstraintsLeaveTasksThatSatisfyThem() throws {
        var world = try World(nodes: 3)
        let web = try world.service(mode: .replicated(3))
        try world.settle(.replicas, .allocation, .scheduling)
        try world.playAgents()
        let constraint = try Constraint(parsing: "node.hostname!=n2")
        let before = world.active(web)
        try world.update(web) { $0.task.placement.constraints = [constraint] }
        for _ in 0..<20 { try step(&world) }
        let after = world.active(web)
        #expect(after.count == 3)
        #expect(after.allSatisfy { $0.nodeID != world.nodeIDs[1] })
        #expect(Set(before.map(\.id)).intersection(after.map(\.id)).count == 2)
    }

    @Test func globalServicesAreUpdatedNodeByNode() throws {
        var world = try World(nodes: 3)
        let agent = try world.service("agent", mode: .global)
        try step(&world)
        try step(&world)
        try world.update(agent) { $0.task.container.image = "v2" }
        for _ in 0..<40 {
            try step(&world)
            #expect(serving(world, agent) >= 2)
        }
        #expect(images(world, agent) == ["v2", "v2", "v2"])
        #expect(try world.stored(agent).update?.state == .completed)
    }

    @Test func startFirstIsRefusedWhenTheOldTaskWasJustReplaced() throws {
        var (world, web) = try updating(replicas: 1) { $0.update.order = .startFirst }
        try world.run(.updates)
        var loop = UpdatesLoop()
        let output = loop.run(world.tables, changes: nil, now: world.now, random: &world.random)
        let node = try #require(world.active(web).first?.nodeID.flatMap { world.tables.nodes[$0] })
        try world.update(node) { $0.spec.availability = .drain }
        try world.settle(.nodes, .replicas)
        let changes = try #require(output.transactions.first).changes
        #expect(throws: TransactionRefusal.self) { try world.apply(changes) }
        #expect(world.active(web).count == 1)
    }

    @Test func aNodesClockThatIsAheadDoesNotHoldTheUpdateUp() throws {
        var (world, web) = try updating(replicas: 2)
        var loop = UpdatesLoop()
        for _ in 0..<30 {
            for _ in 0..<2 {
                let output = loop.run(world.tables, changes: nil, now: world.now, random: &world.random)
                for transaction in output.transactions { try world.apply(transaction.changes) }
            }
            try world.settle(.replicas, .restarts, .allocation, .scheduling)
            world.wait(.seconds(3600))
            try world.playAgents()
            world.wait(.seconds(-3598))
        }
        #expect(try world.stored(web).update?.state == .completed)
    }

    @Test func failuresCountEvenWithoutHistory() throws {
        var (world, web) = try updating(replicas: 2) { $0.update.maxFailureRatio = 0.5 }
        var cluster = try #require(world.tables.cluster)
        cluster.spec.taskHistoryLimit = 0
        try world.apply([.update(.cluster(cluster), bySpec: true)])
        for _ in 0..<60 { try step(&world, failing: "v2") }
        #expect(try world.stored(web).update?.state == .paused)
        for task in world.active(web) { try world.observe(task, .running) }
        world.wait(OrchestrationLimits.failureWindow)
        try world.settle(.reaping)
        #expect(world.tables.tasks(of: web.id).count == 2)
    }

    @Test func labelsOfTheServiceReplaceNothing() throws {
        var (world, web) = try updating()
        for _ in 0..<40 { try step(&world) }
        let before = try world.stored(web)
        try world.update(web) { $0.labels = ["team": "shop"] }
        try step(&world)
        #expect(try world.stored(web).taskVersion == before.taskVersion)
        #expect(try world.stored(web).update?.state == .completed)
        #expect(world.active(web).allSatisfy { $0.serviceVersion == before.taskVersion })
    }
}

@Suite struct ServiceUpdatesTests {
    @Test func onlyWhatTasksAreMadeFromReplacesThem() {
        let spec = ServiceSpec(name: "web", task: TaskSpec(container: ContainerSpec(image: "v1")))
        func changes(_ change: (inout ServiceSpec) -> Void) -> Bool {
            var new = spec
            change(&new)
            return ServiceUpdates.taskVersionChanges(spec, new)
        }
        #expect(!changes { $0.labels = ["a": "b"] })
        #expect(!changes { $0.mode = .replicated(9) })
        #expect(!changes { $0.update.parallelism = 7 })
        #expect(changes { $0.task.forceUpdate = 1 })
        #expect(changes { $0.ports = [PortConfig(targetPort: 80)] })
        #expect(changes { $0.endpointMode = .vip })
    }

    @Test func aSecondRollbackHasNothingToReturnTo() throws {
        let now = Timestamp(nanoseconds: 5)
        let spec = ServiceSpec(name: "web", task: TaskSpec(container: ContainerSpec(image: "v1")))
        var new = spec
        new.task.container.image = "v2"
        let service = Service(id: ServiceID(value: 1), spec: spec)
        let updated = ServiceUpdates.updated(service, to: new, now: now)
        #expect(updated.previousSpec == spec && updated.taskVersion > service.taskVersion)
        let back = try #require(ServiceUpdates.rolledBack(updated, now: now))
        #expect(back.spec == spec && back.previousSpec == nil && back.taskVersion > updated.taskVersion)
        #expect(back.update?.state == .rollbackStarted)
        #expect(ServiceUpdates.rolledBack(back, now: now) == nil)
    }
}
