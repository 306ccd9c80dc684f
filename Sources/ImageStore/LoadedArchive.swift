import CArchive
import FoundationEssentials
import Glibc
import Primitives

/// An unpacked archive of `docker save` or in the OCI image layout. Every method blocks.
struct LoadedArchive: Sendable {
    /// One image of the archive.
    enum Image: Sendable {
        /// `manifest.json` of `docker save`: paths inside the archive.
        case docker(config: String, layers: [String], names: [String])
        /// `index.json` of an OCI layout: blobs are at `blobs/sha256/<hex>`.
        case layout(ContentDescriptor, names: [String])
    }

    let folder: String

    private struct DockerEntry: Decodable {
        var config: String
        var repoTags: [String]?
        var layers: [String]

        enum CodingKeys: String, CodingKey {
            case config = "Config"
            case repoTags = "RepoTags"
            case layers = "Layers"
        }
    }

    /// Unpacks the archive below `folder`, which is made; nothing in it can reach outside.
    init(_ archive: OpenFile, folder: String) throws {
        self.folder = folder
        try Files.makeFolder(folder)
        try LayerUnpacker.unpack(archive, into: OpenFile(folder, O_RDONLY | O_DIRECTORY), mode: .files)
    }

    /// An OCI layout keeps the manifests' digests, so it is preferred where an archive is both.
    func images() throws -> [Image] {
        if let index = try json(ManifestList.self, "index.json") {
            let images = index.manifests.map { Image.layout($0, names: Self.names($0.annotations ?? [:])) }
            if !images.isEmpty { return images }
        }
        guard let entries = try json([DockerEntry].self, "manifest.json") else {
            throw Failure(
                .invalidArgument,
                "it has neither manifest.json nor index.json: it is no archive of images (for a root folder: image import)"
            )
        }
        return entries.map { .docker(config: $0.config, layers: $0.layers, names: $0.repoTags ?? []) }
    }

    /// containerd writes the whole name, others the tag alone, which names nothing.
    private static func names(_ annotations: [String: String]) -> [String] {
        if let name = annotations["io.containerd.image.name"] { return [name] }
        guard let name = annotations["org.opencontainers.image.ref.name"],
            name.contains(where: { $0 == "/" || $0 == ":" })
        else { return [] }
        return [name]
    }

    func path(_ digest: ContentDigest) -> String { "blobs/sha256/" + digest.hex }

    private func json<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value? {
        guard let file = try? open(path) else { return nil }
        let bytes = try file.readAll(limit: Limits.maximumManifestBytes, path: path)
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw Failure(.invalidArgument, "\(path) in the archive cannot be read", cause: DecodeProblem(error))
        }
    }

    /// Opens a member; links that older `docker save` writes for repeated layers are followed inside the archive only.
    func open(_ path: String) throws -> OpenFile {
        var path = path
        for _ in 0..<Limits.maximumArchiveLinkHops {
            let components = try TreeWriter.components(of: Array(path.utf8))
            guard let last = components.last else {
                throw Failure(.invalidArgument, "a file name in the archive is empty")
            }
            var tree = TreeWriter(root: try OpenFile(folder, O_RDONLY | O_DIRECTORY))
            let parent = try tree.folder(components.dropLast(), creating: false)
            let name = nullTerminated(last)
            guard let target = Self.linkTarget(parent, name) else {
                let file = try OpenFile(in: parent, name, O_RDONLY)
                guard TreeWriter.status(parent, name).map({ $0.st_mode & S_IFMT == S_IFREG }) ?? false else {
                    throw Failure(.invalidArgument, "\(path) in the archive is no file")
                }
                return file
            }
            path = Self.resolve(target, from: components.dropLast().map { String(decoding: $0, as: UTF8.self) })
        }
        throw Failure(.invalidArgument, "\(path) in the archive: too many symbolic links")
    }

    private static func linkTarget(_ parent: OpenFile, _ name: [CChar]) -> String? {
        var buffer = [CChar](repeating: 0, count: Limits.maximumPathBytes)
        let count = readlinkat(parent.descriptor, name, &buffer, buffer.count)
        return count < 0 ? nil : text(Array(buffer.prefix(count)))
    }

    /// `..` is taken off here; what would go above the archive's top stays at it.
    private static func resolve(_ target: String, from folder: [String]) -> String {
        var result = target.hasPrefix("/") ? [] : folder
        for part in target.split(separator: "/") where part != "." {
            if part == ".." { _ = result.popLast() } else { result.append(String(part)) }
        }
        return result.joined(separator: "/")
    }
}
