import Primitives

/// What a removal did.
public struct ImageRemoval: Hashable, Sendable {
    public var untagged: [ImageReference] = []
    /// Ids of images that are gone.
    public var deleted: [ContentDigest] = []

    public init() {}
}

extension LocalImages {
    /// Gives an image one more name.
    public func tag(_ image: String, as reference: ImageReference) async throws {
        guard reference.digest == nil else {
            throw Failure(.invalidArgument, "\(reference.familiar): a tag cannot have a digest")
        }
        let stored = try index.find(image)
        let target = (try? ImageReference(parsing: image)).flatMap { index.references[$0.key]?.target }
        index.set(reference, target: target ?? stored.manifest.digest, manifest: stored.manifest.digest)
        try await save()
    }

    /// Takes a name away, or all names where `image` is an id; what no image needs any more is removed.
    ///
    /// `inUse` holds the ids of images that containers use: those lose a name at most, and their last name only if `force`.
    public func remove(_ image: String, inUse: Set<ContentDigest>, force: Bool = false) async throws -> ImageRemoval {
        let stored = try index.find(image)
        let manifest = stored.manifest.digest
        let all = index.references(to: manifest)
        var removal = ImageRemoval()
        if let reference = try? ImageReference(parsing: image), index.image(reference) == stored {
            removal.untagged = [reference.key]
            // name@digest goes with the last tag of its repository, as people see only the tag.
            let rest = all.filter { $0 != reference.key }
            if !rest.contains(where: { $0.digest == nil && $0.name == reference.name }) {
                removal.untagged += rest.filter { $0.name == reference.name }
            }
        } else {
            removal.untagged = all
        }
        let isLast = all.allSatisfy(removal.untagged.contains)
        let isUsed = inUse.contains(stored.config.digest) || inUse.contains(manifest)
        if isLast, isUsed, !force {
            throw Failure(
                .conflict,
                "cannot remove \(image): a container uses image \(stored.config.digest.short); stop it first or force")
        }
        for reference in removal.untagged { index.remove(reference) }
        if isLast, !isUsed {
            index.removeImage(manifest: manifest)
            removal.deleted = [stored.config.digest]
        }
        try await save()
        try await collectGarbage()
        return removal
    }

    /// Removes images without a tag that no container uses, then all that no image needs.
    @discardableResult
    public func prune(inUse: Set<ContentDigest>) async throws -> ImageRemoval {
        var removal = ImageRemoval()
        for image in index.dangling(inUse: inUse) {
            index.removeImage(manifest: image.manifest.digest)
            removal.deleted.append(image.config.digest)
        }
        try await save()
        try await collectGarbage()
        return removal
    }
}
