// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    public struct Swarm: Codable, Hashable, Sendable {
        public var ID: String
        public var Version: ObjectVersion
        public var CreatedAt: String
        public var UpdatedAt: String
        public var Spec: SwarmSpec
        public var TLSInfo: TLSInfo
        public var RootRotationInProgress: Bool
        public var DefaultAddrPool: [String]
        public var SubnetSize: UInt8
        public var DataPathPort: UInt16
        /// In `GET /swarm`, not in `/info`.
        public var JoinTokens: JoinTokens?
    }

    public struct JoinTokens: Codable, Hashable, Sendable {
        public var Worker: String
        public var Manager: String
        public init(Worker: String, Manager: String) {
            self.Worker = Worker
            self.Manager = Manager
        }
    }

    public struct SwarmSpec: Codable, Hashable, Sendable {
        public var Name: String?
        public var Labels: [String: String]?
        public var Orchestration: OrchestrationConfig?
        public var Dispatcher: DispatcherConfig?
        public var CAConfig: CAConfig?
        /// Accepted and not kept: the consensus core has its own settings.
        public var Raft: RaftConfig?
        public var EncryptionConfig: EncryptionConfig?
        public init() {}
    }

    public struct OrchestrationConfig: Codable, Hashable, Sendable {
        public var TaskHistoryRetentionLimit: UInt64?
        public init(TaskHistoryRetentionLimit: UInt64? = nil) {
            self.TaskHistoryRetentionLimit = TaskHistoryRetentionLimit
        }
    }

    public struct DispatcherConfig: Codable, Hashable, Sendable {
        /// Nanoseconds.
        public var HeartbeatPeriod: Int64?
        public init(HeartbeatPeriod: Int64? = nil) { self.HeartbeatPeriod = HeartbeatPeriod }
    }

    public struct CAConfig: Codable, Hashable, Sendable {
        /// Nanoseconds.
        public var NodeCertExpiry: Int64?
        /// Another number than before asks for a new root.
        public var ForceRotate: UInt64?
        /// PEM; in requests alone.
        public var SigningCACert: String?
        public var SigningCAKey: String?
        public var ExternalCAs: [JSONValue]?
        public init(NodeCertExpiry: Int64? = nil, ForceRotate: UInt64? = nil) {
            self.NodeCertExpiry = NodeCertExpiry
            self.ForceRotate = ForceRotate
        }
    }

    public struct RaftConfig: Codable, Hashable, Sendable {
        public var SnapshotInterval: UInt64?
        public var KeepOldSnapshots: UInt64?
        public var LogEntriesForSlowFollowers: UInt64?
        public var ElectionTick: Int?
        public var HeartbeatTick: Int?
    }

    public struct EncryptionConfig: Codable, Hashable, Sendable {
        public var AutoLockManagers: Bool?
        public init(AutoLockManagers: Bool? = nil) { self.AutoLockManagers = AutoLockManagers }
    }

    public struct SwarmInit: Codable, Hashable, Sendable {
        public var ListenAddr: String?
        public var AdvertiseAddr: String?
        public var DataPathAddr: String?
        public var DataPathPort: UInt16?
        public var DefaultAddrPool: [String]?
        public var SubnetSize: UInt8?
        public var Availability: String?
        public var Spec: SwarmSpec?
        public var AutoLockManagers: Bool?
        public var ForceNewCluster: Bool?
        public init() {}
    }

    public struct SwarmJoin: Codable, Hashable, Sendable {
        public var ListenAddr: String?
        public var AdvertiseAddr: String?
        public var DataPathAddr: String?
        public var RemoteAddrs: [String]?
        public var JoinToken: String?
        /// Not Docker's: a member comes back as who it is.
        public var Renew: Bool?
        public var Availability: String?
        public init() {}
    }
}
