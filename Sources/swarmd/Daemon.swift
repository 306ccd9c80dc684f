import ClusterIdentity
import ClusterModel
import ClusterState
import ClusterWire
import EngineAPI
import Glibc
import Logging
import ManagerNode
import Orchestration
import Primitives
import WorkerNode

/// The whole of a node: owns the state folder, the API and, once it is a member, the node's runtime.
actor Daemon {
    private let settings: DaemonSettings
    private let folder: StateFolder
    let log: Logger
    private let machine: Machine
    private var node: (runtime: NodeRuntime, task: Task<Void, any Error>)?
    private var isChanging = false
    private var nodeFailure: Failure?
    private let nodeEnd: (stream: AsyncStream<Failure>, source: AsyncStream<Failure>.Continuation)

    /// For answers under way after the node has failed: whoever asked shall hear why.
    private static let lastAnswers = Duration.seconds(1)

    init(settings: DaemonSettings, log: Logger) throws {
        self.settings = settings
        self.log = log
        let (stream, source) = AsyncStream.makeStream(of: Failure.self, bufferingPolicy: .bufferingOldest(1))
        nodeEnd = (stream, source)
        folder = try StateFolder(settings.state)
        machine = try Machine(settings: settings, log: log)
    }

    /// Until the node or the API fails: whoever supervises the daemon starts it again.
    func run() async throws {
        try RunFolder.prepare(settings)
        try await machine.open()
        if let (membership, credentials) = try folder.loadMembership() {
            try await start(membership, credentials)
        }
        let api = EngineAPI(
            cluster: ClusterAdapter(daemon: self), images: machine.images, volumes: machine.volumes, node: machine,
            check: { spec, tables in
                try ServiceValidation.validate(spec, existing: tables.service(named: spec.name), in: tables)
                return []
            })
        let socket = settings.socket
        let server = EngineServer(api: api, socketPath: socket, secure: settings.secure, logger: log) {
            chmod(socket, 0o660)
        }
        log.info("swarmd is ready on \(socket)")
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                group.addTask { [nodeEnd] in
                    for await failure in nodeEnd.stream {
                        try await Task.sleep(for: Daemon.lastAnswers)
                        throw failure
                    }
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            await stop()
            throw error
        }
        await stop()
    }

    private func stop() async {
        guard let node else { return }
        node.task.cancel()
        _ = await node.task.result
        self.node = nil
    }

    var runtime: NodeRuntime? { node?.runtime }
    var failure: Failure? { nodeFailure }

    /// Starts the node; a failure of it later on ends the daemon.
    private func start(_ membership: NodeMembership, _ credentials: Credentials) async throws {
        let tasks = try await machine.tasks(for: membership, credentials, overlayKeys: try folder.overlayKeys())
        let runtime = try await NodeRuntime.open(
            membership: membership, credentials: credentials, folder: folder, tasks: tasks,
            hostRoutes: machine.hostRoutes(), overlayMTU: machine.overlayMTU(membership), log: log,
            wipe: { [machine, settings] in machine.removeTree("\(settings.state)/raft") })
        nodeFailure = nil
        let task = Task {
            do {
                try await runtime.run()
                throw Failure(.internal, "the services of this node have ended")
            } catch {
                // Asked to end: the node leaves, or the daemon ends.
                if !Task.isCancelled { self.failed(error) }
                throw error
            }
        }
        node = (runtime, task)
    }

    private func failed(_ error: any Error) {
        let failure = error as? Failure ?? Failure(.internal, "\(error)")
        nodeFailure = failure
        nodeEnd.source.yield(
            Failure(failure.code, "this node has stopped taking part in the cluster: \(failure)"))
    }

    // MARK: Membership

    private func beginChange() throws(Failure) {
        guard node == nil else {
            throw Failure(
                .unavailable,
                "This node is already part of a swarm. Use \"swarmctl leave\" to leave this swarm and join another one."
            )
        }
        guard !isChanging else { throw Failure(.unavailable, "this node is joining or leaving a swarm at this moment") }
        isChanging = true
    }

    func initialize(_ request: InitRequest) async throws -> NodeID {
        try beginChange()
        defer { isChanging = false }
        let addresses = try machine.addresses(
            listen: request.listenAddress, advertise: request.advertiseAddress, dataPath: request.dataPathAddress)
        let founding = try Founding(request, addresses)
        do {
            try folder.save(founding.membership, founding.credentials)
            try await start(founding.membership, founding.credentials)
            guard let manager = runtime?.manager else { throw Failure(.internal, "the first node is no manager") }
            _ = try await manager.propose(founding.transaction)
        } catch {
            await abandon()
            throw error
        }
        return founding.credentials.identity.node
    }

    func join(_ request: JoinRequest) async throws {
        if request.isRenewal { return try await rejoin(request) }
        try beginChange()
        defer { isChanging = false }
        let addresses = try machine.addresses(
            listen: request.listenAddress, advertise: request.advertiseAddress, dataPath: request.dataPathAddress)
        let joining = try Joining(request, addresses, try await machine.description())
        let admitted = try joining.membership(try await joining.run(), addresses)
        do {
            try folder.save(admitted.membership, admitted.credentials)
            try await start(admitted.membership, admitted.credentials)
        } catch {
            await abandon()
            throw error
        }
    }

    /// This node comes back as who it is, with its containers: its certificate had run out, its managers have moved, or its
    /// log is lost.
    private func rejoin(_ request: JoinRequest) async throws {
        guard let runtime else { throw Failure(.unavailable, "This node is not part of a swarm") }
        guard !isChanging else { throw Failure(.unavailable, "this node is joining or leaving a swarm at this moment") }
        isChanging = true
        defer { isChanging = false }
        if await runtime.keeper.isFenced, let problem = await runtime.keeper.problem { throw problem }
        let joining = try Joining(
            renewing: runtime.credentials.current, request, advertiseAddress: runtime.membership.advertiseAddress,
            hasLostLog: await runtime.keeper.hasLostLog, try await machine.description())
        try await runtime.keeper.readmit(try await joining.run())
    }

    /// The node is as before: unjoined and reusable.
    private func abandon() async {
        await stop()
        folder.forgetMembership()
        machine.removeTree("\(settings.state)/raft")
    }

    func leave(force: Bool) async throws {
        guard let runtime else {
            throw Failure(.unavailable, "This node is not part of a swarm")
        }
        guard !isChanging else { throw Failure(.unavailable, "this node is joining or leaving a swarm at this moment") }
        isChanging = true
        defer { isChanging = false }
        try await Leaving(runtime: runtime, isForced: force, log: log).run()
        let tasks = runtime.tasks
        await stop()
        try await tasks.removeEverything()
        machine.forgetTasks()
        folder.forgetMembership()
        machine.removeTree("\(settings.state)/raft")
    }
}

/// The folder of sockets.
enum RunFolder {
    static func prepare(_ settings: DaemonSettings) throws(Failure) {
        if mkdir(settings.run, 0o755) != 0 && errno != EEXIST {
            throw Failure(.unavailable, "cannot make \(settings.run): \(String(cString: strerror(errno)))")
        }
        // sun_path holds 108 bytes with the final zero (unix(7)).
        guard settings.socket.utf8.count < 108 else {
            throw Failure(.invalidArgument, "the socket's path \(settings.socket) is longer than 107 bytes")
        }
        // The state folder's lock has shown that no other swarmd is alive here.
        unlink(settings.socket)
    }
}
