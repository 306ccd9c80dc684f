import ClusterIdentity
import ClusterModel
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

    /// Takes the node's ports, picks up its containers and opens what is stored; ``run()`` then takes part.
    ///
    /// Containers come before the log: their names answer again at once, however long the log is.
    ///
    /// - Parameter wipe: removes the log, when this node is no manager any more.
    /// - Throws: ``Failure``; nothing is held then.
    static func open(
        membership: NodeMembership, credentials: Credentials, folder: StateFolder, tasks: ContainerTasks,
        hostRoutes: [IPv4Network], overlayMTU: UInt16, log: Logger, wipe: @escaping @Sendable () -> Void
    ) async throws -> NodeRuntime {
        let listener = try listen(membership.listenAddress)
        let record = MembershipRecord(membership, folder: folder)
        let credentials = CredentialStore(credentials) { Clock.wallTime }
        let connections = NodeConnections(credentials: credentials)
        let managers = membership.managers + (membership.raftID == 0 ? [] : [membership.advertiseAddress])
        let worker = Worker(runtime: tasks, managers: managers, log: log) { known in
            do {
                try record.update { $0.managers = known }
            } catch { log.warning("cannot keep the list of managers: \(error)") }
        }
        let slot = ManagerSlot()
        let parts = MembershipKeeper.Parts(
            open: { membership in
                let mark = LogMark(folder)
                let manager = try openManager(membership, credentials, connections, folder, hostRoutes, overlayMTU, log)
                try mark.write(membership.raftID)
                return manager
            }, wipe: wipe)
        do {
            try await worker.restore()
            let loss = try LogMark(folder).loss(of: membership.raftID)
            if let loss {
                log.error("\(loss)")
            } else if membership.raftID != 0 {
                let manager = try parts.open(membership)
                slot.set(manager)
                try await SelfRenewal(manager: manager, record: record, credentials: credentials, log: log).run()
            }
            let keeper = MembershipKeeper(
                record: record, credentials: credentials, connections: connections, slot: slot, worker: worker,
                parts: parts, loss: loss, log: log
            ) {
                var description = try await tasks.describe()
                description.certificate = try credentials.current.info()
                return description
            }
            return NodeRuntime(record, credentials, connections, keeper, slot, worker, tasks, listener, log)
        } catch {
            await worker.stop()
            await tasks.stop()
            connections.close()
            throw error
        }
    }

    private init(
        _ record: MembershipRecord, _ credentials: CredentialStore, _ connections: NodeConnections,
        _ keeper: MembershipKeeper, _ slot: ManagerSlot, _ worker: Worker, _ tasks: ContainerTasks,
        _ listener: consuming OwnedDescriptor,
        _ log: Logger
    ) {
        self.record = record
        self.credentials = credentials
        self.connections = connections
        self.keeper = keeper
        self.slot = slot
        self.worker = worker
        self.tasks = tasks
        self.listener = Mutex(consume listener)
        self.log = log
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
        _ membership: NodeMembership, _ credentials: CredentialStore, _ connections: NodeConnections,
        _ folder: StateFolder, _ hostRoutes: [IPv4Network], _ overlayMTU: UInt16, _ log: Logger
    ) throws -> Manager {
        let files = try PosixLogFiles(folder: "\(folder.path)/raft")
        let (storage, restored, snapshot) = try SegmentedStorage.open(
            files, founders: membership.isFounder ? [membership.raftID] : [])
        let manager = try Manager(
            settings: .init(
                raftID: membership.raftID, address: membership.advertiseAddress, hostRoutes: hostRoutes,
                overlayMTU: overlayMTU),
            credentials: credentials, connections: connections, peers: membership.peers, log: log)
        try manager.start(
            storage: storage, restored: restored, snapshot: snapshot, seed: UInt64.random(in: .min ... .max))
        return manager
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
            services: worker.services(tasks) + slot.services)
        defer {
            manager?.stop()
            connections.close()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.serve() }
            group.addTask { [keeper] in try await keeper.run() }
            do {
                try await group.next()
            } catch {
                group.cancelAll()
                await worker.stop()
                await tasks.stop()
                throw error
            }
            group.cancelAll()
        }
        await worker.stop()
        await tasks.stop()
    }
}
