import ClusterIdentity
import ClusterModel
import ClusterState
import ClusterWire
import Consensus
import DurableLog
import GRPCCore
import LinuxSystem
import Logging
import ManagerNode
import NodeNetwork
import Primitives
import Synchronization
import WorkerNode

/// A node that is a member: its listener, its agent, and its manager while it is one.
final class NodeRuntime: Sendable {
    private let record: MembershipRecord
    let credentials: CredentialStore
    let keys: KeyRing
    let connections: NodeConnections
    let keeper: MembershipKeeper
    private let slot: ManagerSlot
    let worker: Worker
    let tasks: ContainerTasks
    /// Until ``run()`` gives it away.
    private let listener: Mutex<OwnedDescriptor?>
    private let log: Logger

    var id: NodeID { credentials.current.identity.node }
    var membership: NodeMembership { record.value }
    var manager: Manager? { slot.manager }

    /// What a manager finds on its machine.
    struct Surroundings: Sendable {
        var folder: StateFolder
        var hostRoutes: [IPv4Network]
        var overlayMTU: UInt16
        /// Called on at the start, when all may have moved.
        var namedManagers: [String]
        /// Removes the log, when this node is no manager any more.
        var wipe: @Sendable () throws(Failure) -> Void
        /// Takes the log out of use for good, and keeps it.
        var setAside: @Sendable () -> Void
    }

    /// Takes the node's ports and opens what is stored; ``run()`` then takes part.
    ///
    /// - Throws: ``Failure``; nothing is held then but the agent.
    static func open(
        agent: LocalAgent, credentials: Credentials, keys: KeyRing, surroundings: Surroundings, log: Logger
    ) async throws -> NodeRuntime {
        let record = agent.record
        let listener = try listen(record.value.listenAddress)
        let credentials = CredentialStore(credentials) { Clock.wallTime }
        let connections = NodeConnections(credentials: credentials)
        let slot = ManagerSlot()
        let parts = MembershipKeeper.Parts(
            open: { try openManager($0, credentials, keys, connections, surroundings, log) },
            wipe: surroundings.wipe, setAside: surroundings.setAside)
        var loss: Failure?
        do {
            // Of a demotion that was cut off: the log goes before its key is left open.
            if record.value.raftID == 0 { try surroundings.wipe() }
            loss = try LogMark(surroundings.folder).loss(of: record.value.raftID)
            if loss == nil, record.value.raftID != 0 { slot.set(try parts.open(record.value)) }
        } catch let failure as Failure where [.dataLoss, .failedPrecondition].contains(failure.code) {
            // It goes on as a worker, and the way back needs it.
            loss = failure
        } catch {
            connections.close()
            throw error
        }
        if let manager = slot.manager {
            do {
                try await SelfRenewal(manager: manager, record: record, credentials: credentials, log: log).run()
            } catch {
                await manager.end()
                connections.close()
                throw error
            }
        }
        if let loss { log.error("this node is no manager for now: \(loss)") }
        let keeper = MembershipKeeper(
            record: record, credentials: credentials, keys: keys, connections: connections, slot: slot,
            worker: agent.worker, parts: parts, loss: loss, log: log
        ) {
            var description = try await agent.tasks.describe()
            description.certificate = try credentials.current.info()
            return description
        }
        return NodeRuntime(agent, credentials, keys, connections, keeper, slot, listener, log)
    }

    private init(
        _ agent: LocalAgent, _ credentials: CredentialStore, _ keys: KeyRing, _ connections: NodeConnections,
        _ keeper: MembershipKeeper, _ slot: ManagerSlot, _ listener: consuming OwnedDescriptor, _ log: Logger
    ) {
        record = agent.record
        worker = agent.worker
        tasks = agent.tasks
        self.credentials = credentials
        self.keys = keys
        self.connections = connections
        self.keeper = keeper
        self.slot = slot
        self.listener = Mutex(consume listener)
        self.log = log
    }

    /// Whether the node could listen at another address than now.
    static func checkListening(_ address: String, besides own: String?) throws {
        if address != own { _ = try listen(address) }
    }

    /// - Throws: ``Failure`` naming the process that has the port.
    private static func listen(_ address: String) throws -> OwnedDescriptor {
        let (host, port) = try HostPort.split(address)
        do throws(Errno) {
            return try InternetSocket.listenTCP(host, port: UInt16(port))
        } catch {
            var reason = ""
            if error == .addressInUse {
                let owner = PortOwner.of(UInt16(port), protocol: .tcp, address: IPv4Address(host))
                reason = owner.map { " (in use by \($0); end it, or join with another --listen-addr)" } ?? ""
            }
            throw Failure(.unavailable, "cannot listen at \(address)/tcp\(reason)", cause: error)
        }
    }

    private static func openManager(
        _ membership: NodeMembership, _ credentials: CredentialStore, _ keys: KeyRing, _ connections: NodeConnections,
        _ surroundings: Surroundings, _ log: Logger
    ) throws -> Manager {
        let files = try PosixLogFiles(folder: "\(surroundings.folder.path)/raft")
        let (storage, restored, snapshot) = try SegmentedStorage.open(
            files, founders: membership.isFounder ? [membership.raftID] : [], sealing: try keys.logSealing())
        // The log is begun by now, and a mark without one would be a loss.
        try LogMark(surroundings.folder).write(membership.raftID)
        let manager = Manager(
            settings: .init(
                raftID: membership.raftID, address: membership.advertiseAddress,
                hostRoutes: surroundings.hostRoutes, overlayMTU: surroundings.overlayMTU,
                namedManagers: surroundings.namedManagers),
            credentials: credentials, connections: connections, peers: membership.peers, log: log)
        try manager.start(
            storage: storage, restored: restored, snapshot: snapshot, seed: UInt64.random(in: .min ... .max))
        return manager
    }

    /// Locks the node's keys on disk as this manager's state says, now rather than in a moment.
    func followLock() throws {
        if let cluster = manager?.roster.cluster { try keys.follow(cluster) }
    }

    /// Until cancelled, or until a part of it fails.
    func run() async throws {
        guard let listener = listener.withLock({ $0.take() }) else {
            throw Failure(.internal, "the node's services were started before")
        }
        let server = try NodeListener.server(
            listener: listener.release(), credentials: credentials,
            acceptsJoiners: { [slot] in slot.manager != nil }, standing: { [slot] in slot.standing(of: $0) },
            onRefusal: { [log, complaints = ComplaintFilter()] refusal in
                if complaints.isNews(refusal, at: Clock.now) { log.warning("a connection is refused: \(refusal)") }
            },
            services: worker.services(tasks) + slot.services, links: slot.links)
        var failure: (any Error)?
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.serve() }
                group.addTask { [keeper] in try await keeper.run() }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch { failure = error }
        connections.close()
        // Whoever comes next may open the log.
        await manager?.end()
        if let failure { throw failure }
    }
}
