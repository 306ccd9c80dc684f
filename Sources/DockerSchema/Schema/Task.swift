// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    public struct Task: Codable, Hashable, Sendable {
        public var ID: String
        public var Version: ObjectVersion
        public var CreatedAt: String
        public var UpdatedAt: String
        public var Name: String?
        public var Labels: [String: String]?
        public var Spec: TaskSpec
        public var ServiceID: String?
        public var Slot: UInt64?
        public var NodeID: String?
        public var Status: TaskStatus
        public var DesiredState: String
        public var NetworksAttachments: [NetworkAttachment]?
    }

    public struct TaskStatus: Codable, Hashable, Sendable {
        public var Timestamp: String?
        public var State: String
        public var Message: String?
        public var Err: String?
        public var ContainerStatus: ContainerStatus?
        public var PortStatus: PortStatus?
    }

    public struct ContainerStatus: Codable, Hashable, Sendable {
        public var ContainerID: String?
        public var PID: Int32?
        public var ExitCode: Int32?
        /// Not Docker's: `starting`, `healthy` or `unhealthy`, where the task has a check.
        public var Health: String?
    }

    public struct PortStatus: Codable, Hashable, Sendable {
        public var Ports: [PortConfig]?
    }

    public struct NetworkAttachment: Codable, Hashable, Sendable {
        public var Network: AttachedNetwork?
        /// CIDR.
        public var Addresses: [String]?
    }

    /// The network of an attachment, as the swarm's objects are written.
    public struct AttachedNetwork: Codable, Hashable, Sendable {
        public var ID: String
        public var Spec: AttachedNetworkSpec?
    }

    public struct AttachedNetworkSpec: Codable, Hashable, Sendable {
        public var Name: String
        public var Ingress: Bool?
    }

    public struct TaskSpec: Codable, Hashable, Sendable {
        public var ContainerSpec: ContainerSpec?
        public var Resources: ResourceRequirements?
        public var RestartPolicy: RestartPolicy?
        public var Placement: Placement?
        public var Networks: [NetworkAttachmentConfig]?
        public var LogDriver: Driver?
        public var ForceUpdate: UInt64?
        /// `container`.
        public var Runtime: String?
        public init() {}
    }

    public struct ResourceRequirements: Codable, Hashable, Sendable {
        public var Limits: Resources?
        public var Reservations: Resources?
        public init(Limits: Resources? = nil, Reservations: Resources? = nil) {
            self.Limits = Limits
            self.Reservations = Reservations
        }
    }

    public struct RestartPolicy: Codable, Hashable, Sendable {
        public var Condition: String?
        /// Nanoseconds.
        public var Delay: Int64?
        public var MaxAttempts: UInt64?
        /// Nanoseconds.
        public var Window: Int64?
        public init() {}
    }

    public struct Placement: Codable, Hashable, Sendable {
        public var Constraints: [String]?
        public var Preferences: [PlacementPreference]?
        public var MaxReplicas: UInt64?
        /// What the image runs on, as a client found out; accepted and not kept: the image decides on the node.
        public var Platforms: [Platform]?
        public init() {}
    }

    public struct PlacementPreference: Codable, Hashable, Sendable {
        public var Spread: SpreadPreference?
        public init(Spread: SpreadPreference? = nil) { self.Spread = Spread }
    }

    public struct SpreadPreference: Codable, Hashable, Sendable {
        public var SpreadDescriptor: String
        public init(SpreadDescriptor: String) { self.SpreadDescriptor = SpreadDescriptor }
    }

    public struct NetworkAttachmentConfig: Codable, Hashable, Sendable {
        public var Target: String?
        public var Aliases: [String]?
        public init(Target: String? = nil, Aliases: [String]? = nil) {
            self.Target = Target
            self.Aliases = Aliases
        }
    }
}
