/// All that the supervisor of one container needs, decided: nothing in it is looked up again except users in the rootfs.
public struct LaunchConfiguration: Hashable, Sendable {
    public var id: String
    /// Holds the state and exit records, the overlay's upper and work folders and the log.
    public var stateFolder: String
    /// Holds the control socket.
    public var runFolder: String
    public var cgroups: CgroupPlacement
    public var rootfs: RootFilesystem
    public var rootIsReadOnly: Bool
    public var mounts: [LaunchMount]
    public var files: [MemoryFile]
    public var devices: [LaunchDevice]
    public var hostname: String
    public var domainName: String
    public var sysctls: [KeyValue]
    public var maskedPaths: [String]
    public var readOnlyPaths: [String]
    public var sharedMemoryBytes: UInt64
    public var process: ProcessConfiguration
    /// Runs a small init as pid 1 that reaps orphans and forwards signals.
    public var usesInit: Bool
    public var log: LogConfiguration

    public init(
        id: String, stateFolder: String, runFolder: String, rootfs: RootFilesystem, process: ProcessConfiguration
    ) {
        self.id = id
        self.stateFolder = stateFolder
        self.runFolder = runFolder
        self.rootfs = rootfs
        self.process = process
        cgroups = CgroupPlacement(unified: nil, legacy: [], supervisor: [])
        rootIsReadOnly = false
        mounts = []
        files = []
        devices = []
        hostname = ""
        domainName = ""
        sysctls = []
        maskedPaths = []
        readOnlyPaths = []
        sharedMemoryBytes = 64 << 20
        usesInit = false
        log = LogConfiguration(path: stateFolder + "/container-json.log", maximumBytes: 0, maximumFiles: 1)
    }
}

/// The cgroup folders, made and limited beforehand.
public struct CgroupPlacement: Hashable, Sendable {
    /// The container's folder in the v2 tree: its first process is born there.
    public var unified: String?
    /// The container's folders in the v1 trees, each under the name that its tree has below /sys/fs/cgroup.
    public var legacy: [KeyValue]
    /// Where the supervisor itself goes, in every tree.
    public var supervisor: [String]
    /// The file whose `oom_kill` line counts the container's out-of-memory kills.
    public var memoryEvents: String?

    public init(unified: String?, legacy: [KeyValue], supervisor: [String], memoryEvents: String? = nil) {
        self.unified = unified
        self.legacy = legacy
        self.supervisor = supervisor
        self.memoryEvents = memoryEvents
    }
}

public enum RootFilesystem: Hashable, Sendable {
    /// Read-only layers, the uppermost first, with a writable folder above them.
    case overlay(lower: [String], upper: String, work: String)
    /// A folder as it is.
    case folder(String)
}

/// Something mounted in the container.
public struct LaunchMount: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case bind(source: String, propagation: Propagation, isRecursive: Bool)
        case tmpfs(sizeBytes: UInt64, mode: UInt32)
    }

    public enum Propagation: UInt8, Hashable, Sendable {
        case `private` = 0
        case slave = 1
        case shared = 2
    }

    public var kind: Kind
    /// An absolute path in the container.
    public var target: String
    public var isReadOnly: Bool

    public init(_ kind: Kind, target: String, isReadOnly: Bool = false) {
        self.kind = kind
        self.target = target
        self.isReadOnly = isReadOnly
    }
}

/// A file that is only in memory: a secret or a config.
public struct MemoryFile: Hashable, Sendable {
    public var target: String
    public var contents: [UInt8]
    public var mode: UInt32
    public var user: UInt32
    public var group: UInt32

    public init(target: String, contents: [UInt8], mode: UInt32 = 0o444, user: UInt32 = 0, group: UInt32 = 0) {
        self.target = target
        self.contents = contents
        self.mode = mode
        self.user = user
        self.group = group
    }
}

/// A device node beside the usual ones.
public struct LaunchDevice: Hashable, Sendable {
    public var path: String
    public var isBlock: Bool
    public var major: UInt32
    public var minor: UInt32
    public var mode: UInt32

    public init(path: String, isBlock: Bool, major: UInt32, minor: UInt32, mode: UInt32) {
        self.path = path
        self.isBlock = isBlock
        self.major = major
        self.minor = minor
        self.mode = mode
    }
}

public struct KeyValue: Hashable, Sendable {
    public var key: String
    public var value: String

    public init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }
}

/// The container's program and what it may do.
public struct ProcessConfiguration: Hashable, Sendable {
    public var arguments: [String]
    /// `KEY=VALUE`.
    public var environment: [String]
    /// `name`, `uid`, `name:group`, `uid:gid` or empty for root; looked up in the rootfs.
    public var user: String
    /// Names or numbers of further groups.
    public var groups: [String]
    public var workingDirectory: String
    /// Bit n is capability n: bounding, effective and permitted set.
    public var capabilities: UInt64
    public var noNewPrivileges: Bool
    /// A compiled filter (`struct sock_filter[]`); empty: unconfined.
    public var seccompFilter: [UInt8]
    public var limits: [ResourceLimit]
    public var outOfMemoryScoreAdjustment: Int32

    public init(arguments: [String], environment: [String] = []) {
        self.arguments = arguments
        self.environment = environment
        user = ""
        groups = []
        workingDirectory = "/"
        capabilities = 0
        noNewPrivileges = false
        seccompFilter = []
        limits = []
        outOfMemoryScoreAdjustment = 0
    }
}

/// A limit of setrlimit(2).
public struct ResourceLimit: Hashable, Sendable {
    /// Without `RLIMIT_`, in lower case: `nofile`.
    public var name: String
    /// `UInt64.max` is unlimited.
    public var soft: UInt64
    public var hard: UInt64

    public init(name: String, soft: UInt64, hard: UInt64) {
        self.name = name
        self.soft = soft
        self.hard = hard
    }
}

/// Where the container's output goes.
public struct LogConfiguration: Hashable, Sendable {
    public var path: String
    /// A file that would grow beyond is rotated; 0: never.
    public var maximumBytes: UInt64
    /// Files kept, the current one included.
    public var maximumFiles: UInt32

    public init(path: String, maximumBytes: UInt64, maximumFiles: UInt32) {
        self.path = path
        self.maximumBytes = maximumBytes
        self.maximumFiles = maximumFiles
    }
}
