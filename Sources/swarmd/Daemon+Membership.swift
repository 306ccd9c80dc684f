import ClusterIdentity
import ClusterModel
import ClusterWire
import EngineAPI
import Logging
import ManagerNode
import Primitives
import WorkerNode

extension Daemon {
    func requireOutside() throws(Failure) {
        guard case .outside = state, try folder.read("identity/node.conf") == nil else {
            throw Failure(
                .unavailable,
                "This node is already part of a swarm. Use \"swarmctl leave\" to leave this swarm and join another one."
            )
        }
    }

    private func addresses(_ listen: String, _ advertise: String, _ dataPath: String) throws -> NodeAddresses {
        try machine.addresses(listen: listen, advertise: advertise, dataPath: dataPath)
    }

    func initialize(_ request: InitRequest) async throws -> NodeID {
        try await changing { daemon in
            try daemon.requireOutside()
            let founding = try Founding(
                request, daemon.addresses(request.listenAddress, request.advertiseAddress, request.dataPathAddress))
            do {
                let admitted = Admitted(
                    membership: founding.membership, credentials: founding.credentials, keys: founding.keys)
                try await daemon.begin(admitted)
                guard let runtime = daemon.runtime, let manager = runtime.manager else {
                    throw Failure(.internal, "the first node is no manager")
                }
                _ = try await manager.propose(founding.transaction)
                // Before anybody is told the key.
                try runtime.followLock()
            } catch {
                await daemon.abandon()
                throw error
            }
            return founding.credentials.identity.node
        }
    }

    func join(_ request: JoinRequest) async throws {
        try await changing { daemon in
            if request.isRenewal { return try await daemon.rejoin(request) }
            try daemon.requireOutside()
            let addresses = try daemon.addresses(
                request.listenAddress, request.advertiseAddress, request.dataPathAddress)
            let joining = try Joining(request, addresses, try await daemon.machine.description())
            let admitted = try joining.membership(try await joining.run(), addresses)
            do {
                try await daemon.begin(admitted)
            } catch {
                await daemon.abandon()
                throw error
            }
        }
    }

    /// This node comes back as who it is, with its containers: its certificate had run out, its managers have moved, or its
    /// log is lost.
    private func rejoin(_ request: JoinRequest) async throws {
        if case .locked = state { throw Failure(.unavailable, "this manager is locked: `swarmctl unlock` first") }
        guard let runtime else { throw Failure(.unavailable, "This node is not part of a swarm") }
        if await runtime.keeper.isFenced, let problem = runtime.keeper.problem { throw problem }
        let joining = try Joining(
            renewing: runtime.credentials.current, request, advertiseAddress: runtime.membership.advertiseAddress,
            hasLostLog: await runtime.keeper.hasLostLog, try await machine.description())
        try await runtime.keeper.readmit { try await joining.run() }
    }

    /// Keeps who the node is from now on, and takes part.
    ///
    /// - Parameter prepare: what comes before the node is a member, with its keys.
    func begin(_ admitted: Admitted, prepare: (KeyRing) throws -> Void = { _ in }) async throws {
        let keys = KeyRing(admitted.keys, node: admitted.credentials.identity.node, folder: folder)
        try keys.save()
        try prepare(keys)
        try folder.save(admitted.membership, admitted.credentials)
        try await start(admitted.membership, admitted.credentials, keys)
    }

    /// The node is as before: unjoined and reusable.
    func abandon() async {
        await stop()
        forgetCluster()
    }

    private func forgetCluster() {
        folder.forgetMembership()
        machine.removeTree("\(settings.state)/raft")
    }

    func leave(force: Bool) async throws {
        try await changing { daemon in
            let agent: LocalAgent
            switch daemon.state {
            case .outside: throw Failure(.unavailable, "This node is not part of a swarm")
            case .locked(_, let held):
                guard force else {
                    throw Failure(
                        .failedPrecondition,
                        "this manager is locked and cannot tell the others that it leaves; `--force` leaves all the same, and "
                            + "`swarmctl node rm` on another manager removes it there")
                }
                agent = held
            case .member(let runtime, let held, _):
                try await Leaving(runtime: runtime, isForced: force, log: daemon.log).run()
                agent = held
            }
            await daemon.stop()
            do {
                try await agent.tasks.removeEverything()
            } catch {
                daemon.failed(error)
                throw error
            }
            daemon.machine.forgetTasks()
            daemon.forgetCluster()
        }
    }

    /// - Throws: ``Failure`` `unauthenticated` for a wrong key, `conflict` where nothing is locked.
    func unlock(with text: String) async throws {
        let key = try UnlockKey(parsing: text)
        try await changing { daemon in
            guard case .locked(let node, let agent) = daemon.state else {
                throw Failure(.conflict, "swarm is not locked")
            }
            let (credentials, keys) = try node.unlock(with: key)
            try await daemon.begin(agent, credentials, keys)
            daemon.log.notice("this manager is unlocked")
        }
    }
}
