import ClusterIdentity
import ClusterModel
import ClusterState
import ClusterWire
import EngineAPI
import Glibc
import LinuxSystem
import Logging
import ManagerNode
import Orchestration
import Primitives
import Synchronization
import WorkerNode

/// The whole of a node: owns the state folder, the API and, once it is a member, the node's runtime.
actor Daemon {
    enum State {
        /// In no cluster.
        case outside
        /// Its keys are locked: containers go on, and somebody has to unlock it.
        case locked(LockedNode, LocalAgent)
        case member(NodeRuntime, LocalAgent, Task<Void, any Error>)
    }

    let settings: DaemonSettings
    let folder: StateFolder
    let log: Logger
    let machine: Machine
    /// Read by every request: not worth a hop to the actor.
    private nonisolated let held = Mutex(State.outside)
    private var isChanging = false
    private nonisolated let nodeFailure = Mutex<Failure?>(nil)
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
        try await resume()
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

    // MARK: Starting and stopping

    /// Takes part again in what the state folder says.
    private func resume() async throws {
        switch try folder.loadIdentity() {
        case .none: return
        case .locked(let node):
            let agent = try await pickUp(try relocated(node.membership), node.identity)
            set(.locked(node, agent))
            log.notice("this manager is locked: `swarmctl unlock` lets it take part; its containers go on")
        case .open(let membership, let credentials, let keys):
            try await start(try relocated(membership), credentials, keys)
        }
    }

    /// Where the node is now that its machine has started.
    private func relocated(_ known: NodeMembership) throws -> NodeMembership {
        try Relocation(told: settings.advertiseAddress, interfaces: Interfaces.ipv4())
            .settle(known, in: folder, log: log)
    }

    /// Containers come before the log: their names answer again at once, however long the log is.
    ///
    /// Each start notes which interface has the advertised address: that is how a node knows later that it has moved.
    func pickUp(_ known: NodeMembership, _ identity: PeerIdentity) async throws -> LocalAgent {
        let membership = try Relocation(told: nil, interfaces: Interfaces.ipv4()).settle(known, in: folder, log: log)
        let tasks = try await machine.tasks(for: membership, identity, overlayKeys: try folder.overlayKeys())
        return try await LocalAgent.pickUp(
            membership, calling: settings.namedManagers, folder: folder, tasks: tasks, log: log)
    }

    /// Starts the node; a failure of it later on ends the daemon.
    ///
    /// - Throws: ``Failure``; the agent is as it was then.
    func begin(_ agent: LocalAgent, _ credentials: Credentials, _ keys: KeyRing) async throws {
        let surroundings = NodeRuntime.Surroundings(
            folder: folder, hostRoutes: machine.hostRoutes(), overlayMTU: machine.overlayMTU(agent.record.value),
            namedManagers: settings.namedManagers,
            wipe: { [settings] () throws(Failure) in
                let log = "\(settings.state)/raft"
                do {
                    try File.removeTree(log)
                } catch { throw Failure(.internal, "cannot remove the log of before, \(log)", cause: error) }
            },
            setAside: { [machine, settings] in
                machine.removeTree("\(settings.state)/raft.aside")
                rename("\(settings.state)/raft", "\(settings.state)/raft.aside")
            })
        let runtime = try await NodeRuntime.open(
            agent: agent, credentials: credentials, keys: keys, surroundings: surroundings, log: log)
        nodeFailure.withLock { $0 = nil }
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
        set(.member(runtime, agent, task))
    }

    func start(_ membership: NodeMembership, _ credentials: Credentials, _ keys: KeyRing) async throws {
        let agent = try await pickUp(membership, credentials.identity)
        do {
            try await begin(agent, credentials, keys)
        } catch {
            await agent.stop()
            throw error
        }
    }

    /// The node takes no part any more; its containers stay as they are.
    func stop() async {
        switch state {
        case .outside: return
        case .locked(_, let agent): await agent.stop()
        case .member(_, let agent, let task):
            task.cancel()
            _ = await task.result
            await agent.stop()
        }
        set(.outside)
    }

    /// The daemon ends: what it finds on the disk when it starts again counts.
    func failed(_ error: any Error) {
        let failure = error as? Failure ?? Failure(.internal, "\(error)")
        nodeFailure.withLock { $0 = failure }
        nodeEnd.source.yield(
            Failure(failure.code, "this node has stopped taking part in the cluster: \(failure)"))
    }

    nonisolated var state: State { held.withLock { $0 } }

    private func set(_ state: State) { held.withLock { $0 = state } }

    nonisolated var runtime: NodeRuntime? {
        if case .member(let runtime, _, _) = state { runtime } else { nil }
    }

    nonisolated var failure: Failure? { nodeFailure.withLock { $0 } }

    // MARK: One change at a time

    func changing<Value: Sendable>(
        _ body: @Sendable (isolated Daemon) async throws -> Value
    ) async throws -> Value {
        guard !isChanging else {
            throw Failure(.unavailable, "this node is joining, leaving or changing its swarm at this moment")
        }
        isChanging = true
        defer { isChanging = false }
        return try await body(self)
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
