import AgentCore
import ClusterModel
import EngineAPI
import ImageStore
import Primitives
import Synchronization
import WorkerNode

/// The tasks of the cluster that the node is in; those of its last one, when it is in none.
final class RunningTasks: Sendable {
    private let tasks = Mutex<ContainerTasks?>(nil)

    var current: ContainerTasks? { tasks.withLock { $0 } }
    func set(_ new: ContainerTasks) { tasks.withLock { $0 = new } }
}

/// The API's view of the node's volumes.
struct VolumeAdapter: VolumePort {
    let folder: VolumeFolder
    let tasks: RunningTasks

    func list() async throws -> [VolumeRecord] { try folder.list().map(VolumeRecord.init) }
    func inspect(_ name: String) async throws -> VolumeRecord { VolumeRecord(try folder.find(name)) }

    func create(_ name: String, labels: [String: String]) async throws -> VolumeRecord {
        VolumeRecord(try folder.create(name))
    }

    func remove(_ name: String, force: Bool) async throws {
        let users = tasks.current?.users(ofVolume: name) ?? []
        guard users.isEmpty else {
            throw Failure(
                .conflict, "remove \(name): volume is in use by \(users.joined(separator: ", ")); stop that first")
        }
        do {
            try folder.remove(name)
        } catch let failure as Failure where force && failure.code == .notFound { return }
    }
}

extension VolumeRecord {
    init(_ volume: VolumeFolder.Volume) {
        self.init(name: volume.name, mountpoint: volume.mountpoint)
    }
}

/// The API's view of the node's images.
final class ImageAdapter: ImagePort {
    private let opened = Mutex<LocalImages?>(nil)
    private let tasks: RunningTasks

    init(tasks: RunningTasks) { self.tasks = tasks }

    func set(_ images: LocalImages) { opened.withLock { $0 = images } }

    func store() throws -> LocalImages {
        guard let images = opened.withLock({ $0 }) else {
            throw Failure(.unavailable, "the image store is not open yet")
        }
        return images
    }

    func list() async throws -> [ImageRecord] { try await store().list().map(ImageRecord.init) }
    func inspect(_ name: String) async throws -> ImageRecord { ImageRecord(try await store().inspect(name)) }

    func pull(
        _ reference: String, credentials: APICredentials?,
        progress: @escaping @Sendable (APIImageProgress) -> Void
    ) async throws {
        _ = try await store().pull(
            ImageReference(parsing: reference), credentials: credentials?.forStore,
            progress: { progress(.init($0, "Pull")) })
    }

    func push(
        _ reference: String, credentials: APICredentials?,
        progress: @escaping @Sendable (APIImageProgress) -> Void
    ) async throws {
        _ = try await store().push(
            ImageReference(parsing: reference), credentials: credentials?.forStore,
            progress: { progress(.init($0, "Push")) })
    }

    func importRootfs(_ body: UploadBody, reference: String, changes: [String]) async throws -> String {
        let name = reference.isEmpty ? nil : try ImageReference(parsing: reference)
        return try await store().importRootfs(.stream(body), as: name, changes: changes).id.description
    }

    func load(_ body: UploadBody) async throws -> [String] {
        try await store().load(.stream(body)).flatMap { image in
            image.tags.isEmpty ? [image.id.description] : image.tags.map(\.familiar)
        }
    }

    func remove(_ name: String, force: Bool) async throws -> [APIImageRemoval] {
        let removal = try await store().remove(name, inUse: tasks.current?.imagesInUse ?? [], force: force)
        return removal.untagged.map { .untagged($0.familiar) } + removal.deleted.map { .deleted($0.description) }
    }

    func tag(_ name: String, as reference: String) async throws {
        try await store().tag(name, as: ImageReference(parsing: reference))
    }

    func authenticate(_ credentials: APICredentials) async throws {
        // Docker's clients name their hub by an URL.
        var host = credentials.serverAddress
        if let scheme = host.firstRange(of: "://") { host = String(host[scheme.upperBound...]) }
        host = String(host.prefix { $0 != "/" })
        if host.isEmpty || host == "index.docker.io" { host = "docker.io" }
        guard let account = credentials.forStore else {
            throw Failure(.invalidArgument, "username and password are missing")
        }
        try await store().authenticate(account, at: host)
    }

    func resolveDigest(
        _ reference: String, credentials: APICredentials?
    ) async throws -> ResolvedImage {
        let digest = try await store().resolve(ImageReference(parsing: reference), credentials: credentials?.forStore)
        return ResolvedImage(digest: digest.description)
    }
}

extension APICredentials {
    fileprivate var forStore: ImageStore.RegistryCredentials? {
        username.isEmpty && password.isEmpty ? nil : .init(username: username, password: password)
    }
}

extension APIImageProgress {
    fileprivate init(_ progress: ImageStore.ImageProgress, _ verb: String) {
        switch progress {
        case .resolved(let digest): self.init(status: "Digest: \(digest)")
        case .transferring(let layer, let bytes, let total):
            self.init(
                id: layer.short, status: verb == "Pull" ? "Downloading" : "Pushing", currentBytes: bytes,
                totalBytes: total)
        case .unpacking(let layer): self.init(id: layer.short, status: "Extracting")
        case .complete(let layer): self.init(id: layer.short, status: "\(verb) complete")
        case .alreadyExists(let layer): self.init(id: layer.short, status: "Already exists")
        }
    }
}

extension ImageRecord {
    fileprivate init(_ image: ImageSummary) {
        self.init(
            id: image.id.description, tags: image.tags.map(\.familiar), digests: image.digests.map(\.familiar),
            created: image.created ?? .zero, sizeBytes: image.size)
        let config = image.config
        labels = config.labels
        environment = config.environment
        entrypoint = config.entrypoint
        command = config.command
        workingDirectory = config.workingDirectory
        user = config.user
        stopSignal = config.stopSignal
        healthcheck = config.healthcheck.map(Healthcheck.init)
        exposedPorts = config.exposedPorts
        volumes = config.volumes
        layers = config.diffIDs.map(\.description)
    }
}

extension ContainerRecord {
    /// A task's container, with Docker's name and labels for it.
    init(_ record: TaskRecord, id: String, imageID: String) {
        let task = record.task
        let spec = task.spec.container
        let isRunning =
            switch record.phase {
            case .running, .draining, .stopping: true
            case .accepted, .preparing, .prepared, .starting, .ended, .removing: false
            }
        self.init(
            id: id, name: "\(task.name).\(task.id)", image: spec.image, imageID: imageID,
            command: (spec.command + spec.arguments).joined(separator: " "), created: task.meta.createdAt,
            isRunning: isRunning, exitCode: record.status.container?.exitCode,
            labels: spec.labels.merging([
                "com.docker.swarm.node.id": task.nodeID?.description ?? "",
                "com.docker.swarm.service.id": task.serviceID.description,
                "com.docker.swarm.service.name": task.serviceName, "com.docker.swarm.task": "",
                "com.docker.swarm.task.id": task.id.description, "com.docker.swarm.task.name": task.name,
            ]) { $1 })
    }
}
