public import ClusterModel

/// What a stack's compose files ask for, with names where the cluster's ids belong.
public struct StackPlan: Hashable, Sendable {
    public var name: String
    /// Ordered by name.
    public var services: [ServicePlan]
    /// The networks that a service uses, ordered by name.
    public var networks: [NetworkPlan]
    /// Ordered by name.
    public var secrets: [PayloadPlan]
    /// Ordered by name.
    public var configs: [PayloadPlan]
    public var warnings: [ComposeWarning]
}

/// Labels that make objects part of a stack; Docker's, so that its tools see the same stacks.
public enum StackLabels {
    /// On everything of a stack: its name.
    public static let namespace = "com.docker.stack.namespace"
    /// On a service: its image as the file has it, without a digest.
    public static let image = "com.docker.stack.image"
    /// On a secret or config with a name of the user's own: the first digits of its content's hash, because a
    /// secret's content cannot be read back. Not Docker's.
    public static let content = "swarm.stack.content"
}

public struct ServicePlan: Hashable, Sendable {
    /// Its key in the file, without the stack's name.
    public var key: String
    /// Without networks, secrets and configs: these are named below.
    public var spec: ServiceSpec
    public var networks: [NetworkUse]
    public var secrets: [FileUse]
    public var configs: [FileUse]
}

/// A network of a service.
public struct NetworkUse: Hashable, Sendable {
    /// The network's name in the cluster.
    public var network: String
    public var aliases: [String]

    public init(network: String, aliases: [String]) {
        self.network = network
        self.aliases = aliases
    }
}

/// A secret or config as a file in a service's containers.
public struct FileUse: Hashable, Sendable {
    /// The object's name in the cluster.
    public var name: String
    public var target: String
    public var uid: UInt32
    public var gid: UInt32
    public var mode: UInt32

    public init(name: String, target: String, uid: UInt32 = 0, gid: UInt32 = 0, mode: UInt32 = 0o444) {
        self.name = name
        self.target = target
        self.uid = uid
        self.gid = gid
        self.mode = mode
    }
}

public enum NetworkPlan: Hashable, Sendable {
    case created(NetworkSpec)
    /// Exists already, or the deployment fails.
    case external(name: String, place: Place)

    public var name: String {
        switch self {
        case .created(let spec): spec.name
        case .external(let name, _): name
        }
    }
}

/// A secret or a config.
public struct PayloadPlan: Hashable, Sendable {
    public enum Source: Hashable, Sendable {
        /// `isVersioned`: the name holds the content's hash, so another content is another object.
        case created(labels: [String: String], data: [UInt8], isVersioned: Bool)
        /// Exists already, or the deployment fails.
        case external
    }

    /// The object's name in the cluster.
    public var name: String
    public var source: Source
    /// Where it is declared.
    public var place: Place
}
