/// What runs in a task's container. An empty text or list and a nil mean: as the image says.
public struct ContainerSpec: Hashable, Sendable {
    /// As the user wrote it, then `@sha256:…` once it is pinned.
    public var image: String
    public var labels: [String: String]
    /// Replaces the image's entrypoint.
    public var command: [String]
    /// Replaces the image's command.
    public var arguments: [String]
    public var hostname: String
    /// `KEY=VALUE`.
    public var environment: [String]
    public var workingDirectory: String
    /// `name`, `uid`, `name:group` or `uid:gid`.
    public var user: String
    public var groups: [String]
    public var capabilitiesAdded: [String]
    public var capabilitiesDropped: [String]
    public var sysctls: [String: String]
    public var ulimits: [Ulimit]
    public var noNewPrivileges: Bool
    /// Runs a small init as pid 1 that reaps orphans.
    public var initProcess: Bool
    public var terminal: Bool
    public var openStdin: Bool
    public var readOnly: Bool
    public var stopSignal: String
    public var stopGracePeriod: Duration
    public var healthcheck: Healthcheck?
    public var mounts: [Mount]
    public var secrets: [FileReference<SecretID>]
    public var configs: [FileReference<ConfigID>]
    /// Lines of /etc/hosts: `ADDRESS NAME`.
    public var hosts: [String]
    public var dns: DNSConfig
    public var oomScoreAdjustment: Int
    /// For pulling the image; no part of what runs, and never shown.
    public var registryAuth: RegistryAuth?

    public init(image: String) {
        self.image = image
        labels = [:]
        command = []
        arguments = []
        hostname = ""
        environment = []
        workingDirectory = ""
        user = ""
        groups = []
        capabilitiesAdded = []
        capabilitiesDropped = []
        sysctls = [:]
        ulimits = []
        noNewPrivileges = false
        initProcess = false
        terminal = false
        openStdin = false
        readOnly = false
        stopSignal = ""
        stopGracePeriod = .seconds(10)
        healthcheck = nil
        mounts = []
        secrets = []
        configs = []
        hosts = []
        dns = DNSConfig()
        oomScoreAdjustment = 0
        registryAuth = nil
    }
}

/// An account at a registry.
public struct RegistryAuth: Hashable, Sendable, CustomStringConvertible {
    public var username: String
    public var password: String

    public init(username: String, password: String) {
        self.username = username
        self.password = password
    }

    /// Without the password: logs and errors print values.
    public var description: String { "\(username) at a registry" }
}

public struct Ulimit: Hashable, Sendable {
    /// Without the prefix RLIMIT_, in lower case: `nofile`.
    public var name: String
    /// -1 is unlimited.
    public var soft: Int64
    public var hard: Int64

    public init(name: String, soft: Int64, hard: Int64) {
        self.name = name
        self.soft = soft
        self.hard = hard
    }
}

/// How a container's health is asked for. A zero duration or count means Docker's default.
public struct Healthcheck: Hashable, Sendable {
    /// `["CMD", …]`, `["CMD-SHELL", line]`, `["NONE"]`, or empty for the image's own.
    public var test: [String]
    public var interval: Duration
    public var timeout: Duration
    public var startPeriod: Duration
    public var startInterval: Duration
    public var retries: Int

    public init(
        test: [String], interval: Duration = .zero, timeout: Duration = .zero, startPeriod: Duration = .zero,
        startInterval: Duration = .zero, retries: Int = 0
    ) {
        self.test = test
        self.interval = interval
        self.timeout = timeout
        self.startPeriod = startPeriod
        self.startInterval = startInterval
        self.retries = retries
    }

    /// The check where the image has one too: each part that this one leaves open is the image's.
    public func completed(by image: Healthcheck) -> Healthcheck {
        Healthcheck(
            test: test.isEmpty ? image.test : test, interval: interval == .zero ? image.interval : interval,
            timeout: timeout == .zero ? image.timeout : timeout,
            startPeriod: startPeriod == .zero ? image.startPeriod : startPeriod,
            startInterval: startInterval == .zero ? image.startInterval : startInterval,
            retries: retries == 0 ? image.retries : retries)
    }
}

public struct DNSConfig: Hashable, Sendable {
    public var nameservers: [String]
    public var search: [String]
    public var options: [String]

    public init(nameservers: [String] = [], search: [String] = [], options: [String] = []) {
        self.nameservers = nameservers
        self.search = search
        self.options = options
    }
}

/// Something of the node's that appears in the container's tree.
public struct Mount: Hashable, Sendable {
    public enum Source: Hashable, Sendable {
        /// A path of the node. `createsSource` makes a missing folder.
        case bind(path: String, propagation: BindPropagation, createsSource: Bool)
        /// A named volume; an empty name is an anonymous one that ends with the task.
        case volume(name: String, copiesImageContent: Bool)
        /// Memory, at most so many bytes (0: half of the machine's).
        case tmpfs(sizeBytes: Int64, mode: UInt32)
    }

    public var source: Source
    /// An absolute path in the container.
    public var target: String
    public var readOnly: Bool

    public init(source: Source, target: String, readOnly: Bool = false) {
        self.source = source
        self.target = target
        self.readOnly = readOnly
    }
}

public enum BindPropagation: UInt8, Hashable, Sendable, CaseIterable {
    case rprivate = 0
    case `private` = 1
    case rshared = 2
    case shared = 3
    case rslave = 4
    case slave = 5
}

/// A secret or config as a file in the container.
public struct FileReference<ID: Hashable & Sendable>: Hashable, Sendable {
    public var id: ID
    public var name: String
    /// Path in the container; a secret's relative one is below /run/secrets.
    public var target: String
    public var uid: UInt32
    public var gid: UInt32
    public var mode: UInt32

    public init(id: ID, name: String, target: String, uid: UInt32 = 0, gid: UInt32 = 0, mode: UInt32 = 0o444) {
        self.id = id
        self.name = name
        self.target = target
        self.uid = uid
        self.gid = gid
        self.mode = mode
    }
}
