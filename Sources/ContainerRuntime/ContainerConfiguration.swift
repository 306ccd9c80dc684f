public import LaunchProtocol
public import LinuxSystem

/// Everything that makes one container. Plain values: nothing is looked up in images or in the cluster.
public struct ContainerConfiguration: Hashable, Sendable {
    /// Unique on the node; letters, digits, `.`, `_` and `-`.
    public var id: String
    /// Read-only folders, the uppermost layer first.
    public var layers: [String]
    public var rootIsReadOnly = false
    public var arguments: [String]
    /// `KEY=VALUE`; PATH and HOSTNAME are added where missing, HOME as the image's /etc/passwd says.
    public var environment: [String] = []
    public var workingDirectory = "/"
    /// `name`, `uid`, `name:group` or `uid:gid`; empty is root.
    public var user = ""
    public var additionalGroups: [String] = []
    public var hostname = ""
    public var domainName = ""
    public var mounts: [LaunchMount] = []
    /// Secrets and configs: only ever in memory.
    public var files: [MemoryFile] = []
    /// Texts of the container's own files; nil leaves the image's.
    public var hostsFile: String?
    public var resolverFile: String?
    public var limits = CgroupLimits()
    public var resourceLimits: [ResourceLimit] = []
    public var capabilities = Capabilities.containerDefault
    public var noNewPrivileges = false
    /// A compiled filter, such as `SeccompProfile.containerDefault` gives; empty is unconfined.
    public var seccompFilter: [UInt8] = []
    /// Nodes beside the usual ones, each of them allowed.
    public var devices: [LaunchDevice] = []
    public var deviceRules = DeviceRule.containerDefault
    public var sysctls: [String: String] = ContainerDefaults.sysctls
    public var maskedPaths = ContainerDefaults.maskedPaths
    public var readOnlyPaths = ContainerDefaults.readOnlyPaths
    public var sharedMemoryBytes: UInt64 = Limits.sharedMemoryBytesDefault
    public var outOfMemoryScoreAdjustment: Int32 = 0
    /// Runs a small init as pid 1.
    public var usesInit = false
    /// 0: the log is never rotated.
    public var logMaximumBytes: UInt64 = 0
    public var logMaximumFiles: UInt32 = 1

    public init(id: String, layers: [String], arguments: [String]) {
        self.id = id
        self.layers = layers
        self.arguments = arguments
    }
}

/// What Docker gives a container that asks for nothing.
public enum ContainerDefaults {
    public static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// Ports below 1024 and ping need no privilege in a network of one's own.
    public static let sysctls = [
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 2147483647",
    ]

    /// What the runtime makes in every container's /dev, the mounts in it left out.
    static let deviceNames: Set<String> = [
        "null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "stdout", "stderr", "ptmx", "core",
    ]

    public static let maskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
        "/sys/firmware",
    ]

    public static let readOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
}
