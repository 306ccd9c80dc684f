import FoundationEssentials
import Primitives

/// An image that is whole in the store.
struct StoredImage: Codable, Hashable, Sendable {
    /// Of the manifest for this platform.
    var manifest: ContentDescriptor
    /// The image's id, as Docker counts it: the digest of its configuration.
    var config: ContentDescriptor
    var layers: [ContentDescriptor]
    var diffIDs: [ContentDigest]
    /// When it came into the store.
    var storedAtNanoseconds: Int64

    var size: Int64 { layers.reduce(config.size) { $0 + $1.size } }
}

/// Which names stand for which images: the part of the store that is not addressed by content. A value, no I/O.
struct ReferenceIndex: Hashable, Sendable {
    struct Entry: Codable, Hashable, Sendable {
        /// What the registry resolves the name to: an index or the manifest itself.
        var target: ContentDigest
        var manifest: ContentDigest
    }

    private(set) var images: [ContentDigest: StoredImage] = [:]
    private(set) var references: [ImageReference: Entry] = [:]

    mutating func add(_ image: StoredImage) { images[image.manifest.digest] = image }

    mutating func set(_ reference: ImageReference, target: ContentDigest, manifest: ContentDigest) {
        references[reference.key] = Entry(target: target, manifest: manifest)
    }

    mutating func remove(_ reference: ImageReference) { references[reference.key] = nil }

    mutating func removeImage(manifest: ContentDigest) {
        images[manifest] = nil
        references = references.filter { $0.value.manifest != manifest }
    }

    func references(to manifest: ContentDigest) -> [ImageReference] {
        references.filter { $0.value.manifest == manifest }.keys.sorted()
    }

    func image(_ reference: ImageReference) -> StoredImage? {
        references[reference.key].flatMap { images[$0.manifest] }
    }

    /// By config digest (the id) or manifest digest; the first in manifest order where several share a configuration.
    func image(id: ContentDigest) -> StoredImage? {
        images[id]
            ?? sorted.first {
                $0.config.digest == id || references(to: $0.manifest.digest).contains { $0.digest == id }
            }
    }

    /// Finds by id, id prefix or reference, in this order of preference: reference, id.
    func find(_ text: String) throws(Failure) -> StoredImage {
        if let reference = try? ImageReference(parsing: text), let image = image(reference) { return image }
        if let id = ContentDigest(text) ?? ContentDigest(hex: text), let image = image(id: id) { return image }
        let prefix = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        if prefix.utf8.count >= Limits.minimumIDPrefixDigits {
            let found = sorted.filter { $0.config.digest.hex.hasPrefix(prefix) }
            if Set(found.map(\.config.digest)).count > 1 {
                throw Failure(.invalidArgument, "image id \(text) is ambiguous: give more digits")
            }
            if let image = found.first { return image }
        }
        throw Failure(.notFound, "no such image: \(text)")
    }

    var sorted: [StoredImage] { images.values.sorted { $0.manifest.digest < $1.manifest.digest } }

    /// Images without a tag that no container uses; `name@digest` alone does not keep an image, as in Docker.
    func dangling(inUse: Set<ContentDigest>) -> [StoredImage] {
        let named = Set(references.filter { $0.key.digest == nil }.values.map(\.manifest))
        return sorted.filter { image in
            !named.contains(image.manifest.digest) && !inUse.contains(image.config.digest)
                && !inUse.contains(image.manifest.digest)
        }
    }

    /// All blobs and layers that an image or a name needs.
    var needed: (blobs: Set<ContentDigest>, layers: Set<ContentDigest>) {
        var blobs = Set(references.values.map(\.target))
        var layers: Set<ContentDigest> = []
        for image in images.values {
            blobs.insert(image.manifest.digest)
            blobs.insert(image.config.digest)
            blobs.formUnion(image.layers.map(\.digest))
            layers.formUnion(image.diffIDs)
        }
        return (blobs, layers)
    }
}

extension ReferenceIndex {
    static let version = 1

    private struct Document: Codable {
        struct Name: Codable {
            var name: String
            var target: ContentDigest
            var manifest: ContentDigest
        }

        var version: Int
        var images: [StoredImage]
        var references: [Name]
    }

    /// The file's bytes: the same for the same value.
    func encoded() throws -> [UInt8] {
        let names = references.keys.sorted().compactMap { key in
            references[key].map { Document.Name(name: key.description, target: $0.target, manifest: $0.manifest) }
        }
        return try canonicalJSON(Document(version: Self.version, images: sorted, references: names))
    }

    init(decoding bytes: [UInt8], path: String) throws(Failure) {
        struct Probe: Decodable { var version: Int }
        do {
            let data = Data(bytes)
            let version = try JSONDecoder().decode(Probe.self, from: data).version
            guard version == Self.version else {
                throw Failure(
                    .failedPrecondition,
                    "\(path) has version \(version), this program reads \(Self.version): it was written by another release"
                )
            }
            let document = try JSONDecoder().decode(Document.self, from: data)
            for image in document.images { add(image) }
            for name in document.references {
                set(try ImageReference(parsing: name.name), target: name.target, manifest: name.manifest)
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(
                .dataLoss, "\(path) is damaged: move it away, and images are pulled again", cause: DecodeProblem(error))
        }
    }
}
