// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    public struct UnlockKey: Codable, Hashable, Sendable {
        /// `SWMKEY-1-…`; empty where managers are not locked.
        public var UnlockKey: String
        public init(UnlockKey: String) { self.UnlockKey = UnlockKey }
    }

    /// `POST /swarm/recover`; with `dryrun` set nothing is done. Not Docker's.
    public struct RecoveryRequest: Codable, Hashable, Sendable {
        public var ListenAddr: String?
        public var AdvertiseAddr: String?
        public var DataPathAddr: String?
        public init() {}
    }

    public struct LostManager: Codable, Hashable, Sendable {
        public var ID: String
        public var Hostname: String
        public var Addr: String

        public init(ID: String, Hostname: String, Addr: String) {
            self.ID = ID
            self.Hostname = Hostname
            self.Addr = Addr
        }
    }

    /// What a cluster of one has of the one before it.
    public struct RecoveryPlan: Codable, Hashable, Sendable {
        public var NodeID: String
        /// `HOST:PORT`.
        public var Addr: String
        /// Of the last change that is kept.
        public var Index: UInt64
        public var LostManagers: [LostManager]
        public var Workers: Int
        public var Services: Int
        public var Tasks: Int
        public var Networks: Int
        public var Secrets: Int
        public var Configs: Int
        /// Managers need their key after a restart, as before.
        public var Locked: Bool

        public init(
            NodeID: String, Addr: String, Index: UInt64, LostManagers: [LostManager], Workers: Int, Services: Int,
            Tasks: Int, Networks: Int, Secrets: Int, Configs: Int, Locked: Bool
        ) {
            self.NodeID = NodeID
            self.Addr = Addr
            self.Index = Index
            self.LostManagers = LostManagers
            self.Workers = Workers
            self.Services = Services
            self.Tasks = Tasks
            self.Networks = Networks
            self.Secrets = Secrets
            self.Configs = Configs
            self.Locked = Locked
        }
    }
}
