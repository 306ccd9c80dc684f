import ClusterIdentity
import ClusterModel
import ClusterWire
import Consensus
import DurableLog
import GRPCCore
import Logging
import ManagerNode
import Primitives
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
    private let log: Logger

    var id: NodeID { credentials.current.identity.node }
    var membership: NodeMembership { record.value }
    var manager: Manager? { slot.manager }

    /// Opens what is stored; ``run()`` then brings it to life.
    ///
    /// - Parameter wipe: removes the log, when this node is no manager any more.
    init(
        membership: NodeMembership, credentials: Credentials, folder: StateFolder, tasks: ContainerTasks,
        hostRoutes: [IPv4Network], overlayMTU: UInt16, log: Logger, wipe: @escaping @Sendable () -> Void
    ) throws {
        let record = MembershipRecord(membership, folder: folder)
        let credentials = CredentialStore(credentials)
        let connections = NodeConnections(credentials: credentials)
        self.record = record
        self.log = log
        self.tasks = tasks
        self.credentials = credentials
        self.connections = connections
        slot = ManagerSlot()
        let parts = MembershipKeeper.Parts(
            open: { membership in
                try NodeRuntime.openManager(
                    membership, credentials, connections, folder, hostRoutes, overlayMTU, log)
            }, wipe: wipe)
        if membership.raftID != 0 { slot.set(try parts.open(membership)) }
        let managers = membership.managers + (membership.raftID == 0 ? [] : [membership.advertiseAddress])
        worker = Worker(runtime: tasks, managers: managers, log: log) { known in
            do {
                try record.update { $0.managers = known }
            } catch { log.warning("cannot keep the list of managers: \(error)") }
        }
        keeper = MembershipKeeper(
            record: record, credentials: credentials, connections: connections, slot: slot, worker: worker,
            parts: parts, log: log
        ) { try await tasks.describe() }
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
        let server = try NodeListener.server(
            address: membership.listenAddress, credentials: credentials, acceptsJoiners: { [slot] in slot.manager != nil },
            standing: { [slot] in slot.standing(of: $0) }, services: worker.services(tasks) + slot.services)
        defer {
            manager?.stop()
            connections.close()
        }
        try await worker.restore()
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
