// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    public struct ContainerSpec: Codable, Hashable, Sendable {
        public var Image: String?
        public var Labels: [String: String]?
        public var Command: [String]?
        public var Args: [String]?
        public var Hostname: String?
        public var Env: [String]?
        public var Dir: String?
        public var User: String?
        public var Groups: [String]?
        public var Privileges: Privileges?
        public var Init: Bool?
        public var StopSignal: String?
        public var TTY: Bool?
        public var OpenStdin: Bool?
        public var ReadOnly: Bool?
        public var Mounts: [Mount]?
        /// Nanoseconds.
        public var StopGracePeriod: Int64?
        public var Healthcheck: HealthConfig?
        /// Lines of /etc/hosts.
        public var Hosts: [String]?
        public var DNSConfig: DNSConfig?
        public var Secrets: [SecretReference]?
        public var Configs: [ConfigReference]?
        public var Isolation: String?
        public var Sysctls: [String: String]?
        public var CapabilityAdd: [String]?
        public var CapabilityDrop: [String]?
        public var Ulimits: [Ulimit]?
        public var OomScoreAdj: Int?
        public init(Image: String? = nil) { self.Image = Image }
    }

    public struct Privileges: Codable, Hashable, Sendable {
        public var NoNewPrivileges: Bool?
        public init(NoNewPrivileges: Bool? = nil) { self.NoNewPrivileges = NoNewPrivileges }
    }

    /// Durations in nanoseconds.
    public struct HealthConfig: Codable, Hashable, Sendable {
        public var Test: [String]?
        public var Interval: Int64?
        public var Timeout: Int64?
        public var StartPeriod: Int64?
        public var StartInterval: Int64?
        public var Retries: Int?
        public init() {}
    }

    public struct DNSConfig: Codable, Hashable, Sendable {
        public var Nameservers: [String]?
        public var Search: [String]?
        public var Options: [String]?
        public init() {}
    }

    public struct Ulimit: Codable, Hashable, Sendable {
        public var Name: String?
        public var Soft: Int64?
        public var Hard: Int64?
        public init(Name: String? = nil, Soft: Int64? = nil, Hard: Int64? = nil) {
            self.Name = Name
            self.Soft = Soft
            self.Hard = Hard
        }
    }

    public struct FileTarget: Codable, Hashable, Sendable {
        public var Name: String?
        public var UID: String?
        public var GID: String?
        public var Mode: UInt32?
        public init(Name: String? = nil, UID: String? = nil, GID: String? = nil, Mode: UInt32? = nil) {
            self.Name = Name
            self.UID = UID
            self.GID = GID
            self.Mode = Mode
        }
    }

    public struct SecretReference: Codable, Hashable, Sendable {
        public var File: FileTarget?
        public var SecretID: String?
        public var SecretName: String?
        public init(File: FileTarget? = nil, SecretID: String? = nil, SecretName: String? = nil) {
            self.File = File
            self.SecretID = SecretID
            self.SecretName = SecretName
        }
    }

    public struct ConfigReference: Codable, Hashable, Sendable {
        public var File: FileTarget?
        public var ConfigID: String?
        public var ConfigName: String?
        public init(File: FileTarget? = nil, ConfigID: String? = nil, ConfigName: String? = nil) {
            self.File = File
            self.ConfigID = ConfigID
            self.ConfigName = ConfigName
        }
    }

    public struct Mount: Codable, Hashable, Sendable {
        public var mountType: String?
        public var Source: String?
        public var Target: String?
        public var ReadOnly: Bool?
        /// A hint for Docker Desktop; accepted and not kept.
        public var Consistency: String?
        public var BindOptions: BindOptions?
        public var VolumeOptions: VolumeOptions?
        public var TmpfsOptions: TmpfsOptions?
        public init(mountType: String? = nil, Source: String? = nil, Target: String? = nil, ReadOnly: Bool? = nil) {
            self.mountType = mountType
            self.Source = Source
            self.Target = Target
            self.ReadOnly = ReadOnly
        }

        private enum CodingKeys: String, CodingKey {
            case mountType = "Type"
            case Source, Target, ReadOnly, Consistency, BindOptions, VolumeOptions, TmpfsOptions
        }
    }

    public struct BindOptions: Codable, Hashable, Sendable {
        public var Propagation: String?
        public var CreateMountpoint: Bool?
        public init(Propagation: String? = nil, CreateMountpoint: Bool? = nil) {
            self.Propagation = Propagation
            self.CreateMountpoint = CreateMountpoint
        }
    }

    public struct VolumeOptions: Codable, Hashable, Sendable {
        public var NoCopy: Bool?
        public init(NoCopy: Bool? = nil) { self.NoCopy = NoCopy }
    }

    public struct TmpfsOptions: Codable, Hashable, Sendable {
        public var SizeBytes: Int64?
        public var Mode: UInt32?
        public init(SizeBytes: Int64? = nil, Mode: UInt32? = nil) {
            self.SizeBytes = SizeBytes
            self.Mode = Mode
        }
    }
}
