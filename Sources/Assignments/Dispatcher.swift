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
        /// The session is refused: another machine with its node's identity is alive.
        case fence(SessionID, reason: String)
        /// To be written to the log, again and again until it is there or leadership is lost.
        case write([Change])
    }

    private struct Session: Sendable {
        var node: NodeID
        var lastHeard: Instant
        var sequence: UInt64 = 0
        /// What the agent holds once it has worked through all that was sent; with it what `shared` says of its networks.
        var own = OwnAssignments()
        /// The heartbeat that it was told.
        var period: Duration
        /// A longer one that it may still go by, for so many heartbeats.
        var earlier: (period: Duration, beats: Int)?
        var managers: [String] = []
        var role: WantedRole?
        /// What it was told to trust.
        var trustDigest: [UInt8] = []
        var marks = SessionMarks()

        var longestPeriod: Duration { max(period, earlier?.period ?? period) }
        var timeout: Duration { longestPeriod * AssignmentLimits.missedHeartbeats }
    }

    private var sessions: [SessionID: Session] = [:]
    private var sessionOfNode: [NodeID: SessionID] = [:]
    private var heartbeatDeadlines: [NodeID: Instant] = [:]
    private var contests = IdentityContests()
    private var dirty: Set<NodeID> = []
    private var allDirty = false
    /// Nil until the first session.
    private var shared: SharedView?
    private var lastTick: Instant?

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

    /// An agent says hello: it gets everything, and its node is ready; unless another machine is the node.
    public mutating func onRegister(
        _ id: SessionID, node: NodeID, marks: SessionMarks = SessionMarks(), description: NodeDescription,
        address: String, tables: ClusterTables, now: Instant, wallClock: Timestamp
    ) -> [Directive] {
        guard let stored = tables.nodes[node] else {
            return [.close(id, reason: "node \(node) is not a member of this cluster: it was removed")]
        }
        if let refusal = refusal(of: id, stored, marks, address, now: now) { return refusal }
        var directives: [Directive] = []
        if let old = sessionOfNode[node] {
            sessions[old] = nil
            directives.append(.close(old, reason: "node \(node) has registered again"))
        }
        var session = Session(node: node, lastHeard: now, period: tables.heartbeatPeriod)
        let first = Duration.seconds(AssignmentLimits.firstHeartbeatSeconds)
        if first > session.period { session.earlier = (first, AssignmentLimits.heartbeatsByOldPeriod) }
        session.marks = marks
        sessions[id] = session
        sessionOfNode[node] = id
        heartbeatDeadlines[node] = now + session.timeout
        var status = stored.status
        if status.state != .ready { status.since = wallClock }
        status.state = .ready
        status.message = ""
        status.address = address
        directives.append(.write([.observeNode(node, status, description)]))
        directives += sendComplete(id, tables: tables)
        return directives
    }

    /// What is done instead of a registration that may be another machine's; nil when it is the node's own.
    private mutating func refusal(
        of id: SessionID, _ node: Node, _ marks: SessionMarks, _ address: String, now: Instant
    ) -> [Directive]? {
        guard let holder = sessionOfNode[node.id].flatMap({ sessions[$0] }), !marks.follow(holder.marks) else {
            contests.end(node.id)
            return nil
        }
        switch contests.judge(node.id, lastHeard: holder.lastHeard, period: holder.longestPeriod, now: now) {
        case .succeeds: return nil
        case .waits:
            return [.close(id, reason: "node \(node.id) has a session; whether it is alive will show in a moment")]
        case .isFenced:
            let reason =
                "another machine at \(node.status.address) shows the identity of node \(node.id) and is alive: this one is "
                + "a copy; run `swarmctl leave --force` on it, then join it as a node of its own"
            var status = node.status
            status.message = "a second machine with this node's identity, at \(address), is kept out"
            let write = Directive.write([.observeNode(node.id, status, nil)])
            return [.fence(id, reason: reason)] + (status == node.status ? [] : [write])
        }
    }

    public mutating func onHeartbeat(_ id: SessionID, now: Instant) {
        guard var session = sessions[id] else { return }
        session.lastHeard = now
        heartbeatDeadlines[session.node] = now + session.timeout
        if let earlier = session.earlier {
            session.earlier = earlier.beats > 1 ? (earlier.period, earlier.beats - 1) : nil
        }
        sessions[id] = session
    }

    /// An agent reports on tasks of its own; what it says of others' is not listened to.
    public mutating func onStatuses(
        _ id: SessionID, _ statuses: [(task: TaskID, status: TaskStatus)], tables: ClusterTables
    ) -> [Directive] {
        guard let node = sessions[id]?.node else { return [] }
        let own = statuses.filter { tables.tasks[$0.task]?.nodeID == node }
        return stride(from: 0, to: own.count, by: AssignmentLimits.statusesPerTransaction).map { start in
            let end = min(start + AssignmentLimits.statusesPerTransaction, own.count)
            return .write(own[start..<end].map { .observeTask($0.task, $0.status.bounded) })
        }
    }

    /// The connection broke. The node is down only when its heartbeats stay away.
    public mutating func onDisconnect(_ id: SessionID) {
        guard let session = sessions.removeValue(forKey: id) else { return }
        if sessionOfNode[session.node] == id {
            sessionOfNode[session.node] = nil
            contests.end(session.node)
        }
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
            shared?.note(change, tables)
            switch (change.before, change.after) {
            case (.node(let removed), nil): directives += forget(removed.id)
            case (nil, nil):
                // Changes were lost.
                let known = Set(sessionOfNode.keys).union(heartbeatDeadlines.keys)
                for node in known.sorted() where tables.nodes[node] == nil { directives += forget(node) }
            default: break
            }
            if let affected = tables.nodesAffected(by: change) {
                dirty.formUnion(affected)
            } else {
                allDirty = true
            }
        }
        return directives
    }

    /// The node is none of this cluster's any more.
    private mutating func forget(_ node: NodeID) -> [Directive] {
        heartbeatDeadlines[node] = nil
        guard let session = sessionOfNode.removeValue(forKey: node) else { return [] }
        sessions[session] = nil
        return [.close(session, reason: "node \(node) was removed from the cluster")]
    }

    /// Sends what changed since the last flush. The shell calls it after a short delay, so that changes are batched.
    public mutating func flush(tables: ClusterTables) -> [Directive] {
        let ingress = tables.ingressNetworks
        let managers = tables.managerAddresses
        let delta = shared?.advance(to: tables) ?? SharedView.Delta()
        var directives: [Directive] = []
        for (node, id) in sessionOfNode.sorted(by: { $0.key < $1.key }) {
            guard let session = sessions[id] else { continue }
            var own: OwnAssignments?
            if allDirty || dirty.contains(node) {
                own = tables.ownAssignments(of: node, ingress: ingress)
            } else if !delta.concerns(session.own.networks) {
                continue
            }
            directives += sendChanges(id, own: own, delta, managers, tables)
        }
        dirty = []
        allDirty = false
        return directives
    }

    public var hasUnsentChanges: Bool { allDirty || !dirty.isEmpty || shared?.hasChanges == true }

    /// Declares nodes down whose heartbeats stayed away.
    public mutating func onTick(tables: ClusterTables, now: Instant, wallClock: Timestamp) -> [Directive] {
        // Never twice in a row, or a leader that is always late would never find a node down.
        let isLate = lastTick.map { now > $0 + .seconds(AssignmentLimits.lateTickSeconds) } ?? false
        lastTick = isLate ? nil : now
        if isLate { return [] }
        var directives: [Directive] = contests.expire(now: now).compactMap { node in
            guard var status = tables.nodes[node]?.status, status.state == .ready else { return nil }
            status.message = ""
            return .write([.observeNode(node, status, nil)])
        }
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
        // As the other sessions were told last: what changed since comes with their next message.
        let shared = shared ?? SharedView(tables)
        self.shared = shared
        session.own = tables.ownAssignments(of: session.node, ingress: tables.ingressNetworks)
        session.managers = tables.managerAddresses
        session.role = tables.nodes[session.node]?.wantedRole
        session.trustDigest = tables.trustDigest
        let others = shared.step(SharedView.Delta(), from: [], to: session.own.networks, node: session.node)
        let directives = messages(.complete, Array(session.own.items.values) + others.updates, [], &session, id)
        sessions[id] = session
        return directives
    }

    /// - Parameter own: what is the node's own, where it may have changed.
    private mutating func sendChanges(
        _ id: SessionID, own: OwnAssignments?, _ delta: SharedView.Delta, _ managers: [String],
        _ tables: ClusterTables
    ) -> [Directive] {
        guard var session = sessions[id], let shared else { return [] }
        let before = session.own
        let after = own ?? before
        var (updates, removals) = shared.step(delta, from: before.networks, to: after.networks, node: session.node)
        if own != nil {
            updates += after.items.values.filter { before.items[$0.key] != $0 }
            removals += before.items.keys.filter { after.items[$0] == nil }
        }
        let role = tables.nodes[session.node]?.wantedRole
        let trustDigest = tables.trustDigest
        let period = tables.heartbeatPeriod
        session.own = after
        sessions[id] = session
        guard
            !updates.isEmpty || !removals.isEmpty || managers != session.managers || role != session.role
                || period != session.period || trustDigest != session.trustDigest
        else { return [] }
        session.managers = managers
        session.role = role
        session.trustDigest = trustDigest
        if period != session.period {
            let longest = max(period, session.period, session.earlier?.period ?? .zero)
            session.earlier = (longest, AssignmentLimits.heartbeatsByOldPeriod)
            session.period = period
            let deadline = session.lastHeard + session.timeout
            heartbeatDeadlines[session.node] = max(deadline, heartbeatDeadlines[session.node] ?? deadline)
        }
        let directives = messages(.incremental, updates, removals, &session, id)
        sessions[id] = session
        return directives
    }

    private func messages(
        _ kind: AssignmentMessage.Kind, _ updates: [AssignmentItem], _ removals: [AssignmentKey],
        _ session: inout Session, _ id: SessionID
    ) -> [Directive] {
        let parts = MessageParts(updates, removals).parts
        return parts.indices.map { index in
            session.sequence += 1
            return .send(
                id,
                AssignmentMessage(
                    kind: kind, sequence: session.sequence, isLast: index == parts.count - 1,
                    updates: parts[index].updates, removals: parts[index].removals, managers: session.managers,
                    heartbeatPeriod: session.period, role: session.role, trustDigest: session.trustDigest))
        }
    }
}

extension TaskStatus {
    /// The status with texts of a bounded size: an agent's could be too large for the log.
    fileprivate var bounded: TaskStatus {
        var status = self
        status.message = message.cut(to: AssignmentLimits.statusTextBytes)
        status.error = error.cut(to: AssignmentLimits.statusTextBytes)
        status.container?.containerID = container?.containerID.cut(to: AssignmentLimits.containerIDBytes) ?? ""
        return status
    }
}

extension String {
    fileprivate func cut(to bytes: Int) -> String {
        if utf8.count <= bytes { return self }
        // A character that the cut goes through becomes U+FFFD.
        return String(decoding: utf8.prefix(bytes - 3), as: UTF8.self) + "…"
    }
}

extension ClusterTables {
    var heartbeatPeriod: Duration { cluster?.spec.heartbeatPeriod ?? .seconds(5) }
    var heartbeatTimeout: Duration { heartbeatPeriod * AssignmentLimits.missedHeartbeats }
    var trustDigest: [UInt8] { cluster?.authority.trustDigest ?? [] }
    /// `HOST:PORT` of every manager, ordered by raft id.
    public var managerAddresses: [String] {
        nodes.sorted.compactMap(\.manager).sorted { $0.raftID < $1.raftID }.map(\.address)
    }
}
