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

/// A node that is a member: its listener, its agent, and its manager where it is one.
final class NodeRuntime: Sendable {
    let membership: NodeMembership
    let credentials: CredentialStore
    let connections: NodeConnections
    let manager: Manager?
    let worker: Worker
    private let tasks: any TaskRuntime
    private let log: Logger

    var id: NodeID { credentials.current.identity.node }

    /// Opens what is stored; ``run()`` then brings it to life.
    init(
        membership: NodeMembership, credentials: Credentials, folder: StateFolder, tasks: any TaskRuntime,
        hostRoutes: [IPv4Network], overlayMTU: UInt16, log: Logger
    ) throws {
        self.membership = membership
        self.log = log
        self.tasks = tasks
        self.credentials = CredentialStore(credentials)
        connections = NodeConnections(credentials: self.credentials)
        if membership.raftID != 0 {
            manager = try NodeRuntime.openManager(
                membership, self.credentials, connections, folder, hostRoutes, overlayMTU, log)
        } else {
            manager = nil
        }
        let managers = membership.managers + (membership.raftID == 0 ? [] : [membership.advertiseAddress])
        worker = Worker(runtime: tasks, managers: managers, log: log) { known in
            var membership = membership
            membership.managers = known
            do {
                try folder.write(membership.text, to: "identity/node.conf")
            } catch { log.warning("cannot keep the list of managers: \(error)") }
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
        let server = try NodeListener.server(
            address: membership.listenAddress, credentials: credentials, acceptsJoiners: manager != nil,
            services: worker.services(tasks) + (manager?.services ?? []))
        defer {
            manager?.stop()
            connections.close()
        }
        try await worker.restore()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.serve() }
            if let manager { group.addTask { try await manager.run() } }
            let session = ManagerSession(worker: worker, connections: connections, log: log) { [tasks] in
                try await tasks.describe()
            }
            group.addTask { await session.run() }
            do {
                try await group.next()
            } catch {
                group.cancelAll()
                await worker.stop()
                throw error
            }
            group.cancelAll()
        }
        await worker.stop()
    }
}
