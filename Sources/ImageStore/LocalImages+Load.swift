import Glibc
import LinuxSystem
import Primitives

extension LocalImages {
    /// Takes in all images of an archive of `docker save` or an OCI layout, under the names they have there.
    public func load(_ source: ArchiveSource) async throws -> [ImageSummary] {
        try await Self.naming("load the archive") {
            try await storing {
                let spooled = try await spool(source)
                let archive = try await blocking { [blobs] in
                    try LoadedArchive(spooled.reopen(), folder: blobs.temporaryPath())
                }
                do {
                    let summaries = try await load(archive)
                    try await blocking { try Files.removeTree(archive.folder) }
                    return summaries
                } catch {
                    try? await blocking { try Files.removeTree(archive.folder) }
                    throw error
                }
            }
        }
    }

    private func load(_ archive: LoadedArchive) async throws -> [ImageSummary] {
        var summaries: [ImageSummary] = []
        for image in try await blocking({ try archive.images() }) {
            switch image {
            case .docker(let config, let layers, let names):
                summaries.append(try await load(archive, config: config, layers: layers, names: names))
            case .layout(let descriptor, let names):
                summaries.append(try await load(archive, descriptor, names: names))
            }
        }
        return summaries
    }

    /// `docker save` stores no manifest, so one is made.
    private func load(
        _ archive: LoadedArchive, config path: String, layers paths: [String], names: [String]
    ) async throws -> ImageSummary {
        let references = try names.map { name throws(Failure) in try ImageReference(parsing: name) }
        let bytes = try await blocking {
            try archive.open(path).readAll(limit: Limits.maximumConfigBytes, path: path)
        }
        let config = try ImageConfig(decoding: bytes)
        guard config.diffIDs.count == paths.count, paths.count <= Limits.maximumLayersPerImage else {
            throw Failure(
                .invalidArgument, "manifest.json has \(paths.count) layers, \(path) \(config.diffIDs.count)")
        }
        var layers: [ContentDescriptor] = []
        for (path, diffID) in zip(paths, config.diffIDs) {
            let spooled = try await copy(archive, path)
            layers.append(try await addLayer(spooled, expecting: diffID).0)
        }
        return try await record(try await compose(bytes, layers: layers, diffIDs: config.diffIDs), names: references)
    }

    private func load(
        _ archive: LoadedArchive, _ top: ContentDescriptor, names: [String]
    ) async throws -> ImageSummary {
        let references = try names.map { name throws(Failure) in try ImageReference(parsing: name) }
        var descriptor = top
        var document = try await addManifest(archive, top)
        if case .list(let list, _) = document {
            guard let chosen = list.choose(for: .host) else {
                throw Failure(
                    .failedPrecondition, "there is no image for \(ImagePlatform.host) among: \(list.platforms)")
            }
            descriptor = chosen
            document = try await addManifest(archive, chosen)
        }
        guard case .image(let manifest, let mediaType) = document else {
            throw Failure(.unimplemented, "its index points at another index")
        }
        let bytes = try await blocking { [blobs] in
            let path = archive.path(manifest.config.digest)
            let bytes = try archive.open(path).readAll(limit: Limits.maximumConfigBytes, path: path)
            try Self.check(bytes, manifest.config.digest)
            try blobs.add(bytes, mediaType: manifest.config.mediaType)
            return bytes
        }
        let config = try ImageConfig(decoding: bytes)
        guard config.diffIDs.count == manifest.layers.count else {
            throw Failure(
                .invalidArgument,
                "the manifest has \(manifest.layers.count) layers, its configuration \(config.diffIDs.count)")
        }
        for (layer, diffID) in zip(manifest.layers, config.diffIDs) {
            let spooled = try await copy(archive, archive.path(layer.digest))
            try await blocking { [layers] in
                // As it is, whatever its compression: the manifest names this blob.
                let file = try spooled.reopen()
                try spooled.commit(expecting: layer.digest)
                if !layers.contains(diffID) { _ = try layers.unpack(file, expecting: diffID) }
            }
        }
        descriptor.mediaType = mediaType
        let image = StoredImage(
            manifest: descriptor, config: manifest.config, layers: manifest.layers, diffIDs: config.diffIDs,
            storedAtNanoseconds: Clock.wallTime.nanoseconds)
        return try await record(image, target: top.digest, names: references)
    }

    private func addManifest(_ archive: LoadedArchive, _ descriptor: ContentDescriptor) async throws -> ManifestDocument
    {
        let bytes = try await blocking { [blobs] in
            let path = archive.path(descriptor.digest)
            let bytes = try archive.open(path).readAll(limit: Limits.maximumManifestBytes, path: path)
            try Self.check(bytes, descriptor.digest)
            try blobs.add(bytes, mediaType: descriptor.mediaType)
            return bytes
        }
        return try ManifestDocument.decode(bytes, contentType: descriptor.mediaType)
    }

    private static func check(_ bytes: [UInt8], _ digest: ContentDigest) throws {
        guard ContentDigest(hashing: bytes) == digest else {
            throw Failure(.dataLoss, "blob \(digest) of the archive has another digest: the archive is damaged")
        }
    }

    private func copy(_ archive: LoadedArchive, _ path: String) async throws -> BlobWriter {
        try await blocking { [blobs] in
            let file = try archive.open(path)
            let writer = try blobs.writer()
            while true {
                let chunk = try file.readChunk(Limits.fileChunkBytes, path: path)
                if chunk.isEmpty { return writer }
                try chunk.withUnsafeBytes { try writer.write($0) }
            }
        }
    }
}
