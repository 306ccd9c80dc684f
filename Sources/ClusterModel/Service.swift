public import Primitives

/// A wish for tasks of one kind, and where its last update stands.
public struct Service: Hashable, Sendable {
    public var id: ServiceID
    public var meta: Meta
    public var spec: ServiceSpec
    /// The raft index at which `spec.task` (or what tasks take from the rest of the spec) last changed. Tasks carry
    /// the value they were made for: a task with another one is outdated.
    public var taskVersion: UInt64
    /// What `rollback` returns to.
    public var previousSpec: ServiceSpec?
    public var update: UpdateStatus?
    /// Published ports with the numbers that were chosen for them.
    public var ports: [PortConfig]

    public init(
        id: ServiceID, meta: Meta = Meta(), spec: ServiceSpec, taskVersion: UInt64 = 0,
        previousSpec: ServiceSpec? = nil, update: UpdateStatus? = nil, ports: [PortConfig] = []
    ) {
        self.id = id
        self.meta = meta
        self.spec = spec
        self.taskVersion = taskVersion
        self.previousSpec = previousSpec
        self.update = update
        self.ports = ports
    }
}

/// What the user wants of a service.
public struct ServiceSpec: Hashable, Sendable {
    /// A DNS label of at most 63 characters, unique in the cluster.
    public var name: String
    public var labels: [String: String]
    public var task: TaskSpec
    public var mode: ServiceMode
    public var update: UpdateConfig
    public var rollback: UpdateConfig
    public var endpointMode: EndpointMode
    /// Published ports as asked for.
    public var ports: [PortConfig]

    public init(
        name: String, labels: [String: String] = [:], task: TaskSpec, mode: ServiceMode = .replicated(1),
        update: UpdateConfig = UpdateConfig(), rollback: UpdateConfig = UpdateConfig(),
        endpointMode: EndpointMode = .dnsrr, ports: [PortConfig] = []
    ) {
        self.name = name
        self.labels = labels
        self.task = task
        self.mode = mode
        self.update = update
        self.rollback = rollback
        self.endpointMode = endpointMode
        self.ports = ports
    }
}

public enum ServiceMode: Hashable, Sendable {
    /// So many tasks, wherever they fit.
    case replicated(UInt64)
    /// One task on every eligible node.
    case global
}

public enum UpdateOrder: UInt8, Hashable, Sendable, CaseIterable {
    case stopFirst = 0
    case startFirst = 1
}

public enum UpdateFailureAction: UInt8, Hashable, Sendable, CaseIterable {
    case pause = 0
    case `continue` = 1
    case rollback = 2
}

/// How tasks are replaced. Defaults are Docker's.
public struct UpdateConfig: Hashable, Sendable {
    /// Tasks replaced at a time; 0 is all.
    public var parallelism: UInt64
    /// Pause between two batches.
    public var delay: Duration
    public var failureAction: UpdateFailureAction
    /// How long a new task is watched for failure after it runs.
    public var monitor: Duration
    /// The share of failed tasks, 0 to 1, above which the failure action is taken.
    public var maxFailureRatio: Double
    public var order: UpdateOrder

    public init(
        parallelism: UInt64 = 1, delay: Duration = .zero, failureAction: UpdateFailureAction = .pause,
        monitor: Duration = .seconds(5), maxFailureRatio: Double = 0, order: UpdateOrder = .stopFirst
    ) {
        self.parallelism = parallelism
        self.delay = delay
        self.failureAction = failureAction
        self.monitor = monitor
        self.maxFailureRatio = maxFailureRatio
        self.order = order
    }
}

public enum UpdateState: UInt8, Hashable, Sendable, CaseIterable {
    case updating = 0
    case paused = 1
    case completed = 2
    case rollbackStarted = 3
    case rollbackPaused = 4
    case rollbackCompleted = 5
}

/// Where an update stands; replicated, so that the next leader goes on from here.
public struct UpdateStatus: Hashable, Sendable {
    public var state: UpdateState
    public var startedAt: Timestamp
    public var completedAt: Timestamp?
    public var message: String

    public init(state: UpdateState, startedAt: Timestamp, completedAt: Timestamp? = nil, message: String) {
        self.state = state
        self.startedAt = startedAt
        self.completedAt = completedAt
        self.message = message
    }
}

public enum EndpointMode: UInt8, Hashable, Sendable, CaseIterable {
    case vip = 0
    case dnsrr = 1
}

public enum PortProtocol: UInt8, Hashable, Sendable, CaseIterable {
    case tcp = 0
    case udp = 1
    case sctp = 2
}

public enum PublishMode: UInt8, Hashable, Sendable, CaseIterable {
    /// On every node, forwarded to a task wherever it runs.
    case ingress = 0
    /// On the node of the task only.
    case host = 1
}

/// A published port.
public struct PortConfig: Hashable, Sendable {
    public var name: String
    public var `protocol`: PortProtocol
    /// The port inside the container.
    public var targetPort: UInt16
    /// The port outside; 0 asks the cluster to choose one.
    public var publishedPort: UInt16
    public var mode: PublishMode
    /// The host address to bind, never widened; nil is every address.
    public var hostAddress: String?

    public init(
        name: String = "", protocol: PortProtocol = .tcp, targetPort: UInt16, publishedPort: UInt16 = 0,
        mode: PublishMode = .ingress, hostAddress: String? = nil
    ) {
        self.name = name
        self.protocol = `protocol`
        self.targetPort = targetPort
        self.publishedPort = publishedPort
        self.mode = mode
        self.hostAddress = hostAddress
    }
}
