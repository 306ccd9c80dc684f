// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    public struct Service: Codable, Hashable, Sendable {
        public var ID: String
        public var Version: ObjectVersion
        public var CreatedAt: String
        public var UpdatedAt: String
        public var Spec: ServiceSpec
        public var PreviousSpec: ServiceSpec?
        public var Endpoint: Endpoint
        public var UpdateStatus: UpdateStatus?
        /// In lists, where it is asked for.
        public var ServiceStatus: ServiceStatus?
    }

    public struct ServiceSpec: Codable, Hashable, Sendable {
        public var Name: String?
        public var Labels: [String: String]?
        public var TaskTemplate: TaskSpec?
        public var Mode: ServiceMode?
        public var UpdateConfig: UpdateConfig?
        public var RollbackConfig: UpdateConfig?
        /// Where old clients put the task's networks.
        public var Networks: [NetworkAttachmentConfig]?
        public var EndpointSpec: EndpointSpec?

        public init(Name: String? = nil) { self.Name = Name }
    }

    public struct ServiceMode: Codable, Hashable, Sendable {
        public var Replicated: ReplicatedService?
        public var Global: Empty?
        public var ReplicatedJob: JobMode?
        public var GlobalJob: JobMode?
        public init(Replicated: ReplicatedService? = nil, Global: Empty? = nil) {
            self.Replicated = Replicated
            self.Global = Global
        }
    }

    public struct ReplicatedService: Codable, Hashable, Sendable {
        public var Replicas: UInt64?
        public init(Replicas: UInt64? = nil) { self.Replicas = Replicas }
    }

    public struct JobMode: Codable, Hashable, Sendable {
        public var MaxConcurrent: UInt64?
        public var TotalCompletions: UInt64?
    }

    public struct UpdateConfig: Codable, Hashable, Sendable {
        public var Parallelism: UInt64?
        /// Nanoseconds.
        public var Delay: Int64?
        public var FailureAction: String?
        /// Nanoseconds.
        public var Monitor: Int64?
        public var MaxFailureRatio: Double?
        public var Order: String?
        public init(Parallelism: UInt64? = nil) { self.Parallelism = Parallelism }
    }

    public struct EndpointSpec: Codable, Hashable, Sendable {
        public var Mode: String?
        public var Ports: [PortConfig]?
        public init(Mode: String? = nil, Ports: [PortConfig]? = nil) {
            self.Mode = Mode
            self.Ports = Ports
        }
    }

    public struct PortConfig: Codable, Hashable, Sendable {
        public var Name: String?
        public var portProtocol: String?
        public var TargetPort: UInt16?
        public var PublishedPort: UInt16?
        public var PublishMode: String?
        /// Not Docker's: the host address to bind, where it is not every one.
        public var HostIP: String?

        public init(
            TargetPort: UInt16? = nil, PublishedPort: UInt16? = nil, portProtocol: String? = nil,
            PublishMode: String? = nil
        ) {
            self.TargetPort = TargetPort
            self.PublishedPort = PublishedPort
            self.portProtocol = portProtocol
            self.PublishMode = PublishMode
        }

        private enum CodingKeys: String, CodingKey {
            case Name, TargetPort, PublishedPort, PublishMode, HostIP
            case portProtocol = "Protocol"
        }
    }

    public struct Endpoint: Codable, Hashable, Sendable {
        public var Spec: EndpointSpec?
        public var Ports: [PortConfig]?
        public init(Spec: EndpointSpec? = nil, Ports: [PortConfig]? = nil) {
            self.Spec = Spec
            self.Ports = Ports
        }
    }

    public struct UpdateStatus: Codable, Hashable, Sendable {
        public var State: String?
        public var StartedAt: String?
        public var CompletedAt: String?
        public var Message: String?
    }

    public struct ServiceStatus: Codable, Hashable, Sendable {
        public var RunningTasks: UInt64
        public var DesiredTasks: UInt64
        public var CompletedTasks: UInt64
        public init(RunningTasks: UInt64, DesiredTasks: UInt64, CompletedTasks: UInt64) {
            self.RunningTasks = RunningTasks
            self.DesiredTasks = DesiredTasks
            self.CompletedTasks = CompletedTasks
        }
    }
}
