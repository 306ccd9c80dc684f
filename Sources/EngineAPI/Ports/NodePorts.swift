public import Primitives

/// This machine and its containers.
public protocol NodePort: Sendable {
    func facts() async -> NodeFacts
    /// The task containers of this node, ended ones included.
    func containers() async throws -> [ContainerRecord]
    /// Where the kernel's network state is not as the managers want it, a sentence each.
    func networkDifferences() async throws -> [String]
}

public struct NodeFacts: Hashable, Sendable {
    public var hostname: String
    public var cpus: Int
    public var memoryBytes: Int64
    public var kernelVersion: String
    /// As /etc/os-release names it: `Debian GNU/Linux 12 (bookworm)`.
    public var operatingSystem: String
    /// The kernel's name: `x86_64`.
    public var architecture: String
    /// 1 or 2.
    public var cgroupVersion: Int
    /// Where the daemon keeps its data.
    public var rootFolder: String
    /// The daemon's own version.
    public var engineVersion: String
    public var labels: [String: String]

    public init(
        hostname: String, cpus: Int, memoryBytes: Int64, kernelVersion: String, operatingSystem: String,
        architecture: String = "x86_64", cgroupVersion: Int = 2, rootFolder: String = "/var/lib/swarm",
        engineVersion: String, labels: [String: String] = [:]
    ) {
        self.hostname = hostname
        self.cpus = cpus
        self.memoryBytes = memoryBytes
        self.kernelVersion = kernelVersion
        self.operatingSystem = operatingSystem
        self.architecture = architecture
        self.cgroupVersion = cgroupVersion
        self.rootFolder = rootFolder
        self.engineVersion = engineVersion
        self.labels = labels
    }
}

public struct ContainerRecord: Hashable, Sendable {
    /// 64 hexadecimal digits.
    public var id: String
    /// The task's name.
    public var name: String
    public var image: String
    public var imageID: String
    public var command: String
    public var created: Timestamp
    public var isRunning: Bool
    public var exitCode: Int32?
    public var labels: [String: String]

    public init(
        id: String, name: String, image: String, imageID: String = "", command: String = "",
        created: Timestamp = .zero, isRunning: Bool, exitCode: Int32? = nil, labels: [String: String] = [:]
    ) {
        self.id = id
        self.name = name
        self.image = image
        self.imageID = imageID
        self.command = command
        self.created = created
        self.isRunning = isRunning
        self.exitCode = exitCode
        self.labels = labels
    }
}

/// This node's named volumes. Every method throws ``Failure``.
public protocol VolumePort: Sendable {
    func list() async throws -> [VolumeRecord]
    func inspect(_ name: String) async throws -> VolumeRecord
    /// An existing one is returned as it is; an empty name makes an anonymous one.
    func create(_ name: String, labels: [String: String]) async throws -> VolumeRecord
    func remove(_ name: String, force: Bool) async throws
}

public struct VolumeRecord: Hashable, Sendable {
    public var name: String
    public var mountpoint: String
    public var created: Timestamp?
    public var labels: [String: String]

    public init(name: String, mountpoint: String, created: Timestamp? = nil, labels: [String: String] = [:]) {
        self.name = name
        self.mountpoint = mountpoint
        self.created = created
        self.labels = labels
    }
}
