public import AgentCore
public import ClusterModel
public import ContainerRuntime
public import ImageStore
import LaunchProtocol
import LinuxSystem
public import Logging
public import NodeNetwork
public import Primitives
import SeccompProfiles
import Synchronization

/// Tasks as containers of this machine: images, volumes, cgroups, logs.
public final class ContainerTasks: TaskRuntime {
    private let runtime: ContainerRuntime
    private let images: LocalImages
    private let volumes: VolumeFolder
    private let records: TaskRecords
    private let filters = SeccompFilters()
    private let network: NodeNetwork
    private let machine: @Sendable () async throws -> NodeDescription
    private let identity: NodeFacts
    private let log: Logger
    private let containers = Mutex<[TaskID: Container]>([:])

    /// What a task may be told of its node by a template.
    public struct NodeFacts: Sendable {
        public var id: NodeID
        public var hostname: String

        public init(id: NodeID, hostname: String) {
            self.id = id
            self.hostname = hostname
        }
    }

    public init(
        runtime: ContainerRuntime, images: LocalImages, volumes: VolumeFolder, recordsFolder: String,
        network: NodeNetwork, identity: NodeFacts, log: Logger,
        machine: @escaping @Sendable () async throws -> NodeDescription
    ) throws {
        self.runtime = runtime
        self.images = images
        self.volumes = volumes
        records = try TaskRecords(folder: recordsFolder)
        self.network = network
        self.identity = identity
        self.log = log
        self.machine = machine
    }

    /// The container's id follows from the task's, so that one that was half made when the daemon ended is found.
    static func containerID(of task: TaskID) -> String {
        ContentDigest(hashing: Array(task.description.utf8)).hex
    }

    /// Under which name a supervisor keeps the sockets of its container's resolver.
    private static let resolverName = "resolver"

    /// Lookups then wait for a daemon that is away, instead of being refused.
    private func keepResolver(of task: TaskID, _ container: Container) async {
        do {
            try await container.storeDescriptors(
                ContainerTasks.resolverName, await network.resolverSockets(of: task))
        } catch { log.warning("names in task \(task) will not answer while swarmd restarts: \(error)") }
    }

    public func describe() async throws -> NodeDescription { try await machine() }
    public func save(_ record: TaskRecord) throws { try records.save(record) }
    public func update(_ view: NetworkView) async throws { try await network.update(view) }

    /// The tasks that have a container here, running or ended, with its id.
    public var recordsOfContainers: [(id: String, record: TaskRecord)] {
        records.all.filter { $0.status.container != nil }.sorted { $0.task.id < $1.task.id }
            .map { (ContainerTasks.containerID(of: $0.task.id), $0) }
    }

    // MARK: Use

    /// The images of containers that have not ended.
    public var imagesInUse: Set<ContentDigest> {
        Set(records.unended.compactMap { records.image(of: $0.task.id) })
    }

    /// The tasks with this volume whose containers have not ended, by name.
    public func users(ofVolume name: String) -> [String] {
        records.unended.filter { record in
            record.task.spec.container.mounts.contains { mount in
                guard case .volume(let own, _) = mount.source else { return false }
                return own.isEmpty ? VolumeFolder.isAnonymous(name, of: record.task.id) : own == name
            }
        }.map(\.task.name).sorted()
    }

    // MARK: Restart

    public func restore() async throws -> [(record: TaskRecord, container: RestoredContainer)] {
        var result: [(record: TaskRecord, container: RestoredContainer)] = []
        var attached: [NodeNetwork.RunningTask] = []
        let found = try records.load()
        try await network.start()
        for (record, container) in await find(found) {
            let id = ContainerTasks.containerID(of: record.task.id)
            switch container {
            case .running(let container):
                containers.withLock { $0[record.task.id] = container }
                attached.append(
                    NodeNetwork.RunningTask(
                        task: record.task, pid: container.pid,
                        resolver: (try? await container.fetchDescriptors(ContainerTasks.resolverName)) ?? []))
                result.append((record, .running(status(of: container, id))))
            case .created(let container):
                // Its network was being made when the daemon ended: it is made again from the beginning.
                await removeLeftover(id) { try await container.remove() }
                result.append((record, .none))
            case .exited(let exit): result.append((record, .exited(ContainerExit(exit))))
            case .lost: result.append((record, .none))
            }
        }
        do {
            try await network.restore(attached)
        } catch { log.error("networks of running containers: \(error)") }
        let known = Set(found.map { ContainerTasks.containerID(of: $0.task.id) })
        for id in try await runtime.list() where !known.contains(id) {
            log.info("removing container \(id), which belongs to no task")
            await removeLeftover(id) { try await runtime.remove(id) }
        }
        return result
    }

    /// All at once: each one that does not answer takes its time.
    private func find(_ records: [TaskRecord]) async -> [(TaskRecord, FoundContainer)] {
        await withTaskGroup(of: (Int, FoundContainer).self) { group in
            for (position, record) in records.enumerated() {
                group.addTask {
                    (position, await self.find(ContainerTasks.containerID(of: record.task.id), of: record.task))
                }
            }
            var found: [Int: FoundContainer] = [:]
            for await (position, container) in group { found[position] = container }
            return records.enumerated().map { ($1, found[$0] ?? .lost) }
        }
    }

    /// One container that does not answer is lost; it must not keep the node with all others from coming back.
    private func find(_ id: String, of task: ClusterTask) async -> FoundContainer {
        do {
            return try await runtime.reconnect(id)
        } catch {
            log.error("task \(task.name) is lost, ending its container: \(error)")
            do {
                try await runtime.kill(id)
            } catch { log.error("cannot end the container of task \(task.name): \(error)") }
            return .lost
        }
    }

    private func removeLeftover(_ id: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch { log.error("cannot remove container \(id), left from before: \(error)") }
    }

    private func status(of container: Container, _ id: String) -> ContainerStatus {
        ContainerStatus(containerID: id, pid: container.pid)
    }

    // MARK: Life

    public func prepare(_ task: ClusterTask, secrets: [Secret], configs: [Config]) async throws -> PreparedContainer {
        let id = ContainerTasks.containerID(of: task.id)
        let image = try await image(for: task.spec.container)
        try records.save(image: image.id, of: task.id)
        try Task.checkCancellation()
        let layers = try await images.layersForMount(imageID: image.id)
        var fillings: [VolumeFilling] = []
        var configuration = try ContainerPlan(
            task: task, image: image.config, containerID: id, layers: layers, node: identity, secrets: secrets,
            configs: configs
        ).configuration { mount, task in
            let folder = try volumes.prepare(mount, task: task)
            if case .volume(_, copiesImageContent: true) = mount.source {
                fillings.append(VolumeFilling(folder: folder, target: mount.target))
            }
            return folder
        }
        try await volumes.fill(fillings, from: layers)
        configuration.resolverFile = network.resolverFile(for: task)
        configuration.seccompFilter = try await filters.containerDefault(
            Set(configuration.capabilities.memberNames))
        try await runtime.remove(id)
        do {
            let container = try await runtime.create(configuration)
            do {
                try await network.attach(task: task, containerPID: container.pid)
                await keepResolver(of: task.id, container)
                try Task.checkCancellation()
            } catch {
                await detach(task)
                try await container.remove()
                throw error
            }
            containers.withLock { $0[task.id] = container }
            return PreparedContainer(
                status: status(of: container, id), imageHealthcheck: image.config.healthcheck.map(Healthcheck.init))
        } catch let failure as LaunchFailure {
            throw Failure(.failedPrecondition, "\(failure)")
        }
    }

    /// An image that is here is not asked for again: the service's reference is pinned by its digest.
    private func image(for spec: ContainerSpec) async throws -> ImageSummary {
        let reference = try ImageReference(parsing: spec.image)
        if await images.contains(reference) { return try await images.inspect(spec.image) }
        let account = spec.registryAuth.map { RegistryCredentials(username: $0.username, password: $0.password) }
        return try await images.pull(reference, credentials: account)
    }

    private func container(_ task: TaskID) throws -> Container {
        guard let container = containers.withLock({ $0[task] }) else {
            throw Failure(.notFound, "task \(task) has no container here")
        }
        return container
    }

    public func start(_ task: TaskID) async throws -> ContainerStatus {
        let container = try container(task)
        do {
            try await container.start()
        } catch let failure as LaunchFailure {
            throw Failure(.failedPrecondition, "\(failure)")
        }
        return status(of: container, container.id)
    }

    public func waitForExit(of task: TaskID) async throws -> ContainerExit {
        let exit = ContainerExit(try await container(task).wait())
        if let record = records[task] { await detach(record.task) }
        return exit
    }

    /// Links go with the container's namespace; names and ports have to be taken back.
    private func detach(_ task: ClusterTask) async {
        do {
            try await network.detach(task: task)
        } catch { log.error("cannot take task \(task.name) off its networks: \(error)") }
    }

    /// Ends this daemon's part of the network; containers go on talking.
    public func stop() async { await network.stop() }

    /// Leaves nothing behind of network and containers.
    public func removeEverything() async throws {
        for id in try await runtime.list() { try await runtime.remove(id) }
        for record in records.all {
            try volumes.removeAnonymous(of: record.task.id)
            try records.remove(record.task.id)
        }
        try await network.start()
        try await network.removeAll()
    }

    public func probe(_ task: TaskID, _ check: Healthcheck, timeout: Duration) async -> Int32? {
        let arguments =
            switch check.test.first {
            case "CMD": Array(check.test.dropFirst())
            case "CMD-SHELL": ["/bin/sh", "-c"] + check.test.dropFirst()
            default: check.test
            }
        guard let container = try? container(task), !arguments.isEmpty else { return nil }
        do {
            let result = try await container.exec(arguments, timeout: timeout)
            return result.timedOut ? nil : result.exitCode
        } catch {
            log.debug("health check of task \(task): \(error)")
            return nil
        }
    }

    public func stop(_ task: TaskID, signal: String, grace: Duration) async throws {
        guard let container = containers.withLock({ $0[task] }) else { return }
        let name = signal.isEmpty ? await imageStopSignal(of: task) : signal
        try await container.stop(signal: Signal.number(name) ?? Signal.terminate, grace: grace)
    }

    private func imageStopSignal(of task: TaskID) async -> String {
        guard let image = records[task]?.task.spec.container.image else { return "" }
        return (try? await images.inspect(image).config.stopSignal) ?? ""
    }

    public func remove(_ task: TaskID) async throws {
        containers.withLock { _ = $0.removeValue(forKey: task) }
        if let record = records[task] { await detach(record.task) }
        try await runtime.remove(ContainerTasks.containerID(of: task))
        try volumes.removeAnonymous(of: task)
        try records.remove(task)
    }

    // MARK: Logs

    public func logs(of task: TaskID, _ query: LogQuery) throws -> TaskLog {
        let log = try runtime.log(of: ContainerTasks.containerID(of: task))
        return TaskLog(log.entries(tail: query.tail, since: query.since, follow: query.follow), query)
    }
}

extension Healthcheck {
    /// What an image's configuration says; a part that it leaves out is zero.
    public init(_ image: ImageConfig.Healthcheck) {
        self.init(
            test: image.test, interval: image.interval ?? .zero, timeout: image.timeout ?? .zero,
            startPeriod: image.startPeriod ?? .zero, startInterval: image.startInterval ?? .zero,
            retries: image.retries ?? 0)
    }
}

extension ContainerExit {
    init(_ record: ExitRecord) {
        self.init(code: record.exitCode, wasOutOfMemory: record.wasOutOfMemory, finishedAt: record.finishedAt)
    }
}
