public import EngineAPI
import NIOCore
import Primitives

/// An image store in memory with one image.
public actor FakeImages: ImagePort {
    public private(set) var records: [ImageRecord]
    public private(set) var uploaded: [UInt8] = []
    public private(set) var credentials: RegistryCredentials?

    public init() {
        records = [
            ImageRecord(
                id: "sha256:" + String(repeating: "b", count: 64), tags: ["web:1"],
                created: Timestamp(nanoseconds: 1_780_000_000_000_000_000), sizeBytes: 12_345_678)
        ]
    }

    public func list() -> [ImageRecord] { records }

    public func inspect(_ name: String) throws -> ImageRecord {
        guard let record = records.first(where: { $0.tags.contains(name) || $0.id == name }) else {
            throw Failure(.notFound, "No such image: \(name)")
        }
        return record
    }

    public func pull(
        _ reference: String, credentials: RegistryCredentials?, progress: @escaping @Sendable (ImageProgress) -> Void
    ) throws {
        self.credentials = credentials
        progress(ImageProgress(status: "Pulling \(reference)"))
        guard !reference.contains("missing") else {
            throw Failure(.notFound, "manifest for \(reference) not found")
        }
        progress(ImageProgress(id: "abcdef012345", status: "Downloading", currentBytes: 10, totalBytes: 100))
        progress(ImageProgress(status: "Status: Downloaded newer image for \(reference)"))
    }

    public func push(
        _ reference: String, credentials: RegistryCredentials?, progress: @escaping @Sendable (ImageProgress) -> Void
    ) throws {
        progress(ImageProgress(status: "The push refers to repository [\(reference)]"))
    }

    public func importRootfs(_ body: UploadBody, reference: String, changes: [String]) async throws -> String {
        for try await piece in body { uploaded += Array(piece.readableBytesView) }
        let id = "sha256:" + String(repeating: "c", count: 64)
        records.append(ImageRecord(id: id, tags: [reference]))
        return id
    }

    public func load(_ body: UploadBody) async throws -> [String] {
        for try await piece in body { uploaded += Array(piece.readableBytesView) }
        return ["loaded:1"]
    }

    public func remove(_ name: String, force: Bool) throws -> [ImageRemoval] {
        let record = try inspect(name)
        records.removeAll { $0.id == record.id }
        return [.untagged(name), .deleted(record.id)]
    }

    public func tag(_ name: String, as reference: String) throws {
        var record = try inspect(name)
        records.removeAll { $0.id == record.id }
        record.tags.append(reference)
        records.append(record)
    }

    public func authenticate(_ credentials: RegistryCredentials) throws {
        guard credentials.password == "right" else { throw Failure(.unauthenticated, "wrong password") }
    }

    public func resolveDigest(_ reference: String, credentials: RegistryCredentials?) throws -> ResolvedImage {
        guard reference.hasPrefix("web:") || reference.contains("/web:") else {
            throw Failure(.notFound, "\(reference) is in no registry")
        }
        return ResolvedImage(
            digest: "sha256:" + String(repeating: "d", count: 64), platforms: [ImagePlatform(architecture: "amd64")])
    }
}

public actor FakeVolumes: VolumePort {
    private var volumes: [String: VolumeRecord] = [:]
    private var whenListed: (@Sendable () -> Void)?

    public init() {}

    /// `body` may block its thread.
    public func whenListed(_ body: @escaping @Sendable () -> Void) { whenListed = body }

    public func list() -> [VolumeRecord] {
        whenListed?()
        return volumes.values.sorted { $0.name < $1.name }
    }

    public func inspect(_ name: String) throws -> VolumeRecord {
        guard let volume = volumes[name] else { throw Failure(.notFound, "get \(name): no such volume") }
        return volume
    }

    public func create(_ name: String, labels: [String: String]) -> VolumeRecord {
        let volume = VolumeRecord(name: name, mountpoint: "/var/lib/swarm/volumes/\(name)", labels: labels)
        volumes[name] = volume
        return volume
    }

    public func remove(_ name: String, force: Bool) throws {
        _ = try inspect(name)
        volumes[name] = nil
    }
}

public struct FakeNode: NodePort {
    private let differences: [String]

    public init(differences: [String] = []) {
        self.differences = differences
    }

    public func networkDifferences() -> [String] { differences }

    public func facts() -> NodeFacts {
        NodeFacts(
            hostname: "n1", cpus: 2, memoryBytes: 4 << 30, kernelVersion: "6.1.0",
            operatingSystem: "Debian GNU/Linux 12 (bookworm)", engineVersion: "0.1.0")
    }

    public func containers() -> [ContainerRecord] {
        [ContainerRecord(id: String(repeating: "a", count: 64), name: "web.1.x", image: "web:1", isRunning: true)]
    }
}
