public import Primitives

/// A machine of the cluster.
public struct Node: Hashable, Sendable {
    public var id: NodeID
    public var meta: Meta
    public var spec: NodeSpec
    /// What the agent said of its machine when it last registered; nil before.
    public var description: NodeDescription?
    public var status: NodeStatus
    /// Set while the node takes part in Raft.
    public var manager: ManagerStatus?

    public init(
        id: NodeID, meta: Meta = Meta(), spec: NodeSpec, description: NodeDescription? = nil,
        status: NodeStatus = NodeStatus(), manager: ManagerStatus? = nil
    ) {
        self.id = id
        self.meta = meta
        self.spec = spec
        self.description = description
        self.status = status
        self.manager = manager
    }

    public var hostname: String { description?.hostname ?? "" }
}

public enum NodeRole: UInt8, Hashable, Sendable, CaseIterable {
    case worker = 0
    case manager = 1
}

public enum NodeAvailability: UInt8, Hashable, Sendable, CaseIterable {
    /// New tasks may be placed here.
    case active = 0
    /// No new tasks; running ones stay.
    case pause = 1
    /// No new tasks; running ones are moved away.
    case drain = 2
}

/// What the operator wants of a node.
public struct NodeSpec: Hashable, Sendable {
    public var labels: [String: String]
    public var role: NodeRole
    public var availability: NodeAvailability

    public init(labels: [String: String] = [:], role: NodeRole, availability: NodeAvailability = .active) {
        self.labels = labels
        self.role = role
        self.availability = availability
    }
}

/// What a machine is.
public struct NodeDescription: Hashable, Sendable {
    public var hostname: String
    /// `linux`.
    public var os: String
    /// The kernel's name of the architecture: `x86_64`, `aarch64`.
    public var architecture: String
    public var resources: Resources
    public var engineVersion: String
    public var engineLabels: [String: String]
    /// The overlay's static X25519 public key, 32 bytes; empty where the node has no overlay.
    public var overlayKey: [UInt8]
    /// Where the overlay's datagrams go: `ADDRESS:PORT`; empty where the node has no overlay.
    public var overlayEndpoint: String
    /// Nil until the node has told.
    public var certificate: CertificateInfo?

    public init(
        hostname: String, os: String = "linux", architecture: String = "x86_64", resources: Resources,
        engineVersion: String = "", engineLabels: [String: String] = [:], overlayKey: [UInt8] = [],
        overlayEndpoint: String = "", certificate: CertificateInfo? = nil
    ) {
        self.hostname = hostname
        self.os = os
        self.architecture = architecture
        self.resources = resources
        self.engineVersion = engineVersion
        self.engineLabels = engineLabels
        self.overlayKey = overlayKey
        self.overlayEndpoint = overlayEndpoint
        self.certificate = certificate
    }
}

public enum NodeState: UInt8, Hashable, Sendable, CaseIterable {
    case unknown = 0
    case down = 1
    case ready = 2
    case disconnected = 3
}

/// What the managers observe of a node.
public struct NodeStatus: Hashable, Sendable {
    public var state: NodeState
    public var message: String
    /// The address the managers see the node at, without port.
    public var address: String
    /// When `state` last changed.
    public var since: Timestamp

    public init(state: NodeState = .unknown, message: String = "", address: String = "", since: Timestamp = .zero) {
        self.state = state
        self.message = message
        self.address = address
        self.since = since
    }
}

/// A manager's place in Raft.
public struct ManagerStatus: Hashable, Sendable {
    /// Never reused; 0 is nobody.
    public var raftID: UInt64
    /// `HOST:PORT` where its gRPC listener answers.
    public var address: String

    public init(raftID: UInt64, address: String) {
        self.raftID = raftID
        self.address = address
    }
}

/// Amounts of what a node has or a task takes.
public struct Resources: Hashable, Sendable {
    /// Billionths of a CPU.
    public var nanoCPUs: Int64
    public var memoryBytes: Int64

    public init(nanoCPUs: Int64 = 0, memoryBytes: Int64 = 0) {
        self.nanoCPUs = nanoCPUs
        self.memoryBytes = memoryBytes
    }
}
