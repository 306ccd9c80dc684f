public import ClusterModel
public import NIOCore
public import Primitives

/// An upload, in pieces as they arrive.
public typealias UploadBody = any AsyncSequence<ByteBuffer, any Error> & Sendable

/// This node's image store and its way to registries. Every method throws ``Failure``.
public protocol ImagePort: Sendable {
    func list() async throws -> [ImageRecord]
    /// By name, digest reference or (the beginning of) an id, which lookups prefer in this order.
    func inspect(_ name: String) async throws -> ImageRecord
    func pull(
        _ reference: String, credentials: RegistryCredentials?, progress: @escaping @Sendable (ImageProgress) -> Void
    ) async throws
    func push(
        _ reference: String, credentials: RegistryCredentials?, progress: @escaping @Sendable (ImageProgress) -> Void
    ) async throws
    /// Makes an image of one layer from a tar, plain or compressed.
    ///
    /// - Returns: the image's id.
    func importRootfs(_ body: UploadBody, reference: String, changes: [String]) async throws -> String
    /// Reads a `docker save` or OCI archive.
    ///
    /// - Returns: the names (or ids, where it has none) of the loaded images.
    func load(_ body: UploadBody) async throws -> [String]
    func remove(_ name: String, force: Bool) async throws -> [ImageRemoval]
    func tag(_ name: String, as reference: String) async throws
    /// Whether the registry at `serverAddress` knows the account; `unauthenticated` where it does not.
    func authenticate(_ credentials: RegistryCredentials) async throws
    /// Asks the registry; where it has no answer and the image is here, the local digest.
    func resolveDigest(_ reference: String, credentials: RegistryCredentials?) async throws -> ResolvedImage
}

public struct ImageRecord: Hashable, Sendable {
    /// `sha256:…` of the configuration.
    public var id: String
    public var tags: [String]
    /// `NAME@sha256:…`.
    public var digests: [String]
    public var created: Timestamp
    public var sizeBytes: Int64
    /// Go's name: `amd64`.
    public var architecture: String
    public var os: String
    public var labels: [String: String]
    public var environment: [String]
    public var entrypoint: [String]
    public var command: [String]
    public var workingDirectory: String
    public var user: String
    public var stopSignal: String
    public var healthcheck: Healthcheck?
    /// `80/tcp`.
    public var exposedPorts: [String]
    public var volumes: [String]
    /// Digests of the uncompressed layers, lowest first.
    public var layers: [String]

    public init(
        id: String, tags: [String], digests: [String] = [], created: Timestamp = .zero, sizeBytes: Int64 = 0,
        architecture: String = "amd64", os: String = "linux"
    ) {
        self.id = id
        self.tags = tags
        self.digests = digests
        self.created = created
        self.sizeBytes = sizeBytes
        self.architecture = architecture
        self.os = os
        labels = [:]
        environment = []
        entrypoint = []
        command = []
        workingDirectory = ""
        user = ""
        stopSignal = ""
        healthcheck = nil
        exposedPorts = []
        volumes = []
        layers = []
    }
}

public struct ImageProgress: Hashable, Sendable {
    /// The layer, or empty for the whole image.
    public var id: String
    public var status: String
    public var currentBytes: Int64?
    public var totalBytes: Int64?

    public init(id: String = "", status: String, currentBytes: Int64? = nil, totalBytes: Int64? = nil) {
        self.id = id
        self.status = status
        self.currentBytes = currentBytes
        self.totalBytes = totalBytes
    }
}

public enum ImageRemoval: Hashable, Sendable {
    case untagged(String)
    case deleted(String)
}

public struct ResolvedImage: Hashable, Sendable {
    /// `sha256:…` of the manifest or manifest list.
    public var digest: String
    public var mediaType: String
    public var sizeBytes: Int64
    public var platforms: [ImagePlatform]

    public init(
        digest: String, mediaType: String = "application/vnd.oci.image.manifest.v1+json", sizeBytes: Int64 = 0,
        platforms: [ImagePlatform] = []
    ) {
        self.digest = digest
        self.mediaType = mediaType
        self.sizeBytes = sizeBytes
        self.platforms = platforms
    }
}

public struct ImagePlatform: Hashable, Sendable {
    /// Go's name: `amd64`.
    public var architecture: String
    public var os: String

    public init(architecture: String, os: String = "linux") {
        self.architecture = architecture
        self.os = os
    }
}

/// What `X-Registry-Auth` carries.
public struct RegistryCredentials: Hashable, Sendable {
    public var username: String
    public var password: String
    public var serverAddress: String
    public var identityToken: String
    public var registryToken: String

    public init(
        username: String = "", password: String = "", serverAddress: String = "", identityToken: String = "",
        registryToken: String = ""
    ) {
        self.username = username
        self.password = password
        self.serverAddress = serverAddress
        self.identityToken = identityToken
        self.registryToken = registryToken
    }
}
