public import Primitives

/// One run of a service's container on one node. Never run twice, never moved: it is replaced.
public struct ClusterTask: Hashable, Sendable {
    public var id: TaskID
    public var meta: Meta
    public var serviceID: ServiceID
    /// 1, 2, … in a replicated service; 0 in a global one, where the node is the slot.
    public var slot: UInt64
    /// Set by the scheduler; for a global service at creation.
    public var nodeID: NodeID?
    /// `SERVICE.SLOT.ID` or, in a global service, `SERVICE.NODE.ID`.
    public var name: String
    public var serviceName: String
    /// The service's `taskVersion` that it was made for.
    public var serviceVersion: UInt64
    public var spec: TaskSpec
    public var endpointMode: EndpointMode
    /// The service's published ports when the task was made.
    public var ports: [PortConfig]
    public var networks: [NetworkAttachment]
    /// Written by managers only.
    public var desiredState: TaskState
    /// Written by managers up to `assigned`, from then on by the node's agent.
    public var status: TaskStatus
    /// Not to be started before this; a restart's delay.
    public var notBefore: Timestamp?

    public init(
        id: TaskID, meta: Meta = Meta(), serviceID: ServiceID, slot: UInt64, nodeID: NodeID? = nil, name: String,
        serviceName: String, serviceVersion: UInt64, spec: TaskSpec, endpointMode: EndpointMode = .dnsrr,
        ports: [PortConfig] = [], networks: [NetworkAttachment] = [], desiredState: TaskState = .running,
        status: TaskStatus = TaskStatus(state: .new), notBefore: Timestamp? = nil
    ) {
        self.id = id
        self.meta = meta
        self.serviceID = serviceID
        self.slot = slot
        self.nodeID = nodeID
        self.name = name
        self.serviceName = serviceName
        self.serviceVersion = serviceVersion
        self.spec = spec
        self.endpointMode = endpointMode
        self.ports = ports
        self.networks = networks
        self.desiredState = desiredState
        self.status = status
        self.notBefore = notBefore
    }
}

/// The life of a task. It only moves forward, in this order; the numbers are SwarmKit's.
public enum TaskState: UInt16, Hashable, Comparable, Sendable, CaseIterable {
    case new = 0
    case pending = 64
    case assigned = 192
    case accepted = 256
    case preparing = 320
    case ready = 384
    case starting = 448
    case running = 512
    case complete = 576
    case shutdown = 640
    case failed = 704
    case rejected = 768
    case remove = 800
    case orphaned = 832

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    /// Whether nothing of the task runs any more.
    public var isTerminal: Bool { self > .running }

    public var name: String { String(describing: self) }
}

/// What was last observed of a task.
public struct TaskStatus: Hashable, Sendable {
    public var state: TaskState
    public var timestamp: Timestamp
    /// What is being done, for people.
    public var message: String
    /// Why it failed or waits; empty where nothing is wrong.
    public var error: String
    public var container: ContainerStatus?
    /// The task takes traffic: running, healthy where it has a check, and not being drained.
    public var isServing: Bool

    public init(
        state: TaskState, timestamp: Timestamp = .zero, message: String = "", error: String = "",
        container: ContainerStatus? = nil, isServing: Bool = false
    ) {
        self.state = state
        self.timestamp = timestamp
        self.message = message
        self.error = error
        self.container = container
        self.isServing = isServing
    }
}

public enum HealthState: UInt8, Hashable, Sendable, CaseIterable {
    case none = 0
    case starting = 1
    case healthy = 2
    case unhealthy = 3
}

public struct ContainerStatus: Hashable, Sendable {
    /// 64 hexadecimal digits.
    public var containerID: String
    public var pid: Int32
    /// Set once it ended: 0 to 255, 128 + n after signal n.
    public var exitCode: Int32?
    public var health: HealthState

    public init(containerID: String, pid: Int32 = 0, exitCode: Int32? = nil, health: HealthState = .none) {
        self.containerID = containerID
        self.pid = pid
        self.exitCode = exitCode
        self.health = health
    }
}

/// A task's place in a network.
public struct NetworkAttachment: Hashable, Sendable {
    public var network: NetworkID
    public var address: IPv4Address
    public var aliases: [String]

    public init(network: NetworkID, address: IPv4Address, aliases: [String] = []) {
        self.network = network
        self.address = address
        self.aliases = aliases
    }

    public var mac: MACAddress { MACAddress(container: address) }
}
