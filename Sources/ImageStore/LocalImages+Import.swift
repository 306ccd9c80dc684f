import LinuxSystem
public import NIOCore
import NIOPosix
import Primitives

/// Where an archive's bytes come from.
public enum ArchiveSource: Sendable {
    case file(path: String)
    /// A request's body, or anything else that arrives piece by piece.
    case stream(any AsyncSequence<ByteBuffer, any Error> & Sendable)
}

extension LocalImages {
    /// Makes an image of one layer from the tar archive of a root folder, plain or compressed with gzip, zstd, xz or bzip2.
    ///
    /// `changes` are Dockerfile instructions (``ImageConfig/apply(change:)``). Without a reference the image has an id only.
    public func importRootfs(
        _ source: ArchiveSource, as reference: ImageReference? = nil, changes: [String] = [], message: String = ""
    ) async throws -> ImageSummary {
        if let reference, reference.digest != nil {
            throw Failure(
                .invalidArgument, "cannot import as \(reference.familiar): the digest is not known beforehand")
        }
        var config = ImageConfig()
        for change in changes { try config.apply(change: change) }
        let created = Clock.wallTime
        config.created = created
        let prepared = config
        return try await Self.naming("import the archive") {
            try await storing {
                let (layer, diffID) = try await addLayer(try await spool(source), expecting: nil)
                var config = prepared
                config.diffIDs = [diffID]
                config.history = [
                    .init(
                        created: created, createdBy: "", comment: message.isEmpty ? "imported" : message,
                        isEmptyLayer: false)
                ]
                let image = try await compose(config.encoded(), layers: [layer], diffIDs: [diffID])
                return try await record(image, names: reference.map { [$0] } ?? [])
            }
        }
    }

    /// Gives errors that are not for people yet the operation's name.
    static func naming<Value>(_ operation: String, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let failure as Failure {
            throw Failure(failure.code, "cannot \(operation): \(failure.message)", cause: failure.cause)
        } catch let problem as ArchiveProblem {
            throw Failure(.invalidArgument, "cannot \(operation): \(problem)")
        } catch let error as FileError {
            throw Failure(.internal, "cannot \(operation)", cause: error)
        }
    }

    /// Copies the archive into the store's folder, so that it can be read twice and cannot change meanwhile.
    func spool(_ source: ArchiveSource) async throws -> BlobWriter {
        let writer = try await blocking { [blobs] in try blobs.writer() }
        switch source {
        case .file(let path): try await Self.copy(FileChunks(path: path, pool: pool), to: writer, pool)
        case .stream(let sequence): try await Self.copy(sequence, to: writer, pool)
        }
        return writer
    }

    private static func copy(
        _ sequence: some AsyncSequence<ByteBuffer, any Error>, to writer: BlobWriter, _ pool: NIOThreadPool
    ) async throws {
        for try await buffer in sequence {
            try await pool.runIfActive { try writer.write([buffer]) }
            guard writer.count <= Limits.maximumBlobBytes else {
                throw Failure(.resourceExhausted, "the archive has more than \(Limits.maximumBlobBytes) bytes")
            }
        }
    }

    /// Unpacks a spooled layer and stores its blob; what OCI has no media type for is stored uncompressed.
    func addLayer(
        _ spooled: BlobWriter, expecting diffID: ContentDigest?
    ) async throws -> (ContentDescriptor, ContentDigest) {
        try await blocking { [blobs, layers] in
            let unpacked = try layers.unpack(spooled.reopen(), expecting: diffID)
            if let suffix = unpacked.compression.mediaTypeSuffix {
                let (digest, size) = try spooled.commit()
                return (
                    ContentDescriptor(mediaType: MediaType.ociLayer + suffix, digest: digest, size: size),
                    unpacked.diffID
                )
            }
            let plain = try blobs.writer()
            let bytes = try DecompressedBytes(spooled.reopen())
            while let block = try bytes.next() { try plain.write(block) }
            let (digest, size) = try plain.commit(expecting: unpacked.diffID)
            return (ContentDescriptor(mediaType: MediaType.ociLayer, digest: digest, size: size), unpacked.diffID)
        }
    }

    /// Stores a configuration and the manifest that joins it with its layers.
    func compose(
        _ config: [UInt8], layers: [ContentDescriptor], diffIDs: [ContentDigest]
    ) async throws -> StoredImage {
        try await blocking { [blobs] in
            let configDescriptor = try blobs.add(config, mediaType: MediaType.ociConfig)
            let manifest = ImageManifest(
                schemaVersion: 2, mediaType: MediaType.ociManifest, config: configDescriptor, layers: layers)
            return StoredImage(
                manifest: try blobs.add(canonicalJSON(manifest), mediaType: MediaType.ociManifest),
                config: configDescriptor,
                layers: layers, diffIDs: diffIDs, storedAtNanoseconds: Clock.wallTime.nanoseconds)
        }
    }

    /// Enters an image that is whole, under these names.
    func record(_ image: StoredImage, target: ContentDigest? = nil, names: [ImageReference]) async throws
        -> ImageSummary
    {
        index.add(image)
        for name in names {
            index.set(name, target: target ?? image.manifest.digest, manifest: image.manifest.digest)
        }
        try await save()
        return try await summary(of: image)
    }
}
