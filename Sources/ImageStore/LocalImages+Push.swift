import Primitives
import Synchronization

extension LocalImages {
    /// Uploads what the registry lacks and sets the tag; returns the manifest's digest there, for pinning.
    @discardableResult
    public func push(
        _ reference: ImageReference, credentials: RegistryCredentials? = nil,
        progress: @escaping ImageProgressHandler = { _ in }
    ) async throws -> ContentDigest {
        guard let image = index.image(reference) else {
            throw Failure(.notFound, "cannot push \(reference.familiar): no such image here")
        }
        do {
            return try await storing { try await upload(image, reference, credentials, progress) }
        } catch {
            throw Self.failure("push", reference, error)
        }
    }

    private func upload(
        _ image: StoredImage, _ reference: ImageReference, _ credentials: RegistryCredentials?,
        _ progress: @escaping ImageProgressHandler
    ) async throws -> ContentDigest {
        let target = RegistryClient.Target(reference, credentials)
        let blobs = self.blobs
        let registry = self.registry
        // A layer may be there twice: two uploads of the same blob at once would only compete.
        var seen: Set<ContentDigest> = []
        let wanted = (image.layers + [image.config]).filter { seen.insert($0.digest).inserted }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (position, descriptor) in wanted.enumerated() {
                if position >= Limits.concurrentLayersPerPull { try await group.next() }
                group.addTask {
                    let counter = TransferCounter()
                    let sent = try await registry.upload(descriptor, path: blobs.path(descriptor.digest), to: target) {
                        count in
                        progress(
                            .transferring(
                                layer: descriptor.digest, bytes: counter.add(count), total: descriptor.size))
                    }
                    progress(sent ? .complete(layer: descriptor.digest) : .alreadyExists(layer: descriptor.digest))
                }
            }
            try await group.waitForAll()
        }
        let bytes = try await blocking { try blobs.read(image.manifest.digest, limit: Limits.maximumManifestBytes) }
        let name = reference.tag ?? image.manifest.digest.description
        try await registry.putManifest(bytes, mediaType: image.manifest.mediaType, name: name, to: target)
        index.set(
            reference.pinned(to: image.manifest.digest), target: image.manifest.digest, manifest: image.manifest.digest)
        try await save()
        return image.manifest.digest
    }
}

/// Bytes of one blob, counted from the event loop's callbacks.
private final class TransferCounter: Sendable {
    private let total = Atomic<Int64>(0)

    func add(_ count: Int) -> Int64 { total.wrappingAdd(Int64(count), ordering: .relaxed).newValue }
}
