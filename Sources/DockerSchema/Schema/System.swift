// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    public struct VersionInfo: Codable, Hashable, Sendable {
        public var Platform: NamedPlatform = NamedPlatform()
        public var Components: [Component] = []
        public var Version: String = ""
        public var ApiVersion: String = ""
        public var MinAPIVersion: String = ""
        public var GitCommit: String = ""
        public var GoVersion: String = ""
        public var Os: String = ""
        public var Arch: String = ""
        public var KernelVersion: String = ""
        public var BuildTime: String?

        public init() {}
    }

    public struct NamedPlatform: Codable, Hashable, Sendable {
        public var Name: String = ""

        public init() {}
    }

    public struct Component: Codable, Hashable, Sendable {
        public var Name: String = ""
        public var Version: String = ""
        public var Details: [String: String]?

        public init() {}
    }

    public struct Info: Codable, Hashable, Sendable {
        public var ID: String = ""
        public var Name: String = ""
        public var Containers: Int = 0
        public var ContainersRunning: Int = 0
        public var ContainersPaused: Int = 0
        public var ContainersStopped: Int = 0
        public var Images: Int = 0
        public var Driver: String = ""
        public var DriverStatus: [[String]] = []
        public var Plugins: Plugins = Docker.Plugins()
        public var MemoryLimit: Bool = false
        public var SwapLimit: Bool = false
        public var PidsLimit: Bool = false
        public var CPUShares: Bool = false
        public var CpuCfsPeriod: Bool = false
        public var CpuCfsQuota: Bool = false
        public var OomKillDisable: Bool = false
        public var IPv4Forwarding: Bool = false
        public var LoggingDriver: String = ""
        public var CgroupDriver: String = ""
        public var CgroupVersion: String = ""
        public var SystemTime: String = ""
        public var KernelVersion: String = ""
        public var OperatingSystem: String = ""
        public var OSVersion: String = ""
        public var OSType: String = ""
        public var Architecture: String = ""
        public var NCPU: Int = 0
        public var MemTotal: Int64 = 0
        public var DockerRootDir: String = ""
        public var HttpProxy: String = ""
        public var HttpsProxy: String = ""
        public var NoProxy: String = ""
        public var Labels: [String] = []
        public var ExperimentalBuild: Bool = false
        public var ServerVersion: String = ""
        public var DefaultRuntime: String = ""
        public var Runtimes: [String: Empty] = [:]
        public var LiveRestoreEnabled: Bool = false
        public var Isolation: String = ""
        public var InitBinary: String = ""
        public var SecurityOptions: [String] = []
        public var Warnings: [String] = []
        public var IndexServerAddress: String = ""
        public var Swarm: SwarmInfo = SwarmInfo()

        public init() {}
    }

    public struct Plugins: Codable, Hashable, Sendable {
        public var Volume: [String] = []
        public var Network: [String] = []
        public var Log: [String] = []

        public init() {}
    }

    public struct SwarmInfo: Codable, Hashable, Sendable {
        public var NodeID: String = ""
        public var NodeAddr: String = ""
        public var LocalNodeState: String = ""
        public var ControlAvailable: Bool = false
        public var Error: String = ""
        public var RemoteManagers: [Peer]?
        public var Nodes: Int?
        public var Managers: Int?
        public var Cluster: Swarm?

        public init() {}
    }

    public struct Peer: Codable, Hashable, Sendable {
        public var NodeID: String = ""
        public var Addr: String = ""

        public init() {}
    }
}
