public import ClusterModel
import Glibc
public import LinuxSystem
import NameService
import OverlayDataplane
public import OverlayProtocol
public import Primitives

/// What a node does so that its containers talk: the kernel's links and rules, the overlay, the names.
///
/// Level-triggered: every call compares the kernel's state with what it should be and repairs it; so does a timer.
/// A restarted daemon finds what the former one left, without a packet lost but those during the start.
public actor NodeNetwork {
    /// Who and where this node is.
    public struct Configuration: Sendable {
        public var cluster: ClusterID
        public var node: NodeID
        /// A folder on a file system that a restart of the daemon, not of the machine, keeps: `/run/swarm/network`.
        public var runFolder: String
        /// Numeric; the address that other nodes send to, or `0.0.0.0`.
        public var underlayAddress: String
        public var dataPathPort: UInt16
        public var keys: KeyPair
        /// The host's resolv.conf(5).
        public var resolverFile: String

        public init(
            cluster: ClusterID, node: NodeID, runFolder: String, underlayAddress: String, dataPathPort: UInt16,
            keys: KeyPair, resolverFile: String = "/etc/resolv.conf"
        ) {
            self.cluster = cluster
            self.node = node
            self.runFolder = runFolder
            self.underlayAddress = underlayAddress
            self.dataPathPort = dataPathPort
            self.keys = keys
            self.resolverFile = resolverFile
        }
    }

    /// A task and the process whose network namespace is its container's.
    public struct RunningTask: Sendable {
        public var task: ClusterTask
        public var pid: Int32
        /// What ``NodeNetwork/resolverSockets(of:)`` gave to be kept; empty when nothing was.
        public var resolver: [SharedDescriptor]

        public init(task: ClusterTask, pid: Int32, resolver: [SharedDescriptor] = []) {
            self.task = task
            self.pid = pid
            self.resolver = resolver
        }
    }

    private struct Running {
        var thread: NamespaceThread
        var kernel: KernelNetwork
        var dataplane: Dataplane
        var names: NameServer
        var repair: Task<Void, Never>
    }

    private let configuration: Configuration
    private var running: Running?
    private var view: NetworkView?
    /// A view that the managers gave, not one from the folder: only then links are left over.
    private var isViewCurrent = false
    /// Until the containers of an earlier run are known, nothing of theirs may be taken for left over.
    private var isRestored = false
    private var tasks: [TaskID: LocalTask] = [:]
    private var namespaces: [TaskID: SharedDescriptor] = [:]
    private var resolvers: [TaskID: [SharedDescriptor]] = [:]

    public init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// What other nodes seal with; goes to the managers as the node's overlay key.
    public nonisolated var publicKey: PublicKey { configuration.keys.publicKey }

    private var viewFile: String { configuration.runFolder + "/view" }

    // MARK: Life

    /// Makes or finds the node's namespace and starts the data path and the resolver. First of all calls.
    public func start() async throws {
        guard running == nil else { return }
        let folder = configuration.runFolder
        try File.createFolders(folder, mode: 0o700)
        let thread = try NamespaceThread()
        try thread.start()
        let socket: OwnedDescriptor
        do throws(Errno) {
            socket = try InternetSocket.bindUDP(configuration.underlayAddress, port: configuration.dataPathPort)
        } catch {
            thread.stop()
            let owner = error == .addressInUse ? PortOwner.of(configuration.dataPathPort, protocol: .udp) : nil
            let reason = owner.map { " (in use by \($0); end it, or make the cluster with another --data-path-port)" }
            throw Failure(
                .unavailable,
                "cannot bind the overlay to \(configuration.underlayAddress):\(configuration.dataPathPort)/udp"
                    + (reason ?? ""), cause: error)
        }
        let identity = OverlayInstance.Identity(
            cluster: configuration.cluster, node: configuration.node, keys: configuration.keys)
        let dataplane = try Dataplane(identity: identity, socket: socket.number)
        try dataplane.start()
        let kernel: KernelNetwork
        do {
            kernel = try await thread.run {
                let kernel = try KernelNetwork(folder: folder, thread: thread, dataplane: dataplane)
                try kernel.connect()
                return kernel
            }
        } catch {
            thread.stop()
            dataplane.stop()
            throw error
        }
        let names = try NameServer()
        try names.start()
        running = Running(
            thread: thread, kernel: kernel, dataplane: dataplane, names: names, repair: repairing())
        readUpstreams()
        if let bytes = try? File.read(viewFile, maximumBytes: NetworkLimits.storedViewBytes),
            let stored = try? StoredView.decode(bytes)
        {
            publish(stored)
        }
    }

    private func repairing() -> Task<Void, Never> {
        Task { [weak self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(NetworkLimits.repairSeconds))
                await self?.repair()
            }
        }
    }

    private func repair() async {
        readUpstreams()
        // What cannot be repaired now is tried again; `check` names it.
        try? await reconcile(includingForeignRules: true)
    }

    private func readUpstreams() {
        guard let text = try? File.readText(configuration.resolverFile, maximumBytes: NetworkLimits.resolverFileBytes)
        else { return }
        running?.names.post(.upstreams(ResolverConfiguration(text).nameservers))
    }

    /// Ends the threads and leaves the kernel's state, so that containers talk on within this node.
    public func stop() {
        guard let running else { return }
        self.running = nil
        running.repair.cancel()
        running.names.post(.stop)
        running.dataplane.stop()
        running.thread.stop()
    }

    /// Leaves no link, namespace, rule or setting behind, and stops.
    public func removeAll() async throws {
        let running = try active()
        tasks.removeAll()
        namespaces.removeAll()
        let kernel = running.kernel
        try await running.thread.run { try kernel.removeAll() }
        try File.remove(viewFile)
        stop()
    }

    private func active() throws -> Running {
        guard let running else { throw Failure(.failedPrecondition, "the node's network is not started") }
        return running
    }

    // MARK: The managers' view

    /// Takes over what the managers say of this node's networks; returns when the kernel is as it says.
    public func update(_ new: NetworkView) async throws {
        _ = try active()
        isViewCurrent = true
        let isNew = new != view
        if isNew {
            publish(new)
            try File.replace(viewFile, with: StoredView.encode(new), mode: 0o600, isDurable: false)
        }
        try await reconcile()
    }

    private func publish(_ new: NetworkView) {
        view = new
        running?.dataplane.update(OverlayTables(view: new, node: configuration.node))
        running?.names.post(.tables(new.nameTables()))
    }

    private func reconcile(includingForeignRules: Bool = false) async throws {
        let running = try active()
        guard isRestored else { return }
        var desired = DesiredState(view: view, node: configuration.node, tasks: tasks)
        desired.isComplete = isViewCurrent
        keepUsedNetworks(&desired)
        let ports = PortTable(view: view, node: configuration.node, tasks: tasks)
        let (kernel, namespaces, state) = (running.kernel, namespaces, desired)
        try await running.thread.run {
            if includingForeignRules { try kernel.connect() }
            try kernel.reconcile(state, ports: ports, namespaces: namespaces)
            if includingForeignRules { try kernel.openForeignChains() }
        }
    }

    /// A network that is gone from the view while a container still has its address is kept until that ends.
    private func keepUsedNetworks(_ desired: inout DesiredState) {
        let known = Set((view?.networks ?? []).map(\.id))
        if tasks.values.contains(where: { $0.task.networks.contains { !known.contains($0.network) } }) {
            desired.isComplete = false
        }
    }

    // MARK: Tasks

    /// Gives a container its interfaces, names and published ports, before its program starts.
    ///
    /// `containerPID`: a process in the container's network namespace. Waits some seconds for the managers' view of the
    /// task's networks. An error leaves nothing behind.
    public func attach(task: ClusterTask, containerPID pid: Int32) async throws {
        let running = try active()
        try await waitForNetworks(of: task)
        try await checkPorts(of: task, running)
        let namespace = SharedDescriptor(try openNamespace(pid, task))
        do {
            try await take(task, namespace, running)
            try await reconcile()
            try await serveNames(task, namespace, kept: [], running)
        } catch {
            try? await detach(task: task)
            throw error
        }
    }

    /// What belongs into the container's /etc/resolv.conf; it is written before the container exists.
    public nonisolated func resolverFile(for task: ClusterTask) -> String {
        let dns = task.spec.container.dns
        let host =
            (try? File.readText(configuration.resolverFile, maximumBytes: NetworkLimits.resolverFileBytes))
            .map { ResolverConfiguration($0).search } ?? []
        return ResolverConfiguration.forContainer(
            search: dns.search.isEmpty ? host : dns.search, options: dns.options)
    }

    /// Takes a container's interfaces, names and ports away; one that was never attached is no error.
    public func detach(task: ClusterTask) async throws {
        running?.names.post(.forget(task.id))
        tasks.removeValue(forKey: task.id)
        namespaces.removeValue(forKey: task.id)
        resolvers.removeValue(forKey: task.id)
        try await reconcile()
    }

    /// Takes over the containers that an earlier run of the daemon attached: their names answer on the same ports at
    /// once. Call right after `start`, with an empty list where there are none: until then the kernel's state is left
    /// as it is. Tasks whose process has ended are left out. The first error is thrown after all was tried.
    public func restore(_ former: [RunningTask]) async throws {
        let running = try active()
        var failure: (any Error)?
        var restored: [(task: ClusterTask, namespace: SharedDescriptor)] = []
        for entry in former {
            guard let opened = try? Namespaces.openNetwork(ofProcess: entry.pid) else { continue }
            let namespace = SharedDescriptor(opened)
            // Names first: lookups wait for them. One container's trouble is not the others'.
            do {
                try await serveNames(entry.task, namespace, kept: entry.resolver, running)
            } catch {
                failure = failure ?? error
            }
            restored.append((entry.task, namespace))
        }
        for (task, namespace) in restored { try await take(task, namespace, running) }
        isRestored = true
        try await reconcile(includingForeignRules: true)
        if let failure { throw failure }
    }

    /// What of the kernel's state is not as it should be; empty when all is well.
    public func check() async throws -> [String] {
        let running = try active()
        var desired = DesiredState(view: view, node: configuration.node, tasks: tasks)
        desired.isComplete = isViewCurrent
        keepUsedNetworks(&desired)
        let (kernel, namespaces, state) = (running.kernel, namespaces, desired)
        return try await running.thread.run { try kernel.differences(state, namespaces: namespaces) }
    }

    private func openNamespace(_ pid: Int32, _ task: ClusterTask) throws -> OwnedDescriptor {
        do throws(Errno) {
            return try Namespaces.openNetwork(ofProcess: pid)
        } catch {
            throw Failure(
                .failedPrecondition, "task \(task.name): the network namespace of its process \(pid)", cause: error)
        }
    }

    private func take(_ task: ClusterTask, _ namespace: SharedDescriptor, _ running: Running) async throws {
        var local = LocalTask(task: task)
        if task.networks.isEmpty {
            let kernel = running.kernel
            let used = try await running.thread.run { try kernel.localAddresses() }
            local.localAddress = try localAddress(for: task.id, used)
        }
        tasks[task.id] = local
        namespaces[task.id] = namespace
    }

    private func localAddress(for task: TaskID, _ used: [String: IPv4Address]) throws -> IPv4Address {
        if let former = tasks[task]?.localAddress ?? used[task.description] { return former }
        let taken = Set(used.values).union(tasks.values.compactMap(\.localAddress))
        let first = NetworkLimits.localGateway.value + 1
        let count: UInt32 = 1 << (32 - UInt32(NetworkLimits.localPrefix))
        let free = (first..<first + count - 3).lazy.map { IPv4Address(value: $0) }.first { !taken.contains($0) }
        guard let free else {
            throw Failure(.resourceExhausted, "the node's local network has no free address for another task")
        }
        return free
    }

    /// The sockets that a task's resolver listens at. Whoever keeps copies and gives them to ``restore(_:)`` lets
    /// lookups wait for the daemon's next life instead of being refused meanwhile.
    public func resolverSockets(of task: TaskID) -> [SharedDescriptor] { resolvers[task] ?? [] }

    private func serveNames(
        _ task: ClusterTask, _ namespace: SharedDescriptor, kept: [SharedDescriptor], _ running: Running
    ) async throws {
        let kernel = running.kernel
        let sockets = try await running.thread.run { try kernel.openResolver(in: namespace, kept: kept) }
        resolvers[task.id] = sockets
        let asked = task.spec.container.dns.nameservers
        running.names.post(
            .serve(
                NameServer.Container(
                    task: task.id, networks: task.networks.map(\.network), udp: sockets[0], tcp: sockets[1],
                    upstreams: asked.isEmpty ? nil : asked)))
    }

    private func waitForNetworks(of task: ClusterTask) async throws {
        let deadline = Clock.now + .seconds(NetworkLimits.viewSeconds)
        while true {
            let known = Set((view?.networks ?? []).filter { $0.allocation != nil }.map(\.id))
            guard let missing = task.networks.first(where: { !known.contains($0.network) }) else { return }
            guard Clock.now < deadline else {
                throw Failure(
                    .deadlineExceeded,
                    "task \(task.name): the managers have not described its network \(missing.network) within "
                        + "\(NetworkLimits.viewSeconds) s; is a manager reachable?")
            }
            try await Task.sleep(for: .milliseconds(NetworkLimits.viewPollMilliseconds))
        }
    }

    /// Fails where a port that the task publishes belongs to somebody else on this host.
    private func checkPorts(of task: ClusterTask, _ running: Running) async throws {
        for port in task.ports where port.publishedPort != 0 {
            let name = "\(port.publishedPort)/\(port.protocol.word)"
            var address: IPv4Address?
            if let text = port.hostAddress, !text.isEmpty, port.mode == .host {
                guard let parsed = IPv4Address(text) else {
                    throw Failure(
                        .invalidArgument, "task \(task.name): host address \(text) of port \(name) is no IPv4 address")
                }
                address = parsed.value == 0 ? nil : parsed
            }
            if port.mode == .host, let other = holder(of: port, except: task.id) {
                throw Failure(.alreadyExists, "task \(task.name): port \(name) of this host is in use by task \(other)")
            }
            let wanted = address
            let owner = try await running.thread.run {
                PortOwner.of(port.publishedPort, protocol: port.protocol, address: wanted)
            }
            if let owner {
                throw Failure(
                    .alreadyExists,
                    "task \(task.name): port \(name) of this host is in use by \(owner): stop it or publish another port"
                )
            }
        }
    }

    private func holder(of port: PortConfig, except id: TaskID) -> String? {
        tasks.values.map(\.task).sorted { $0.id < $1.id }.first { other in
            other.id != id
                && other.ports.contains {
                    $0.mode == .host && $0.publishedPort == port.publishedPort && $0.protocol == port.protocol
                        && ($0.hostAddress == nil || port.hostAddress == nil || $0.hostAddress == port.hostAddress)
                }
        }?.name
    }
}
