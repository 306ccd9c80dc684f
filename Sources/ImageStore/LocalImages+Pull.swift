import LinuxSystem
import NIOPosix
import Primitives
import Synchronization

/// One step of a pull or push.
public enum ImageProgress: Hashable, Sendable {
    case resolved(ContentDigest)
    /// Bytes so far of the blob's total.
    case transferring(layer: ContentDigest, bytes: Int64, total: Int64)
    case unpacking(layer: ContentDigest)
    case complete(layer: ContentDigest)
    case alreadyExists(layer: ContentDigest)
}

/// Called from any thread, in order for each layer.
public typealias ImageProgressHandler = @Sendable (ImageProgress) -> Void

/// All who wait for the same pull.
final class ProgressHub: Sendable {
    private let handlers = Mutex<[ImageProgressHandler]>([])

    func add(_ handler: @escaping ImageProgressHandler) { handlers.withLock { $0.append(handler) } }

    func report(_ progress: ImageProgress) {
        for handler in handlers.withLock({ $0 }) { handler(progress) }
    }
}

extension LocalImages {
    /// Fetches the image for this machine's platform, verified and unpacked; pulls of the same image are one.
    ///
    /// A reference with a digest that is here already costs no request. A pull goes on when its asker is cancelled:
    /// the next one finds it done. Throws ``Failure`` saying which image, which registry and why.
    @discardableResult
    public func pull(
        _ reference: ImageReference, credentials: RegistryCredentials? = nil,
        progress: @escaping ImageProgressHandler = { _ in }
    ) async throws -> ImageSummary {
        if reference.digest != nil, let image = index.image(reference) { return try await summary(of: image) }
        let key = PullKey(reference: reference, credentials: credentials)
        if let running = pulls[key] {
            running.observers.add(progress)
            return try await running.task.value
        }
        let hub = ProgressHub()
        hub.add(progress)
        let task = Task {
            defer { pulls[key] = nil }
            do {
                return try await storing { try await performPull(reference, credentials, hub) }
            } catch {
                throw Self.failure("pull", reference, error)
            }
        }
        pulls[key] = (task, hub)
        return try await task.value
    }

    /// The digest that the registry resolves the reference to now: of the index where there is one. For pinning.
    public nonisolated func resolve(
        _ reference: ImageReference, credentials: RegistryCredentials? = nil
    ) async throws -> ContentDigest {
        do {
            return try await registry.resolve(reference, credentials)
        } catch {
            throw Self.failure("resolve", reference, error)
        }
    }

    /// Asks a registry, `HOST[:PORT]`, whether it knows the account.
    ///
    /// Throws `unauthenticated` where it does not.
    public nonisolated func authenticate(_ credentials: RegistryCredentials, at host: String) async throws {
        let text = host == "docker.io" ? "login" : host + "/login"
        let reference = try ImageReference(parsing: text)
        do {
            try await registry.authenticate(RegistryClient.Target(reference, credentials))
        } catch let error as RegistryError {
            throw Failure(
                error.code == .permissionDenied ? .unauthenticated : error.code,
                "cannot log in to \(host): \(error.description)")
        }
    }

    static func failure(_ verb: String, _ reference: ImageReference, _ error: any Error) -> any Error {
        switch error {
        case let error as RegistryError: return error.failure(verb, reference)
        case let error as Failure:
            return Failure(error.code, "cannot \(verb) \(reference.familiar): \(error.message)", cause: error.cause)
        case is CancellationError: return error
        default: return Failure(.internal, "cannot \(verb) \(reference.familiar)", cause: error)
        }
    }

    private func performPull(
        _ reference: ImageReference, _ credentials: RegistryCredentials?, _ hub: ProgressHub
    ) async throws -> ImageSummary {
        let target = RegistryClient.Target(reference, credentials)
        let top = try await registry.manifest(reference.manifestName, of: target)
        hub.report(.resolved(top.digest))
        try await store(top)
        var chosen = top
        if case .list(let list, _) = top.document {
            guard let descriptor = list.choose(for: .host) else {
                throw Failure(
                    .failedPrecondition, "there is no image for \(ImagePlatform.host) among: \(list.platforms)")
            }
            chosen = try await registry.manifest("\(descriptor.digest)", of: target)
            try await store(chosen)
        }
        guard case .image(let manifest, let mediaType) = chosen.document else {
            throw Failure(.unimplemented, "its index points at another index")
        }
        let config = try await fetchConfig(manifest.config, target)
        guard config.diffIDs.count == manifest.layers.count else {
            throw Failure(
                .invalidArgument,
                "the manifest has \(manifest.layers.count) layers, its configuration \(config.diffIDs.count)")
        }
        try await fetchLayers(Array(zip(manifest.layers, config.diffIDs)), target, hub)
        let descriptor = ContentDescriptor(mediaType: mediaType, digest: chosen.digest, size: Int64(chosen.bytes.count))
        let image = StoredImage(
            manifest: descriptor, config: manifest.config, layers: manifest.layers, diffIDs: config.diffIDs,
            storedAtNanoseconds: Clock.wallTime.nanoseconds)
        index.add(image)
        if reference.digest == nil { index.set(reference, target: top.digest, manifest: chosen.digest) }
        index.set(reference.pinned(to: top.digest), target: top.digest, manifest: chosen.digest)
        try await save()
        return try await summary(of: image)
    }

    private func store(_ manifest: FetchedManifest) async throws {
        _ = try await blocking { [blobs] in try blobs.add(manifest.bytes, mediaType: "") }
    }

    private func fetchConfig(_ descriptor: ContentDescriptor, _ target: RegistryClient.Target) async throws
        -> ImageConfig
    {
        try await fetchBlob(descriptor, target) { _ in }
        let bytes = try await blocking { [blobs] in
            try blobs.read(descriptor.digest, limit: Limits.maximumConfigBytes)
        }
        return try ImageConfig(decoding: bytes)
    }

    /// Three at a time: a layer is unpacked while others are downloaded.
    private func fetchLayers(
        _ layers: [(ContentDescriptor, ContentDigest)], _ target: RegistryClient.Target, _ hub: ProgressHub
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (position, (descriptor, diffID)) in layers.enumerated() {
                if position >= Limits.concurrentLayersPerPull { try await group.next() }
                group.addTask { try await self.ensureLayer(descriptor, diffID, target, hub) }
            }
            try await group.waitForAll()
        }
    }

    /// A layer that two images share is fetched once, also when both are pulled at the same time.
    private func ensureLayer(
        _ descriptor: ContentDescriptor, _ diffID: ContentDigest, _ target: RegistryClient.Target, _ hub: ProgressHub
    ) async throws {
        // Another image's pull may fail for its own reasons (credentials, a cancelled store): then this one tries itself.
        while let running = layerWork[diffID] {
            if case .success = await running.result { break }
            try Task.checkCancellation()
        }
        let task = Task { [blobs, layers] in
            defer { layerWork[diffID] = nil }
            let digest = descriptor.digest
            let state = try await blocking { (blobs.contains(digest), layers.contains(diffID)) }
            if state == (true, true) { return hub.report(.alreadyExists(layer: digest)) }
            try await fetchBlob(descriptor, target) { bytes in
                hub.report(.transferring(layer: digest, bytes: bytes, total: descriptor.size))
            }
            if !state.1 {
                hub.report(.unpacking(layer: digest))
                _ = try await blocking {
                    try layers.unpack(OpenFile(blobs.path(digest), 0), expecting: diffID)
                }
            }
            hub.report(.complete(layer: digest))
        }
        layerWork[diffID] = task
        try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func fetchBlob(
        _ descriptor: ContentDescriptor, _ target: RegistryClient.Target, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        let writer = try await blocking { [blobs] in
            blobs.contains(descriptor.digest) ? nil : try blobs.writer()
        }
        guard let writer else { return }
        try await registry.blob(descriptor, of: target, into: writer, progress: progress)
        _ = try await blocking { try writer.commit(expecting: descriptor.digest) }
    }
}
