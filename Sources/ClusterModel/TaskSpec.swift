/// What every task of a service is made from.
public struct TaskSpec: Hashable, Sendable {
    public var container: ContainerSpec
    public var limits: ResourceLimits
    public var reservations: Resources
    public var restart: RestartPolicy
    public var placement: Placement
    public var networks: [NetworkAttachmentSpec]
    /// nil is the default driver, json-file.
    public var logDriver: LogDriver?
    /// Counts `--force`: a change replaces the tasks though nothing else changed.
    public var forceUpdate: UInt64

    public init(
        container: ContainerSpec, limits: ResourceLimits = ResourceLimits(), reservations: Resources = Resources(),
        restart: RestartPolicy = RestartPolicy(), placement: Placement = Placement(),
        networks: [NetworkAttachmentSpec] = [], logDriver: LogDriver? = nil, forceUpdate: UInt64 = 0
    ) {
        self.container = container
        self.limits = limits
        self.reservations = reservations
        self.restart = restart
        self.placement = placement
        self.networks = networks
        self.logDriver = logDriver
        self.forceUpdate = forceUpdate
    }

    /// Whether a task of one is as good as one of the other: how the image was come by is no part of what runs.
    public func makesSameTask(as other: TaskSpec) -> Bool {
        guard container.registryAuth != other.container.registryAuth else { return self == other }
        var other = other
        other.container.registryAuth = container.registryAuth
        return self == other
    }
}

public struct LogDriver: Hashable, Sendable {
    public var name: String
    public var options: [String: String]

    public init(name: String, options: [String: String] = [:]) {
        self.name = name
        self.options = options
    }
}

/// What a task may use at most; 0 is no limit.
public struct ResourceLimits: Hashable, Sendable {
    public var nanoCPUs: Int64
    public var memoryBytes: Int64
    public var pids: Int64

    public init(nanoCPUs: Int64 = 0, memoryBytes: Int64 = 0, pids: Int64 = 0) {
        self.nanoCPUs = nanoCPUs
        self.memoryBytes = memoryBytes
        self.pids = pids
    }
}

public enum RestartCondition: UInt8, Hashable, Sendable, CaseIterable {
    case none = 0
    case onFailure = 1
    case any = 2
}

public struct RestartPolicy: Hashable, Sendable {
    public var condition: RestartCondition
    public var delay: Duration
    /// Restarts of one slot within `window`; 0 is without limit.
    public var maxAttempts: UInt64
    /// 0 counts all restarts since the spec last changed.
    public var window: Duration

    public init(
        condition: RestartCondition = .any, delay: Duration = .seconds(5), maxAttempts: UInt64 = 0,
        window: Duration = .zero
    ) {
        self.condition = condition
        self.delay = delay
        self.maxAttempts = maxAttempts
        self.window = window
    }
}

public struct Placement: Hashable, Sendable {
    /// All must hold.
    public var constraints: [Constraint]
    /// Labels (`node.labels.zone`) over whose values tasks are spread, in order.
    public var spread: [String]
    /// 0 is without limit.
    public var maxReplicasPerNode: UInt64

    public init(constraints: [Constraint] = [], spread: [String] = [], maxReplicasPerNode: UInt64 = 0) {
        self.constraints = constraints
        self.spread = spread
        self.maxReplicasPerNode = maxReplicasPerNode
    }
}

public struct NetworkAttachmentSpec: Hashable, Sendable {
    public var network: NetworkID
    public var aliases: [String]

    public init(network: NetworkID, aliases: [String] = []) {
        self.network = network
        self.aliases = aliases
    }
}
