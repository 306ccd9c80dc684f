import Assignments
import ClusterModel
import ClusterState
import Primitives
import Testing

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

    private mutating func task(on node: NodeID) throws -> ClusterTask {
        let task = ClusterTask(
            id: TaskID(using: &random), serviceID: ServiceID(using: &random), slot: 1, nodeID: node, name: "web.1",
            serviceName: "web", serviceVersion: 1, spec: TaskSpec(container: ContainerSpec(image: "busybox")),
            status: TaskStatus(state: .assigned))
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
        dispatcher.onHeartbeat(SessionID(value: 1), tables: tables, now: start + .seconds(5))
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
        #expect(messages(dispatcher.flush(tables: tables)).map(\.role) == [.manager])
        stored = try #require(tables.nodes[node])
        stored.manager = ManagerStatus(raftID: 7, address: "10.0.0.1:2377")
        try apply([.update(.node(stored), bySpec: false)])
        _ = dispatcher.flush(tables: tables)
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
}
