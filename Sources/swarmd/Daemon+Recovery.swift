import ClusterIdentity
import ClusterModel
import ClusterState
import ClusterWire
import DurableLog
import EngineAPI
import LinuxSystem
import Logging
import ManagerNode
import Primitives

/// Where this node is to be from then on, and what it needs to go on alone.
private struct Survivor {
    let agent: LocalAgent
    let keys: KeyRing
    let credentials: Credentials
    let addresses: NodeAddresses

    var id: NodeID { credentials.identity.node }
}

extension Daemon {
    /// Without a leader for so long the managers are not just electing one.
    private static let leaderless = Duration.seconds(3)
    private static let leaderLook = Duration.milliseconds(50)

    /// - Throws: ``Failure`` `failedPrecondition` while the managers have a leader.
    func planRecovery(_ request: RecoveryRequest) async throws -> RecoveryPlan {
        guard let manager = runtime?.manager else { throw notASurvivor }
        let deadline = Clock.now + Daemon.leaderless
        repeat {
            guard manager.leaderID == nil else {
                throw Failure(
                    .failedPrecondition,
                    "the managers have a leader, so nothing has to be recovered: `swarmctl node demote` and `swarmctl node "
                        + "rm` take out managers that are gone")
            }
            try await Task.sleep(for: Daemon.leaderLook)
        } while Clock.now < deadline
        let survivor = try survivor(request)
        return plan(survivor, manager.tables)
    }

    private var notASurvivor: Failure {
        switch state {
        case .locked: Failure(.failedPrecondition, "this manager is locked: `swarmctl unlock` first")
        default:
            Failure(
                .failedPrecondition,
                "only a manager of a swarm that has lost most of its managers can go on alone, and this node is none")
        }
    }

    private func plan(_ survivor: Survivor, _ tables: ClusterTables) -> RecoveryPlan {
        RecoveryPlan(
            node: survivor.id, address: survivor.addresses.advertise,
            lost: SoleManager(tables).lost(besides: survivor.id), tables: tables)
    }

    private func survivor(_ request: RecoveryRequest) throws -> Survivor {
        guard case .member(let runtime, let agent, _) = state else { throw notASurvivor }
        let now = agent.record.value
        let isMoved = !request.advertiseAddress.isEmpty
        let addresses = try machine.addresses(
            listen: request.listenAddress.isEmpty ? now.listenAddress : request.listenAddress,
            advertise: isMoved ? request.advertiseAddress : now.advertiseAddress,
            dataPath: request.dataPathAddress.isEmpty && !isMoved ? now.dataPathAddress : request.dataPathAddress)
        return Survivor(
            agent: agent, keys: runtime.keys, credentials: runtime.credentials.current, addresses: addresses)
    }

    /// Makes this manager a cluster of one, from all that its log holds.
    func recover(_ request: RecoveryRequest) async throws -> RecoveryPlan {
        try await changing { daemon in
            _ = try await daemon.planRecovery(request)
            let survivor = try daemon.survivor(request)
            try NodeRuntime.checkListening(survivor.addresses.listen, besides: daemon.runtime?.membership.listenAddress)
            // The log is written by one at a time.
            await daemon.stop()
            do {
                let tables = try daemon.replaceLog(survivor)
                try await daemon.start(survivor.agent.record.value, survivor.credentials, survivor.keys)
                daemon.log.notice("this manager goes on alone, from change \(tables.index)")
                return daemon.plan(survivor, tables)
            } catch {
                // Either the log is as it was, or this node is its only voter and `recover` can be said again: the daemon
                // that is started anew finds out from the disk.
                daemon.failed(error)
                throw error
            }
        }
    }

    /// Begins the cluster of a backup again; where that fails this node is as before.
    func restore(_ backup: ClusterTables, _ request: RecoveryRequest) async throws -> RecoveryPlan {
        try await changing { daemon in
            try daemon.requireOutside()
            let addresses = try daemon.machine.addresses(
                listen: request.listenAddress, advertise: request.advertiseAddress, dataPath: request.dataPathAddress)
            let restoring = try Restoring(backup, addresses, try await daemon.machine.description())
            do {
                try await daemon.begin(restoring.admitted) { keys in
                    try restoring.writeLog("\(daemon.folder.path)/raft", try keys.logSealing())
                }
            } catch {
                await daemon.abandon()
                throw error
            }
            try daemon.runtime?.followLock()
            daemon.log.notice("this manager begins again from a backup of change \(backup.index)")
            let node = restoring.admitted.credentials.identity.node
            return RecoveryPlan(
                node: node, address: addresses.advertise, lost: SoleManager(backup).lost(besides: node), tables: backup)
        }
    }

    /// - Returns: the state before it.
    private func replaceLog(_ survivor: Survivor) throws -> ClusterTables {
        let raftID = UInt64.random(in: 1 ... .max)
        let now = Clock.wallTime
        var stored = try StoredState(
            try PosixLogFiles(folder: "\(folder.path)/raft"), sealing: try survivor.keys.logSealing())
        defer { stored.close() }
        let node = Node(
            id: survivor.id, spec: NodeSpec(role: .manager),
            status: NodeStatus(state: .unknown, message: "goes on alone", since: now),
            manager: ManagerStatus(raftID: raftID, address: survivor.addresses.advertise))
        let before = stored.tables
        try stored.replace(with: SoleManager(before).successor(staying: node, at: now), voter: raftID)
        try survivor.agent.record.update { membership in
            membership.raftID = raftID
            membership.isFounder = false
            membership.peers = [:]
            membership.listenAddress = survivor.addresses.listen
            membership.advertiseAddress = survivor.addresses.advertise
            membership.dataPathAddress = survivor.addresses.dataPath
        }
        return before
    }
}
