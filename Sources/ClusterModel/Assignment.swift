public import Primitives

/// One thing that a manager tells a node: a task to run, what the task needs, or where others are.
public enum AssignmentItem: Hashable, Sendable {
    case task(ClusterTask)
    case secret(Secret)
    case config(Config)
    case network(Network)
    case endpoint(NetworkEndpoint)
    case peer(OverlayPeer)

    public var key: AssignmentKey {
        switch self {
        case .task(let task): .task(task.id)
        case .secret(let secret): .secret(secret.id)
        case .config(let config): .config(config.id)
        case .network(let network): .network(network.id)
        case .endpoint(let endpoint): .endpoint(endpoint.network, endpoint.task)
        case .peer(let peer): .peer(peer.node)
        }
    }
}

/// Which item. Items are sent in this order: what a task needs is there before the task.
public enum AssignmentKey: Hashable, Comparable, Sendable {
    case secret(SecretID)
    case config(ConfigID)
    case network(NetworkID)
    case endpoint(NetworkID, TaskID)
    case peer(NodeID)
    case task(TaskID)
}

/// What a node is to be, as the state says.
public enum WantedRole: Hashable, Sendable {
    case worker
    /// - Parameter raftID: the member of Raft that it is to be; 0: one that is named where it asks for its certificate; nil: the
    ///   one that it is, as managers of before say that know of no other.
    case manager(raftID: UInt64?)
}

/// What changed for a node since the last message of the session; the first of a session is complete.
public struct AssignmentMessage: Hashable, Sendable {
    public enum Kind: UInt8, Hashable, Sendable {
        /// All there is: what is not in here goes.
        case complete = 0
        /// Changes to what the node holds.
        case incremental = 1
    }

    public var kind: Kind
    /// Counts the session's messages from 1; a gap means that one was lost and the session starts anew.
    public var sequence: UInt64
    /// False while further parts of a complete set follow: a set is taken over whole.
    public var isLast: Bool
    public var updates: [AssignmentItem]
    public var removals: [AssignmentKey]
    /// `HOST:PORT` of every manager, for when this one is lost.
    public var managers: [String]
    public var heartbeatPeriod: Duration
    /// What the node is to be; nil: as it is.
    public var role: WantedRole?
    /// ``Authority/trustDigest``; empty: what the node holds is right.
    public var trustDigest: [UInt8]

    public init(
        kind: Kind, sequence: UInt64, isLast: Bool = true, updates: [AssignmentItem], removals: [AssignmentKey] = [],
        managers: [String], heartbeatPeriod: Duration, role: WantedRole? = nil, trustDigest: [UInt8] = []
    ) {
        self.kind = kind
        self.sequence = sequence
        self.isLast = isLast
        self.updates = updates
        self.removals = removals
        self.managers = managers
        self.heartbeatPeriod = heartbeatPeriod
        self.role = role
        self.trustDigest = trustDigest
    }
}

/// A task's address in a network, and the names by which it is found there.
public struct NetworkEndpoint: Hashable, Sendable {
    public var network: NetworkID
    public var task: TaskID
    public var node: NodeID
    public var address: IPv4Address
    public var serviceName: String
    public var taskName: String
    public var aliases: [String]
    /// Whether the names lead here; an endpoint that does not serve still has its address and MAC.
    public var isServing: Bool
    /// Ports published through the ingress network.
    public var ports: [PortConfig]

    public init(
        network: NetworkID, task: TaskID, node: NodeID, address: IPv4Address, serviceName: String, taskName: String,
        aliases: [String], isServing: Bool, ports: [PortConfig]
    ) {
        self.network = network
        self.task = task
        self.node = node
        self.address = address
        self.serviceName = serviceName
        self.taskName = taskName
        self.aliases = aliases
        self.isServing = isServing
        self.ports = ports
    }
}

/// Another node as the overlay sees it.
public struct OverlayPeer: Hashable, Sendable {
    public var node: NodeID
    /// X25519 public key, 32 bytes.
    public var key: [UInt8]
    /// `ADDRESS:PORT` of its datagrams.
    public var endpoint: String

    public init(node: NodeID, key: [UInt8], endpoint: String) {
        self.node = node
        self.key = key
        self.endpoint = endpoint
    }
}
