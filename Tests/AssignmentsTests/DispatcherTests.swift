import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Assignments

@Suite struct DispatcherTests {
    private var dispatcher = Dispatcher()
    private var tables = ClusterTables()
    private var random = SeededRandom(seed: 5)
    private var index: UInt64 = 0
    private let start = Instant(nanoseconds: 0)
    private let clock = Timestamp(nanoseconds: 1)
    private let description = NodeDescription(hostname: "n1", resources: Resources())

    @discardableResult
    private mutating func apply(_ changes: [Change]) throws -> [Dispatcher.Directive] {
        index += 1
        let applied = try tables.apply(Transaction(changes, time: clock), at: index).get()
        return dispatcher.onChanges(applied, tables: tables)
    }

    private mutating func node() throws -> NodeID {
        let node = Node(id: NodeID(using: &random), spec: NodeSpec(role: .worker))
        try apply([.create(.node(node))])
        return node.id
    }

    @discardableResult
    private mutating func task(
        on node: NodeID, change: (inout ClusterTask) -> Void = { _ in }
    ) throws -> ClusterTask {
        var task = ClusterTask(
            id: TaskID(using: &random), serviceID: ServiceID(using: &random), slot: 1, nodeID: node, name: "web.1",
            serviceName: "web", serviceVersion: 1, spec: TaskSpec(container: ContainerSpec(image: "busybox")),
            status: TaskStatus(state: .assigned))
        change(&task)
        try apply([.create(.task(task))])
        return task
    }

    private mutating func register(_ node: NodeID, session: UInt64, at now: Instant) -> [Dispatcher.Directive] {
        dispatcher.onRegister(
            SessionID(value: session), node: node, description: description, address: "10.0.0.1", tables: tables,
            now: now, wallClock: clock)
    }

    private func messages(_ directives: [Dispatcher.Directive]) -> [AssignmentMessage] {
        directives.compactMap { if case .send(_, let message) = $0 { message } else { nil } }
    }

    @Test mutating func aRegistrationGetsEverythingAndMakesTheNodeReady() throws {
        let node = try node()
        let task = try task(on: node)
        let directives = register(node, session: 1, at: start)
        guard case .write(let changes) = directives.first, case .observeNode(_, let status, _) = changes.first else {
            Issue.record("no write of the node's status")
            return
        }
        #expect(status.state == .ready)
        let message = try #require(messages(directives).first)
        #expect(message.kind == .complete)
        #expect(message.updates.map(\.key) == [.task(task.id)])
    }

    @Test mutating func changesAreSentOnceAndOnlyToTheirNode() throws {
        let first = try node()
        let second = try node()
        _ = register(first, session: 1, at: start)
        _ = register(second, session: 2, at: start)
        _ = dispatcher.flush(tables: tables)
        let task = try task(on: first)
        let sent = dispatcher.flush(tables: tables)
        #expect(sent.count == 1)
        #expect(messages(sent).first?.updates.map(\.key) == [.task(task.id)])
        try apply([.observeTask(task.id, TaskStatus(state: .running))])
        #expect(dispatcher.flush(tables: tables).isEmpty)
        try apply([.delete(.task(task.id), version: nil)])
        #expect(messages(dispatcher.flush(tables: tables)).first?.removals == [.task(task.id)])
    }

    @Test mutating func manyItemsAreSentInParts() throws {
        let node = try node()
        for _ in 0..<450 { _ = try task(on: node) }
        let sent = messages(register(node, session: 1, at: start))
        #expect(sent.map(\.updates.count) == [200, 200, 50])
        #expect(sent.map(\.isLast) == [false, false, true])
        #expect(sent.map(\.sequence) == [1, 2, 3])
    }

    @Test mutating func aNodeIsDownAfterThreeMissedHeartbeats() throws {
        let node = try node()
        guard case .write(let changes) = register(node, session: 1, at: start).first else {
            Issue.record("no write")
            return
        }
        try apply(changes)
        dispatcher.onHeartbeat(SessionID(value: 1), now: start + .seconds(5))
        #expect(dispatcher.onTick(tables: tables, now: start + .seconds(19), wallClock: clock).isEmpty)
        let down = dispatcher.onTick(tables: tables, now: start + .seconds(20), wallClock: clock)
        guard case .write(let writes) = down.last, case .observeNode(_, let status, _) = writes.first else {
            Issue.record("the node was not declared down")
            return
        }
        #expect(status.state == .down)
    }

    @Test mutating func statusesOfOtherNodesTasksAreNotListenedTo() throws {
        let first = try node()
        let second = try node()
        let task = try task(on: first)
        _ = register(second, session: 2, at: start)
        let directives = dispatcher.onStatuses(
            SessionID(value: 2), [(task.id, TaskStatus(state: .failed))], tables: tables)
        #expect(directives.isEmpty)
    }

    @Test mutating func aNodeIsToldWhatItIsToBe() throws {
        let node = try node()
        #expect(messages(register(node, session: 1, at: start)).map(\.role) == [.worker])
        var stored = try #require(tables.nodes[node])
        stored.spec.role = .manager
        try apply([.update(.node(stored), bySpec: true)])
        #expect(messages(dispatcher.flush(tables: tables)).map(\.role) == [.manager(raftID: 0)])
        stored = try #require(tables.nodes[node])
        stored.manager = ManagerStatus(raftID: 7, address: "10.0.0.1:2377")
        try apply([.update(.node(stored), bySpec: false)])
        #expect(messages(dispatcher.flush(tables: tables)).map(\.role) == [.manager(raftID: 7)])
        // It stays one until Raft goes on without it.
        stored = try #require(tables.nodes[node])
        stored.spec.role = .worker
        try apply([.update(.node(stored), bySpec: true)])
        #expect(messages(dispatcher.flush(tables: tables)).isEmpty)
        stored = try #require(tables.nodes[node])
        stored.manager = nil
        try apply([.update(.node(stored), bySpec: false)])
        #expect(messages(dispatcher.flush(tables: tables)).map(\.role) == [.worker])
    }

    @Test mutating func aManagerThatIsToBeAnotherMemberOfRaftIsToldSo() throws {
        let node = try node()
        var stored = try #require(tables.nodes[node])
        stored.spec.role = .manager
        stored.manager = ManagerStatus(raftID: 7, address: "10.0.0.1:2377")
        try apply([.update(.node(stored), bySpec: false)])
        #expect(messages(register(node, session: 1, at: start)).map(\.role) == [.manager(raftID: 7)])
        // Demoted, taken out and promoted again before the next message is made.
        stored = try #require(tables.nodes[node])
        stored.manager = nil
        try apply([.update(.node(stored), bySpec: false)])
        #expect(messages(dispatcher.flush(tables: tables)).map(\.role) == [.manager(raftID: 0)])
    }

    @Test mutating func aNodeThatLeavesIsDownAtOnce() throws {
        let node = try node()
        guard case .write(let changes) = register(node, session: 1, at: start).first else {
            Issue.record("no write")
            return
        }
        try apply(changes)
        let directives = dispatcher.onLeave(node, tables: tables, wallClock: clock)
        #expect(directives.first == .close(SessionID(value: 1), reason: "node \(node) has left the cluster"))
        guard case .write(let writes) = directives.last, case .observeNode(_, let status, _) = writes.first else {
            Issue.record("the node was not declared down")
            return
        }
        #expect(status.state == .down)
        try apply(writes)
        #expect(dispatcher.onTick(tables: tables, now: start + .seconds(60), wallClock: clock).isEmpty)
    }

    @Test mutating func aRemovedNodesSessionIsClosed() throws {
        let node = try node()
        _ = register(node, session: 1, at: start)
        let directives = try apply([.delete(.node(node), version: nil)])
        #expect(directives == [.close(SessionID(value: 1), reason: "node \(node) was removed from the cluster")])
        #expect(register(node, session: 2, at: start).count == 1)
    }

    // MARK: Size and order of messages

    @Test mutating func largeItemsAreSentInSmallerMessages() throws {
        let node = try node()
        for _ in 0..<100 {
            try task(on: node) {
                $0.spec.container.environment = [String](repeating: String(repeating: "x", count: 1_000), count: 64)
            }
        }
        let sent = messages(register(node, session: 1, at: start))
        #expect(sent.flatMap(\.updates).count == 100)
        #expect(sent.count == 7)
        #expect(
            sent.allSatisfy { $0.updates.reduce(0) { $0 + $1.estimatedBytes } <= AssignmentLimits.bytesPerMessage })
        #expect(sent.map(\.isLast) == [false, false, false, false, false, false, true])
    }

    @Test mutating func whatTasksNeedComesInNoLaterMessage() throws {
        let node = try node()
        _ = register(node, session: 1, at: start)
        for number in 0..<250 {
            let secret = Secret(id: SecretID(using: &random), name: "s\(number)", data: [1])
            try apply([.create(.secret(secret))])
            try task(on: node) { $0.spec.container.secrets = [FileReference(id: secret.id, name: "s", target: "s")] }
        }
        var known: Set<SecretID> = []
        for message in messages(dispatcher.flush(tables: tables)) {
            for case .secret(let secret) in message.updates { known.insert(secret.id) }
            for case .task(let task) in message.updates {
                #expect(task.spec.container.secrets.allSatisfy { known.contains($0.id) })
            }
        }
        #expect(known.count == 250)
    }

    @Test mutating func textsOfAStatusAreCut() throws {
        let node = try node()
        let task = try task(on: node)
        _ = register(node, session: 1, at: start)
        let long = String(repeating: "ü", count: 1 << 20)
        let status = TaskStatus(
            state: .failed, message: long, error: long, container: ContainerStatus(containerID: long))
        let directives = dispatcher.onStatuses(SessionID(value: 1), [(task.id, status)], tables: tables)
        guard case .write(let changes) = directives.first, case .observeTask(_, let written) = changes.first else {
            Issue.record("no write")
            return
        }
        #expect(written.error.hasPrefix("üü") && written.error.hasSuffix("…"))
        #expect(written.estimatedBytes < 10_000)
    }

    // MARK: Heartbeats

    private mutating func setHeartbeat(_ period: Duration) throws {
        if var cluster = tables.cluster {
            cluster.spec.heartbeatPeriod = period
            try apply([.update(.cluster(cluster), bySpec: true)])
        } else {
            var cluster = Cluster(id: ClusterID(using: &random), addressPools: [])
            cluster.spec.heartbeatPeriod = period
            try apply([.create(.cluster(cluster))])
        }
    }

    private mutating func isDown(at now: Instant) -> Bool {
        // The first look after a long time is not believed.
        let first = dispatcher.onTick(tables: tables, now: now, wallClock: clock)
        return !first.isEmpty || !dispatcher.onTick(tables: tables, now: now, wallClock: clock).isEmpty
    }

    @Test(arguments: [(60, 5), (5, 60), (5, 1)])
    mutating func anotherHeartbeatPeriodLetsAgentsEndTheirPause(old: Int, new: Int) throws {
        let session = SessionID(value: 1)
        let node = try node()
        try setHeartbeat(.seconds(old))
        _ = register(node, session: 1, at: start)
        for _ in 0..<2 { dispatcher.onHeartbeat(session, now: start) }
        try setHeartbeat(.seconds(new))
        #expect(messages(dispatcher.flush(tables: tables)).map(\.heartbeatPeriod) == [.seconds(new)])
        #expect(dispatcher.flush(tables: tables).isEmpty)
        // One was under way, the next ends the old pause; the agent may be in a pause of the new length already.
        dispatcher.onHeartbeat(session, now: start)
        let next = start + .seconds(max(old, new))
        #expect(!isDown(at: next))
        dispatcher.onHeartbeat(session, now: next)
        dispatcher.onHeartbeat(session, now: next)
        #expect(!isDown(at: next + .seconds(3 * new - 1)))
        #expect(isDown(at: next + .seconds(3 * new)))
    }

    @Test mutating func aLateLookFindsNobodyDown() throws {
        let node = try node()
        _ = register(node, session: 1, at: start)
        #expect(dispatcher.onTick(tables: tables, now: start, wallClock: clock).isEmpty)
        #expect(dispatcher.onTick(tables: tables, now: start + .seconds(20), wallClock: clock).isEmpty)
        #expect(!dispatcher.onTick(tables: tables, now: start + .seconds(21), wallClock: clock).isEmpty)
    }

    @Test mutating func aNodeWhoseRemovalWasMissedIsSentAway() throws {
        let node = try node()
        _ = register(node, session: 1, at: start)
        index += 1
        _ = try tables.apply(Transaction([.delete(.node(node), version: nil)], time: clock), at: index).get()
        let directives = dispatcher.onChanges([StateChange(before: nil, after: nil)], tables: tables)
        #expect(directives == [.close(SessionID(value: 1), reason: "node \(node) was removed from the cluster")])
        #expect(!isDown(at: start + .seconds(60)))
    }

    // MARK: All of it

    /// What a node has to know, found the slow way.
    private func everything(for node: NodeID) -> [AssignmentKey: AssignmentItem] {
        let own = tables.ownAssignments(of: node, ingress: tables.ingressNetworks)
        var items = own.items
        if own.networks.isEmpty { return items }
        for task in tables.tasks.sorted {
            for endpoint in task.endpoints where own.networks.contains(endpoint.network) {
                items[.endpoint(endpoint.network, task.id)] = .endpoint(endpoint)
            }
        }
        for other in tables.nodes.sorted where other.id != node {
            if let peer = other.overlayPeer { items[.peer(other.id)] = .peer(peer) }
        }
        return items
    }

    private mutating func changeSomething(_ nodes: [NodeID], _ networks: [NetworkID]) throws {
        let tasks = tables.tasks.sorted
        let node = nodes[Int.random(in: 0..<nodes.count, using: &random)]
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1:
            let joined = networks.filter { _ in Bool.random(using: &random) }
            let address = try #require(IPv4Address("10.1.0.\(Int.random(in: 2..<250, using: &random))"))
            try task(on: node) { task in
                task.networks = joined.map { NetworkAttachment(network: $0, address: address) }
            }
        case 2 where !tasks.isEmpty:
            let task = tasks[Int.random(in: 0..<tasks.count, using: &random)]
            try apply([.observeTask(task.id, TaskStatus(state: .running, isServing: Bool.random(using: &random)))])
        case 3 where !tasks.isEmpty:
            try apply([.delete(.task(tasks[Int.random(in: 0..<tasks.count, using: &random)].id), version: nil)])
        case 4 where !tasks.isEmpty:
            try apply([
                .observeTask(
                    tasks[Int.random(in: 0..<tasks.count, using: &random)].id, TaskStatus(state: .failed))
            ])
        default:
            var machine = description
            machine.overlayKey = Bool.random(using: &random) ? [UInt8.random(in: 0...255, using: &random)] : []
            machine.overlayEndpoint = "10.0.0.1:4789"
            try apply([.observeNode(node, NodeStatus(state: .ready), machine)])
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    mutating func agentsKnowWhatTheyHaveToWhateverChanges(seed: UInt64) throws {
        random = SeededRandom(seed: seed)
        let nodes = try (0..<3).map { _ in try node() }
        let networks = try (0..<3).map { number in
            let subnet = try #require(IPv4Network("10.\(number).0.0/24"))
            let network = Network(
                id: NetworkID(using: &random),
                spec: NetworkSpec(name: "n\(number)", isIngress: seed % 4 == 0 && number == 0),
                allocation: NetworkAllocation(
                    vni: 4096, subnet: subnet, gateway: subnet.address, mtu: 1400))
            try apply([.create(.network(network))])
            return network.id
        }
        var held: [SessionID: [AssignmentKey: AssignmentItem]] = [:]
        func take(_ directives: [Dispatcher.Directive]) {
            for case .send(let session, let message) in directives {
                if message.kind == .complete { held[session] = [:] }
                for item in message.updates { held[session, default: [:]][item.key] = item }
                for key in message.removals { held[session, default: [:]][key] = nil }
            }
        }
        for step in 0..<200 {
            try changeSomething(nodes, networks)
            // A session begins between a change and the message of it.
            let node = Int.random(in: 0..<3, using: &random)
            if step < 3 || step % 17 == 0 { take(register(nodes[node], session: UInt64(node), at: start)) }
            if step % 3 == 0 {
                if step % 30 == 0 {
                    let lost = StateChange(before: nil, after: nil)
                    take(dispatcher.onChanges([lost], tables: tables))
                }
                take(dispatcher.flush(tables: tables))
                for (session, items) in held {
                    #expect(items == everything(for: nodes[Int(session.value)]))
                }
            }
        }
        #expect(!held.isEmpty)
    }

    @Test mutating func aChangeCostsWhatChangedNotWhatThereIs() throws {
        let network = Network(
            id: NetworkID(using: &random), spec: NetworkSpec(name: "n"),
            allocation: NetworkAllocation(
                vni: 4096, subnet: try #require(IPv4Network("10.0.0.0/8")),
                gateway: try #require(IPv4Address("10.0.0.1")), mtu: 1400))
        try apply([.create(.network(network))])
        let address = try #require(IPv4Address("10.0.0.2"))
        var last: ClusterTask?
        let nodes = try (0..<100).map { _ in try node() }
        for node in nodes {
            for _ in 0..<10 {
                last = try task(on: node) {
                    $0.networks = [NetworkAttachment(network: network.id, address: address)]
                }
            }
        }
        for (number, node) in nodes.enumerated() { _ = register(node, session: UInt64(number), at: start) }
        let task = try #require(last)
        let clock = ContinuousClock()
        // 100 changes for 100 nodes of 1,000 endpoints: looking at every endpoint for every node would be 10 million.
        let time = try clock.measure {
            for number in 0..<100 {
                try apply([.observeTask(task.id, TaskStatus(state: .running, isServing: number % 2 == 0))])
                let sent = messages(dispatcher.flush(tables: tables))
                #expect(sent.count == 100 && sent.allSatisfy { $0.updates.count == 1 })
            }
        }
        #expect(time < .seconds(5))
    }
}
