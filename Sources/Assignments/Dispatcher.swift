public import ClusterModel
public import ClusterState
public import Primitives

/// One agent's connection to this leader.
public struct SessionID: Hashable, Comparable, Sendable {
    public var value: UInt64
    public init(value: UInt64) { self.value = value }
    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// The leader's side of every agent's session: who is alive, what each node has been told, what tasks report.
///
/// An Instance: no I/O. Every event returns the directives that the shell performs, in order.
public struct Dispatcher: Sendable {
    public enum Directive: Hashable, Sendable {
        case send(SessionID, AssignmentMessage)
        /// The session is over; the agent connects again.
        case close(SessionID, reason: String)
        /// To be written to the log, again and again until it is there or leadership is lost.
        case write([Change])
    }

    private struct Session: Sendable {
        var node: NodeID
        var lastHeard: Instant
        var sequence: UInt64 = 0
        /// What the agent holds once it has worked through all that was sent.
        var sent: [AssignmentKey: AssignmentItem] = [:]
        var managers: [String] = []
        var role: NodeRole?
    }

    private var sessions: [SessionID: Session] = [:]
    private var sessionOfNode: [NodeID: SessionID] = [:]
    private var heartbeatDeadlines: [NodeID: Instant] = [:]
    private var dirty: Set<NodeID> = []
    private var allDirty = false

    public init() {}

    public var sessionCount: Int { sessions.count }

    /// A new leader gives every node that was alive the time of three heartbeats to find it.
    public mutating func onLeadership(_ tables: ClusterTables, now: Instant) -> [Directive] {
        let grace = tables.heartbeatTimeout
        tables.nodes.forEachUnordered { node in
            if node.status.state != .down { heartbeatDeadlines[node.id] = now + grace }
        }
        return []
    }

    /// An agent says hello: it gets everything, and its node is ready.
    public mutating func onRegister(
        _ id: SessionID, node: NodeID, description: NodeDescription, address: String, tables: ClusterTables,
        now: Instant, wallClock: Timestamp
    ) -> [Directive] {
        guard let stored = tables.nodes[node] else {
            return [.close(id, reason: "node \(node) is not a member of this cluster: it was removed")]
        }
        var directives: [Directive] = []
        if let old = sessionOfNode[node] {
            sessions[old] = nil
            directives.append(.close(old, reason: "node \(node) has registered again"))
        }
        sessions[id] = Session(node: node, lastHeard: now)
        sessionOfNode[node] = id
        heartbeatDeadlines[node] = now + tables.heartbeatTimeout
        var status = stored.status
        if status.state != .ready { status.since = wallClock }
        status.state = .ready
        status.message = ""
        status.address = address
        directives.append(.write([.observeNode(node, status, description)]))
        directives += sendComplete(id, tables: tables)
        return directives
    }

    public mutating func onHeartbeat(_ id: SessionID, tables: ClusterTables, now: Instant) {
        guard let node = sessions[id]?.node else { return }
        sessions[id]?.lastHeard = now
        heartbeatDeadlines[node] = now + tables.heartbeatTimeout
    }

    /// An agent reports on tasks of its own; what it says of others' is not listened to.
    public mutating func onStatuses(
        _ id: SessionID, _ statuses: [(task: TaskID, status: TaskStatus)], tables: ClusterTables
    ) -> [Directive] {
        guard let node = sessions[id]?.node else { return [] }
        let own = statuses.filter { tables.tasks[$0.task]?.nodeID == node }
        return stride(from: 0, to: own.count, by: AssignmentLimits.statusesPerTransaction).map { start in
            let end = min(start + AssignmentLimits.statusesPerTransaction, own.count)
            return .write(own[start..<end].map { .observeTask($0.task, $0.status) })
        }
    }

    /// The connection broke. The node is down only when its heartbeats stay away.
    public mutating func onDisconnect(_ id: SessionID) {
        guard let session = sessions.removeValue(forKey: id) else { return }
        if sessionOfNode[session.node] == id { sessionOfNode[session.node] = nil }
    }

    /// The node leaves on purpose: it is down at once.
    public mutating func onLeave(_ node: NodeID, tables: ClusterTables, wallClock: Timestamp) -> [Directive] {
        var directives: [Directive] = []
        heartbeatDeadlines[node] = nil
        if let session = sessionOfNode.removeValue(forKey: node) {
            sessions[session] = nil
            directives.append(.close(session, reason: "node \(node) has left the cluster"))
        }
        guard var status = tables.nodes[node]?.status, status.state != .down else { return directives }
        status.state = .down
        status.message = "the node has left the cluster"
        status.since = wallClock
        directives.append(.write([.observeNode(node, status, nil)]))
        return directives
    }

    /// Notes whose assignments changed; ``flush(tables:)`` sends them.
    public mutating func onChanges(_ changes: [StateChange], tables: ClusterTables) -> [Directive] {
        var directives: [Directive] = []
        for change in changes {
            if case (.node(let removed), nil) = (change.before, change.after) {
                heartbeatDeadlines[removed.id] = nil
                if let session = sessionOfNode.removeValue(forKey: removed.id) {
                    sessions[session] = nil
                    directives.append(.close(session, reason: "node \(removed.id) was removed from the cluster"))
                }
            }
            if let affected = tables.nodesAffected(by: change) {
                dirty.formUnion(affected)
            } else {
                allDirty = true
            }
        }
        return directives
    }

    /// Sends what changed since the last flush. The shell calls it after a short delay, so that changes are batched.
    public mutating func flush(tables: ClusterTables) -> [Directive] {
        let nodes = allDirty ? sessionOfNode.keys.sorted() : dirty.filter { sessionOfNode[$0] != nil }.sorted()
        dirty = []
        allDirty = false
        return nodes.flatMap { node in sessionOfNode[node].map { sendChanges($0, tables: tables) } ?? [] }
    }

    public var hasUnsentChanges: Bool { allDirty || !dirty.isEmpty }

    /// Declares nodes down whose heartbeats stayed away.
    public mutating func onTick(tables: ClusterTables, now: Instant, wallClock: Timestamp) -> [Directive] {
        var directives: [Directive] = []
        for (node, deadline) in heartbeatDeadlines.sorted(by: { $0.key < $1.key }) where deadline <= now {
            heartbeatDeadlines[node] = nil
            if let session = sessionOfNode.removeValue(forKey: node) {
                sessions[session] = nil
                directives.append(.close(session, reason: "no heartbeat for \(tables.heartbeatTimeout)"))
            }
            guard var status = tables.nodes[node]?.status, status.state != .down else { continue }
            status.state = .down
            status.message = "heartbeat failure: nothing heard for \(tables.heartbeatTimeout)"
            status.since = wallClock
            directives.append(.write([.observeNode(node, status, nil)]))
        }
        return directives
    }

    private mutating func sendComplete(_ id: SessionID, tables: ClusterTables) -> [Directive] {
        guard var session = sessions[id] else { return [] }
        session.sent = tables.assignments(for: session.node)
        session.managers = tables.managerAddresses
        session.role = tables.nodes[session.node]?.wantedRole
        let items = session.sent.sorted { $0.key < $1.key }.map(\.value)
        let directives = messages(.complete, items, [], &session, id, tables)
        sessions[id] = session
        return directives
    }

    private mutating func sendChanges(_ id: SessionID, tables: ClusterTables) -> [Directive] {
        guard var session = sessions[id] else { return [] }
        let wanted = tables.assignments(for: session.node)
        let updates = wanted.filter { session.sent[$0.key] != $0.value }.sorted { $0.key < $1.key }.map(\.value)
        let removals = session.sent.keys.filter { wanted[$0] == nil }.sorted()
        let managers = tables.managerAddresses
        let role = tables.nodes[session.node]?.wantedRole
        guard !updates.isEmpty || !removals.isEmpty || managers != session.managers || role != session.role else {
            return []
        }
        session.sent = wanted
        session.managers = managers
        session.role = role
        let directives = messages(.incremental, updates, removals, &session, id, tables)
        sessions[id] = session
        return directives
    }

    private func messages(
        _ kind: AssignmentMessage.Kind, _ updates: [AssignmentItem], _ removals: [AssignmentKey],
        _ session: inout Session, _ id: SessionID, _ tables: ClusterTables
    ) -> [Directive] {
        let limit = AssignmentLimits.itemsPerMessage
        let parts = max(1, (updates.count + limit - 1) / limit)
        return (0..<parts).map { part in
            session.sequence += 1
            return .send(
                id,
                AssignmentMessage(
                    kind: kind, sequence: session.sequence, isLast: part == parts - 1,
                    updates: Array(updates.dropFirst(part * limit).prefix(limit)),
                    removals: part == 0 ? removals : [], managers: session.managers,
                    heartbeatPeriod: tables.heartbeatPeriod, role: session.role))
        }
    }
}

extension ClusterTables {
    var heartbeatPeriod: Duration { cluster?.spec.heartbeatPeriod ?? .seconds(5) }
    var heartbeatTimeout: Duration { heartbeatPeriod * AssignmentLimits.missedHeartbeats }
    /// `HOST:PORT` of every manager, ordered by raft id.
    public var managerAddresses: [String] {
        nodes.sorted.compactMap(\.manager).sorted { $0.raftID < $1.raftID }.map(\.address)
    }
}
