public import ClusterModel
public import ClusterState
public import EngineAPI
import NIOCore
public import Primitives

/// A cluster of one manager in memory, whose tasks run as soon as they are wanted.
public actor FakeCluster: ClusterPort {
    private var state: ClusterTables
    private var index: UInt64
    private var member: Membership
    private var tokens = TokenPair(worker: "SWMTKN-worker", manager: "SWMTKN-manager")
    /// The lines that `logs` answers with.
    private let lines: [LogLine.Stream: String]
    /// While it holds an error text, tasks fail with it instead of running.
    private var taskError: String?
    /// Whether the last join was to bring a member back.
    public private(set) var hasRenewed = false
    /// Writes of the cluster itself that come between a read and the next proposal.
    private var interferences = 0

    private nonisolated let clock: Timestamp
    private nonisolated let ids: IDSource
    private nonisolated let endings = EventCounter()
    private nonisolated let eventEndings = EventCounter()
    private var past: [ClusterEvent] = []
    private var followers: [AsyncThrowingStream<ClusterEvent, any Error>.Continuation] = []

    public init(member: Membership? = nil, lines: [LogLine.Stream: String] = [.stdout: "hello\n"]) {
        let nodeID = NodeID(value: 77)
        clock = Timestamp(nanoseconds: 1_790_000_000_000_000_000)
        ids = IDSource()
        self.lines = lines
        self.member =
            member
            ?? Membership(nodeID: nodeID, address: "10.1.0.1", state: .active, isManager: true)
        let node = Node(
            id: nodeID, meta: Meta(version: 3, specVersion: 3, createdAt: clock, updatedAt: clock),
            spec: NodeSpec(role: .manager),
            description: NodeDescription(
                hostname: "n1", resources: Resources(nanoCPUs: 2_000_000_000, memoryBytes: 4 << 30),
                engineVersion: "0.1.0"),
            status: NodeStatus(state: .ready, address: "10.1.0.1"),
            manager: ManagerStatus(raftID: 1, address: "10.1.0.1:2377"))
        let cluster = Cluster(
            id: ClusterID(value: 5), meta: Meta(version: 2, specVersion: 2, createdAt: clock, updatedAt: clock),
            addressPools: IPv4Network("10.0.0.0/8").map { [$0] } ?? [])
        state = ClusterTables(objects: [.cluster(cluster), .node(node)], index: 3)
        index = 3
    }

    public func membership() -> Membership { member }
    public func knownManagers() -> [(id: NodeID, address: String)] {
        state.nodes.sorted.compactMap { node in node.manager.map { (node.id, $0.address) } }
    }

    public func tables() throws -> ClusterTables { state }

    public func propose(_ transaction: Transaction) throws -> UInt64 {
        if interferences > 0 {
            interferences -= 1
            for service in state.services.sorted { try apply([.update(.service(service), bySpec: false)]) }
        }
        try apply(transaction.changes)
        let proposed = index
        try reconcile()
        return proposed
    }

    public func initialize(_ request: InitRequest) -> NodeID {
        member.state = .active
        member.isManager = true
        member.nodeID = NodeID(value: 77)
        return NodeID(value: 77)
    }

    public func join(_ request: JoinRequest) throws {
        guard request.token == tokens.worker else { throw Failure(.unauthenticated, "the token is not valid") }
        hasRenewed = request.isRenewal
        member.state = .active
    }

    public func leave(force: Bool) throws {
        guard force || !member.isManager else {
            throw Failure(.failedPrecondition, "this node is a manager; use --force")
        }
        member = Membership(state: .inactive)
    }

    public func unlockKey() -> String? { state.cluster?.unlockKey.map { "key of \($0.bytes[0])" } }
    public nonisolated func freshUnlockKey() -> UnlockKey {
        var random = SeededRandom(seed: UInt64(truncatingIfNeeded: ids.next()))
        return UnlockKey(using: &random)
    }

    public func unlock(key: String) throws {
        guard member.state == .locked else { throw Failure(.conflict, "swarm is not locked") }
        guard key == "SWMKEY-1-right" else { throw Failure(.unauthenticated, "invalid key") }
        member.state = .active
    }

    public func planRecovery(_ request: RecoveryRequest) throws -> RecoveryPlan {
        let address = request.advertiseAddress.isEmpty ? "10.1.0.1:2377" : request.advertiseAddress
        return RecoveryPlan(node: NodeID(value: 77), address: address, lost: [], tables: state)
    }

    public func recover(_ request: RecoveryRequest) throws -> RecoveryPlan {
        recoveries += 1
        return try planRecovery(request)
    }

    public private(set) var recoveries = 0

    public func backUp(key: String?) -> Backup {
        Backup(newKey: key == nil ? "SWMKEY-1-new" : nil, pieces: [Array("sealed ".utf8), Array("state".utf8)])
    }

    public func restore(_ backup: UploadBody, key: String, _ request: RecoveryRequest) async throws -> RecoveryPlan {
        guard key == "SWMKEY-1-new" else { throw Failure(.unauthenticated, "invalid key") }
        var bytes: [UInt8] = []
        for try await piece in backup { bytes += piece.readableBytesView }
        guard bytes == Array("sealed state".utf8) else { throw Failure(.dataLoss, "the backup is damaged") }
        member.state = .active
        return try planRecovery(request)
    }

    public func joinTokens() -> TokenPair { tokens }

    public func rotateToken(of role: NodeRole) {
        if role == .worker { tokens.worker += "-2" } else { tokens.manager += "-2" }
    }

    public nonisolated func rotatedAuthority(
        of cluster: Cluster, own: (certificate: String, key: String)?
    ) -> Authority {
        let before = cluster.authority
        let newest = own ?? (certificate: before.rootCertificate + "+", key: "KEY")
        return Authority(
            rootCertificate: newest.certificate, signingKey: newest.key,
            earlier: before.earlier
                + [EarlierRoot(certificate: before.rootCertificate, signingKey: before.signingKey, crossSigned: "X")],
            trustDigest: [1])
    }

    public nonisolated func issuer(of cluster: Cluster) -> CertificateInfo {
        let root = Array(cluster.authority.rootCertificate.utf8)
        return CertificateInfo(issuerSubject: [1, 2, 3], issuerPublicKey: root)
    }

    public func managerHealth() -> [NodeID: ManagerHealth] {
        [NodeID(value: 77): ManagerHealth(isLeader: true, isReachable: true, address: "10.1.0.1:2377")]
    }

    public nonisolated func logs(
        of tasks: [TaskID], options: LogOptions
    ) -> AsyncThrowingStream<LogLine, any Error> {
        AsyncThrowingStream { continuation in
            for task in tasks {
                for (stream, text) in lines.sorted(by: { $0.value < $1.value }) {
                    continuation.yield(
                        LogLine(
                            task: task, node: NodeID(value: 77), stream: stream, time: clock, text: Array(text.utf8)))
                }
            }
            // A followed log ends with its reader.
            continuation.onTermination = { [endings] _ in endings.add() }
            if !options.follow { continuation.finish() }
        }
    }

    public func events(
        since: Timestamp?, until: Timestamp?
    ) -> AsyncThrowingStream<ClusterEvent, any Error> {
        AsyncThrowingStream { continuation in
            if let since { for event in past where event.time >= since { continuation.yield(event) } }
            continuation.onTermination = { [eventEndings] _ in eventEndings.add() }
            if until == nil { followers.append(continuation) } else { continuation.finish() }
        }
    }

    public nonisolated func now() -> Timestamp { clock }
    public nonisolated func freshID() -> UInt128 { ids.next() }

    // What tests do to it.

    /// How many logs' readers are done.
    public nonisolated var endedLogs: Int { endings.count }

    /// How many events' readers are done.
    public nonisolated var endedFollowers: Int { eventEndings.count }
    public var followerCount: Int { followers.count }

    /// Ends every stream of events with this failure.
    public func breakEvents(with failure: Failure) {
        for follower in followers { follower.finish(throwing: failure) }
        followers = []
    }

    public func failTasks(with error: String?) { taskError = error }
    public func interfere(times: Int) { interferences = times }

    public func apply(_ changes: [Change]) throws {
        index += 1
        switch state.apply(Transaction(changes, time: clock), at: index) {
        case .failure(let refusal): throw Failure(refusal)
        case .success(let changes):
            let events = changes.compactMap { ClusterEvent($0, in: state.roster, at: clock) }
            past += events
            for follower in followers { for event in events { follower.yield(event) } }
        }
    }

    private func reconcile() throws {
        for task in state.tasks.sorted where state.services[task.serviceID] == nil {
            try apply([.delete(.task(task.id), version: nil)])
        }
        for var service in state.services.sorted where service.ports != service.spec.ports {
            service.ports = service.spec.ports
            try apply([.update(.service(service), bySpec: false)])
        }
        for service in state.services.sorted { try reconcile(service) }
    }

    private func reconcile(_ service: Service) throws {
        var wanted: UInt64 = 1
        if case .replicated(let count) = service.spec.mode { wanted = count }
        var current: Set<UInt64> = []
        for var task in state.tasks(of: service.id) where task.desiredState <= .running {
            if task.slot <= wanted, task.serviceVersion == service.taskVersion {
                current.insert(task.slot)
            } else {
                task.desiredState = .shutdown
                task.status.state = .shutdown
                try apply([.update(.task(task), bySpec: false)])
            }
        }
        for slot in 1...max(1, wanted) where slot <= wanted && !current.contains(slot) {
            try apply([.create(.task(task(of: service, slot: slot)))])
        }
    }

    private func task(of service: Service, slot: UInt64) -> ClusterTask {
        let id = TaskID(value: ids.next())
        var status = TaskStatus(
            state: .running, timestamp: clock, message: "started",
            container: ContainerStatus(containerID: String(repeating: "a", count: 64), pid: 42))
        if let taskError {
            status = TaskStatus(state: .rejected, timestamp: clock, message: "preparing", error: taskError)
        }
        return ClusterTask(
            id: id, serviceID: service.id, slot: slot, nodeID: NodeID(value: 77),
            name: "\(service.spec.name).\(slot).\(id)", serviceName: service.spec.name,
            serviceVersion: service.taskVersion, spec: service.spec.task, ports: service.spec.ports, status: status)
    }
}
