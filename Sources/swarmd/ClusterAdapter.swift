import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import DurableLog
import EngineAPI
import GRPCCore
import LinuxSystem
import ManagerNode
import NIOCore
import Primitives
import SwiftProtobuf
import Synchronization

/// The API's view of the cluster.
struct ClusterAdapter: ClusterPort {
    let daemon: Daemon

    func membership() async -> Membership {
        let runtime: NodeRuntime
        switch daemon.state {
        case .outside: return Membership(state: .inactive)
        case .locked(let node, _):
            return Membership(nodeID: node.identity.node, address: node.membership.host, state: .locked)
        case .member(let held, _, _): runtime = held
        }
        let failure = daemon.failure ?? runtime.manager?.failure ?? runtime.keeper.problem
        var membership = Membership(
            nodeID: runtime.id, address: runtime.membership.host, state: failure == nil ? .active : .error,
            isManager: runtime.manager != nil, error: failure?.description ?? "")
        membership.isExpired = runtime.keeper.isExpired
        return membership
    }

    func knownManagers() async -> [(id: NodeID, address: String)] {
        (daemon.runtime?.manager?.roster.nodes.sorted ?? []).compactMap { node in
            node.manager.map { (node.id, $0.address) }
        }
    }

    private func manager() throws -> Manager {
        guard let manager = daemon.runtime?.manager else {
            throw Failure(
                .unavailable,
                "This node is not a swarm manager. Use \"swarmctl init\" or \"swarmctl join\" to connect this node to "
                    + "swarm and try again.")
        }
        return manager
    }

    func tables() async throws -> ClusterTables { try await manager().freshTables() }

    func propose(_ transaction: Transaction) async throws -> UInt64 {
        let index = try await manager().propose(transaction)
        // Whoever is told of a new lock finds it on this manager's disk.
        if transaction.changes.contains(where: { if case .update(.cluster, _) = $0 { true } else { false } }) {
            try daemon.runtime?.followLock()
        }
        return index
    }

    func initialize(_ request: InitRequest) async throws -> NodeID { try await daemon.initialize(request) }
    func join(_ request: JoinRequest) async throws { try await daemon.join(request) }
    func leave(force: Bool) async throws { try await daemon.leave(force: force) }

    // MARK: Lock

    func unlockKey() async throws -> String? { try await tables().cluster?.unlockKey?.description }
    func unlock(key: String) async throws { try await daemon.unlock(with: key) }

    func freshUnlockKey() -> UnlockKey {
        var random = SystemRandomNumberGenerator()
        return UnlockKey(using: &random)
    }

    // MARK: Recovery

    func planRecovery(_ request: RecoveryRequest) async throws -> RecoveryPlan {
        try await daemon.planRecovery(request)
    }

    func recover(_ request: RecoveryRequest) async throws -> RecoveryPlan { try await daemon.recover(request) }

    func backUp(key: String?) async throws -> Backup {
        let tables = try await tables()
        let given = key == "new" ? nil : try key.map { try UnlockKey(parsing: $0) } ?? tables.cluster?.unlockKey
        let sealing = given ?? freshUnlockKey()
        guard let logKey = LogKey(sealing.bytes) else { throw Failure(.internal, "a key of another length") }
        return Backup(
            newKey: given == nil ? sealing.description : nil,
            pieces: try ClusterBackup.sealed(tables, with: LogSealing(key: logKey, salt: freshID())))
    }

    func restore(_ backup: UploadBody, key: String, _ request: RecoveryRequest) async throws -> RecoveryPlan {
        guard let key = LogKey(try UnlockKey(parsing: key).bytes) else {
            throw Failure(.internal, "a key of another length")
        }
        var reader = try ClusterBackup.Reader(key: key)
        for try await piece in backup { try reader.append(piece.readableBytesView) }
        return try await daemon.restore(try reader.finish(), request)
    }
    // MARK: Authority

    func rotatedAuthority(of cluster: Cluster, own: (certificate: String, key: String)?) throws -> Authority {
        try cluster.authority.rotated(for: cluster.id, own: own, at: Clock.wallTime)
    }

    func issuer(of cluster: Cluster) throws -> CertificateInfo { try cluster.authority.issuer() }

    // MARK: Tokens

    func joinTokens() async throws -> TokenPair {
        let tables = try await tables()
        guard let cluster = tables.cluster else { throw Failure(.unavailable, "the cluster has no settings yet") }
        // A manager that has not renewed yet shows the earlier root alone; from there a joiner is led to the newest.
        let digest = try cluster.authority.tokenDigest()
        let addresses = tables.nodes.sorted.compactMap(\.manager).sorted { $0.raftID < $1.raftID }.map(\.address)
        func token(_ secret: String) -> String {
            JoinToken(rootDigest: digest, secret: secret, addresses: addresses).description
        }
        return TokenPair(worker: token(cluster.tokens.workerSecret), manager: token(cluster.tokens.managerSecret))
    }

    func rotateToken(of role: NodeRole) async throws {
        guard var cluster = try await tables().cluster else {
            throw Failure(.unavailable, "the cluster has no settings yet")
        }
        var random = SystemRandomNumberGenerator()
        switch role {
        case .worker: cluster.tokens.workerSecret = JoinTokens.secret(using: &random)
        case .manager: cluster.tokens.managerSecret = JoinTokens.secret(using: &random)
        }
        _ = try await propose(Transaction([.update(.cluster(cluster), bySpec: true)], time: now()))
    }

    func managerHealth() async -> [NodeID: ManagerHealth] {
        guard let manager = daemon.runtime?.manager else { return [:] }
        let active = manager.activeMembers
        var result: [NodeID: ManagerHealth] = [:]
        for node in manager.roster.nodes.sorted {
            guard let status = node.manager else { continue }
            let isHeard = active.map { $0.contains(status.raftID) } ?? (node.status.state == .ready)
            // Nobody is to count on one that does not vote yet.
            let isReachable = isHeard && !manager.votes(status.raftID) ? nil : isHeard
            result[node.id] = ManagerHealth(
                isLeader: status.raftID == manager.leaderID,
                isReachable: isReachable, address: status.address)
        }
        return result
    }

    // MARK: Logs

    func logs(of tasks: [TaskID], options: LogOptions) -> AsyncThrowingStream<LogLine, any Error> {
        AsyncThrowingStream { continuation in
            let reading = Task {
                do {
                    let manager = try manager()
                    guard let runtime = daemon.runtime else { return continuation.finish() }
                    let merger = LogMerger(
                        tables: manager.tables, connections: runtime.connections, options: options)
                    try await merger.run(tasks) { continuation.yield($0) }
                    continuation.finish()
                } catch { continuation.finish(throwing: error) }
            }
            continuation.onTermination = { _ in reading.cancel() }
        }
    }

    func events(
        since: Timestamp?, until: Timestamp?
    ) async throws -> AsyncThrowingStream<ClusterEvent, any Error> {
        try manager().history.follow(since: since, until: until, now: Clock.wallTime)
    }

    func now() -> Timestamp { Clock.wallTime }

    func freshID() -> UInt128 {
        var random = SystemRandomNumberGenerator()
        return UInt128(random.next()) << 64 | UInt128(random.next())
    }
}

/// Reads tasks' logs from the nodes that have them.
struct LogMerger: Sendable {
    let tables: ClusterTables
    let connections: NodeConnections
    let options: LogOptions

    /// Lines of the past come sorted by time over all nodes; followed ones as they arrive.
    func run(_ tasks: [TaskID], _ emit: @escaping @Sendable (LogLine) -> Void) async throws {
        var byNode: [NodeID: [TaskID]] = [:]
        for id in tasks {
            guard let node = tables.tasks[id]?.nodeID else { continue }
            byNode[node, default: []].append(id)
        }
        if options.follow {
            return try await withThrowingTaskGroup(of: Void.self) { group in
                for (node, ids) in byNode { group.addTask { await read(node, ids, emit) } }
                try await group.waitForAll()
            }
        }
        let lines = await withTaskGroup(of: [LogLine].self) { group in
            for (node, ids) in byNode {
                group.addTask {
                    let collected = LineCollector()
                    await read(node, ids) { collected.append($0) }
                    return collected.lines
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        for line in lines.sorted(by: { $0.time < $1.time }) { emit(line) }
    }

    /// A node that cannot be asked is named once, and the others go on.
    private func read(_ id: NodeID, _ tasks: [TaskID], _ emit: @escaping @Sendable (LogLine) -> Void) async {
        let node = tables.nodes[id]
        do {
            guard let node, node.status.state == .ready, let address = node.agentAddress else {
                throw Failure(.unavailable, "it is \(node.map { "\($0.status.state)" } ?? "gone")")
            }
            let client = WireAgent.Client(wrapping: try connections.client(to: address))
            try await client.logs(request(tasks)) { response in
                for try await frames in response.messages {
                    for frame in frames.frames {
                        emit(
                            LogLine(
                                task: try TaskID(wire: frame.task, field: "task"), node: id,
                                stream: frame.stream == .stderr ? .stderr : .stdout,
                                time: Timestamp(nanoseconds: frame.timestamp), text: Array(frame.data)))
                    }
                }
            }
        } catch {
            if Task.isCancelled { return }
            let name = node.map { $0.hostname.isEmpty ? id.description : $0.hostname } ?? id.description
            let reason = (error as? RPCError)?.message ?? "\(error)"
            emit(
                LogLine(
                    task: tasks[0], node: id, stream: .notice, time: Clock.wallTime,
                    text: Array("logs of node \(name) cannot be read: \(reason)\n".utf8)))
        }
    }

    private func request(_ tasks: [TaskID]) -> WireLogsRequest {
        .with {
            $0.tasks = tasks.map { $0.wire() }
            $0.stdout = options.stdout
            $0.stderr = options.stderr
            $0.follow = options.follow
            if let tail = options.tail { $0.tail = UInt64(clamping: tail) }
            if let since = options.since { $0.since = since.nanoseconds }
            if let until = options.until { $0.until = until.nanoseconds }
        }
    }
}

/// Lines from several callbacks.
private final class LineCollector: Sendable {
    private let collected = Mutex<[LogLine]>([])

    var lines: [LogLine] { collected.withLock { $0 } }
    func append(_ line: LogLine) { collected.withLock { $0.append(line) } }
}

extension Node {
    /// Where its listener answers.
    fileprivate var agentAddress: String? {
        if let manager { return manager.address }
        return status.address.isEmpty ? nil : "\(status.address):2377"
    }
}
