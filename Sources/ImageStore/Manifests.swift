import FoundationEssentials
import Primitives

/// The media types of manifests, configs and layers that are understood.
enum MediaType {
    static let ociManifest = "application/vnd.oci.image.manifest.v1+json"
    static let ociIndex = "application/vnd.oci.image.index.v1+json"
    static let ociConfig = "application/vnd.oci.image.config.v1+json"
    static let ociLayer = "application/vnd.oci.image.layer.v1.tar"
    static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    static let dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
    static let dockerConfig = "application/vnd.docker.container.image.v1+json"
    static let dockerSchema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

    static let manifests = [ociManifest, dockerManifest, ociIndex, dockerList]

    /// The compression of a layer is detected from its bytes, so the suffix does not matter.
    static func isLayer(_ type: String) -> Bool {
        let known = [
            ociLayer, "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.docker.image.rootfs.diff.tar",
        ]
        return known.contains { type == $0 || type.hasPrefix($0 + "+") || type.hasPrefix($0 + ".") }
    }

    static func isIndex(_ type: String) -> Bool { type == ociIndex || type == dockerList }
}

/// An operating system and processor as the OCI specs name them.
public struct ImagePlatform: Codable, Hashable, Sendable, CustomStringConvertible {
    public var architecture: String
    public var os: String
    public var variant: String?

    public init(architecture: String, os: String = "linux", variant: String? = nil) {
        self.architecture = architecture
        self.os = os
        self.variant = variant
    }

    /// What this program was built for.
    public static var host: ImagePlatform {
        #if arch(arm64)
            ImagePlatform(architecture: "arm64", variant: "v8")
        #else
            ImagePlatform(architecture: "amd64")
        #endif
    }

    public var description: String { "\(os)/\(architecture)" + (variant.map { "/" + $0 } ?? "") }

    /// A variant that one side leaves out matches any.
    func runs(_ other: ImagePlatform) -> Bool {
        os == other.os && architecture == other.architecture
            && (variant == nil || other.variant == nil || variant == other.variant)
    }
}

/// Points at a blob: what it is, its digest, its size (OCI image spec, descriptor).
public struct ContentDescriptor: Codable, Hashable, Sendable {
    public var mediaType: String
    public var digest: ContentDigest
    public var size: Int64
    public var platform: ImagePlatform?
    public var annotations: [String: String]?

    public init(mediaType: String, digest: ContentDigest, size: Int64) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
    }
}

/// An image for one platform: its configuration and its layers, lowest first.
struct ImageManifest: Codable, Hashable, Sendable {
    var schemaVersion: Int
    var mediaType: String?
    var config: ContentDescriptor
    var layers: [ContentDescriptor]
}

/// An OCI index or Docker manifest list.
struct ManifestList: Codable, Hashable, Sendable {
    var schemaVersion: Int
    var mediaType: String?
    var manifests: [ContentDescriptor]

    /// The first manifest that this platform can run, in the list's order; attestations are of platform `unknown/unknown`.
    func choose(for platform: ImagePlatform) -> ContentDescriptor? {
        manifests.first { $0.platform == platform }
            ?? manifests.first { $0.platform.map(platform.runs) ?? false }
            ?? (manifests.count == 1 && manifests[0].platform == nil ? manifests[0] : nil)
    }

    var platforms: String {
        manifests.compactMap { $0.platform?.description }.filter { !$0.hasPrefix("unknown") }.joined(separator: ", ")
    }
}

/// A manifest as a registry or an archive holds it.
enum ManifestDocument: Hashable, Sendable {
    case image(ImageManifest, mediaType: String)
    case list(ManifestList, mediaType: String)

    private struct Probe: Decodable {
        var schemaVersion: Int?
        var mediaType: String?
        var manifests: [ContentDescriptor]?
        var config: ContentDescriptor?
    }

    /// Decodes and checks; `contentType` is what the registry said, which counts only where the document is silent.
    static func decode(_ bytes: [UInt8], contentType: String?) throws(Failure) -> ManifestDocument {
        do {
            let decoder = JSONDecoder()
            let data = Data(bytes)
            let probe = try decoder.decode(Probe.self, from: data)
            if probe.schemaVersion == 1 || contentType == MediaType.dockerSchema1 {
                throw Failure(
                    .unimplemented,
                    "the manifest is of Docker's schema 1, which is no longer supported: push the image again")
            }
            let declared = probe.mediaType ?? contentType.flatMap { MediaType.manifests.contains($0) ? $0 : nil }
            if probe.manifests != nil, probe.config == nil, declared.map(MediaType.isIndex) ?? true {
                let list = try decoder.decode(ManifestList.self, from: data)
                guard list.manifests.count <= Limits.maximumManifestsPerIndex else {
                    throw Failure(
                        .resourceExhausted, "the index lists more than \(Limits.maximumManifestsPerIndex) manifests")
                }
                return .list(list, mediaType: declared ?? MediaType.ociIndex)
            }
            // OCI 1.1: one document must not be both, or two readers would see two images.
            guard probe.manifests == nil, !(declared.map(MediaType.isIndex) ?? false) else {
                throw Failure(
                    .invalidArgument, "the manifest's content does not fit its media type \(declared ?? "(none)")")
            }
            let manifest = try decoder.decode(ImageManifest.self, from: data)
            try check(manifest)
            return .image(manifest, mediaType: declared ?? MediaType.ociManifest)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.invalidArgument, "the manifest cannot be read", cause: DecodeProblem(error))
        }
    }

    private static func check(_ manifest: ImageManifest) throws(Failure) {
        guard manifest.layers.count <= Limits.maximumLayersPerImage else {
            throw Failure(
                .resourceExhausted,
                "the image has \(manifest.layers.count) layers, the limit is \(Limits.maximumLayersPerImage)")
        }
        guard (0...Int64(Limits.maximumConfigBytes)).contains(manifest.config.size) else {
            throw Failure(.resourceExhausted, "the image's configuration is said to have \(manifest.config.size) bytes")
        }
        for layer in manifest.layers {
            guard MediaType.isLayer(layer.mediaType) else {
                throw Failure(
                    .unimplemented, "a layer has the media type \(layer.mediaType): this is not a container image")
            }
            guard (0...Limits.maximumBlobBytes).contains(layer.size) else {
                throw Failure(.resourceExhausted, "layer \(layer.digest) is said to have \(layer.size) bytes")
            }
        }
    }
}

/// A decoding error in one line that says where.
struct DecodeProblem: Error, CustomStringConvertible {
    let description: String

    init(_ error: any Error) {
        func at(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
            return path.isEmpty ? "" : " at \(path)"
        }
        description =
            switch error {
            case DecodingError.keyNotFound(let key, let context): "\(key.stringValue) is missing\(at(context))"
            case DecodingError.typeMismatch(_, let context):
                "unexpected type\(at(context)): \(context.debugDescription)"
            case DecodingError.valueNotFound(_, let context): "unexpected null\(at(context))"
            case DecodingError.dataCorrupted(let context): context.debugDescription + at(context)
            default: "\(error)"
            }
    }
}

/// JSON with sorted keys, so the same value always has the same digest.
func canonicalJSON(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(value))
}
