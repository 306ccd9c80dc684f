import Glibc
import NIOCore
import NIOPosix
public import Primitives

/// What people see of an image.
public struct ImageSummary: Hashable, Sendable {
    /// The image id, as Docker counts it: the digest of its configuration.
    public var id: ContentDigest
    /// The digest of the manifest for this platform.
    public var manifest: ContentDigest
    /// `name:tag`, sorted; empty for an image that lost its name.
    public var tags: [ImageReference]
    /// `name@digest`, sorted.
    public var digests: [ImageReference]
    public var created: Timestamp?
    /// Bytes of its blobs, compressed.
    public var size: Int64
    public var config: ImageConfig
}

/// The images of this node: blobs, names and unpacked layers below one folder.
///
/// A shell: blocking work runs on its own threads, the network on event loops. Only one may have a folder open, which a lock
/// on it ensures; call ``shutdown()`` before letting it go.
public actor LocalImages {
    struct PullKey: Hashable {
        var reference: ImageReference
        var credentials: RegistryCredentials?
    }

    nonisolated let folder: String
    nonisolated let blobs: BlobStore
    nonisolated let layers: LayerStore
    nonisolated let registry: RegistryClient
    nonisolated let pool: NIOThreadPool
    private let lock: OpenFile
    var index: ReferenceIndex
    var pulls: [PullKey: (task: Task<ImageSummary, any Error>, observers: ProgressHub)] = [:]
    var layerWork: [ContentDigest: Task<Void, any Error>] = [:]
    private var savedGeneration = 0
    private var isSaving = false
    private var generation = 0
    private var saveWaiters: [CheckedContinuation<Void, Never>] = []
    private var activity = Activity.storing(0)
    private var activityWaiters: [CheckedContinuation<Void, Never>] = []
    private var isGarbagePending = false

    private static let indexName = "references.json"

    /// Opens or makes the store; what an earlier process left half-done is removed.
    public static func open(folder: String, insecureRegistries: [String] = []) async throws -> LocalImages {
        try await open(folder: folder, insecure: InsecureRegistries(insecureRegistries), retry: RetryPolicy())
    }

    static func open(folder: String, insecure: InsecureRegistries, retry: RetryPolicy) async throws -> LocalImages {
        let pool = NIOThreadPool(numberOfThreads: Limits.blockingThreads)
        pool.start()
        do {
            let opened = try await pool.runIfActive { try prepare(folder) }
            return LocalImages(folder, opened, RegistryClient(insecure: insecure, pool: pool, retry: retry), pool)
        } catch {
            try? await pool.shutdownGracefully()
            if let error = error as? FileError {
                throw Failure(.failedPrecondition, "cannot open the image store in \(folder)", cause: error)
            }
            throw error
        }
    }

    private struct Opened: Sendable {
        var lock: OpenFile
        var blobs: BlobStore
        var layers: LayerStore
        var index: ReferenceIndex
    }

    private static func prepare(_ folder: String) throws -> Opened {
        try Files.makeFolder(folder)
        let lock = try OpenFile(folder + "/lock", O_RDWR | O_CREAT)
        guard flock(lock.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure(.failedPrecondition, "the image store in \(folder) is in use by another process")
        }
        let path = folder + "/" + indexName
        var index = ReferenceIndex()
        if Files.exists(path) {
            let bytes = try OpenFile(path, O_RDONLY).readAll(limit: Limits.maximumIndexFileBytes, path: path)
            index = try ReferenceIndex(decoding: bytes, path: path)
        }
        let blobs = try BlobStore(folder: folder)
        let layers = try LayerStore(folder: folder)
        // A disk may have lost files, a person removed them: such an image is pulled again instead of failing at each start.
        for image in index.sorted {
            let digests = [image.manifest.digest, image.config.digest] + image.layers.map(\.digest)
            if !digests.allSatisfy(blobs.contains) || !image.diffIDs.allSatisfy(layers.contains) {
                index.removeImage(manifest: image.manifest.digest)
            }
        }
        return Opened(lock: lock, blobs: blobs, layers: layers, index: index)
    }

    private init(_ folder: String, _ opened: Opened, _ registry: RegistryClient, _ pool: NIOThreadPool) {
        self.folder = folder
        lock = opened.lock
        blobs = opened.blobs
        layers = opened.layers
        index = opened.index
        self.registry = registry
        self.pool = pool
    }

    /// Ends pulls under way, closes connections and threads. The store must not be used afterwards.
    public func shutdown() async throws {
        for pull in pulls.values { pull.task.cancel() }
        for pull in Array(pulls.values) { _ = await pull.task.result }
        try await registry.shutdown()
        try await pool.shutdownGracefully()
        flock(lock.descriptor, LOCK_UN)
    }

    // MARK: Reading

    /// All images, the newest first.
    public func list() async throws -> [ImageSummary] {
        var result: [(Int64, ImageSummary)] = []
        for image in index.sorted { result.append((image.storedAtNanoseconds, try await summary(of: image))) }
        return result.sorted { $0.0 > $1.0 }.map(\.1)
    }

    /// Finds by reference, id or id prefix; throws `notFound`.
    public func inspect(_ image: String) async throws -> ImageSummary { try await summary(of: index.find(image)) }

    /// Whether this exact reference is here: a digest must match, a tag may have moved on in the registry.
    public func contains(_ reference: ImageReference) -> Bool { index.image(reference) != nil }

    /// The folders for overlayfs' `lowerdir`, topmost first; `imageID` is a config or manifest digest.
    public func layersForMount(imageID: ContentDigest) throws -> [String] {
        guard let image = index.image(id: imageID) else { throw Failure(.notFound, "no such image: \(imageID)") }
        return image.diffIDs.reversed().map(layers.diffPath)
    }

    func summary(of image: StoredImage) async throws -> ImageSummary {
        let bytes = try await blocking { [blobs] in
            try blobs.read(image.config.digest, limit: Limits.maximumConfigBytes)
        }
        let config = try ImageConfig(decoding: bytes)
        let names = index.references(to: image.manifest.digest)
        return ImageSummary(
            id: image.config.digest, manifest: image.manifest.digest, tags: names.filter { $0.digest == nil },
            digests: names.filter { $0.digest != nil }, created: config.created, size: image.size, config: config)
    }

    // MARK: Plumbing

    /// Runs blocking work on the store's threads.
    nonisolated func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await pool.runIfActive(body)
    }

    /// Writes the index as it is now. Saves run one after the other, and one save serves all who waited for it.
    func save() async throws {
        generation += 1
        let wanted = generation
        while isSaving { await withCheckedContinuation { saveWaiters.append($0) } }
        guard savedGeneration < wanted else { return }
        isSaving = true
        defer {
            isSaving = false
            let waiters = saveWaiters
            saveWaiters = []
            for waiter in waiters { waiter.resume() }
        }
        let covered = generation
        let bytes = try index.encoded()
        try await blocking { [folder] in try Files.replace(Self.indexName, in: folder, with: bytes) }
        savedGeneration = covered
    }

    /// Runs `body` while nothing is collected: what it stores has no name yet.
    func storing<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        while true {
            guard case .storing(let count) = activity else {
                await withCheckedContinuation { activityWaiters.append($0) }
                continue
            }
            activity = .storing(count + 1)
            break
        }
        let result: Result<Value, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        if case .storing(let count) = activity { activity = .storing(count - 1) }
        if isGarbagePending { try? await collectGarbage() }
        return try result.get()
    }

    /// Removes what no image needs; while something is being stored, that is left to whoever ends storing last.
    func collectGarbage() async throws {
        guard case .storing(0) = activity else {
            isGarbagePending = true
            return
        }
        activity = .collecting
        isGarbagePending = false
        defer {
            activity = .storing(0)
            let waiters = activityWaiters
            activityWaiters = []
            for waiter in waiters { waiter.resume() }
        }
        let (blobsNeeded, layersNeeded) = index.needed
        try await blocking { [blobs, layers] in
            for digest in try blobs.digests() where !blobsNeeded.contains(digest) { try blobs.remove(digest) }
            for diffID in try layers.diffIDs() where !layersNeeded.contains(diffID) { try layers.remove(diffID) }
        }
    }
}

/// Many may store at once, or one may collect.
private enum Activity {
    case storing(Int)
    case collecting
}
