public import AgentCore
public import ClusterModel
public import Primitives

/// What the agent needs of the machine to run tasks.
public protocol TaskRuntime: Sendable {
    /// Tasks that an earlier run of the daemon left, with what has become of their containers.
    func restore() async throws -> [(record: TaskRecord, container: RestoredContainer)]
    /// Pulls the image and makes the container, not yet started. Honours cancellation.
    func prepare(_ task: ClusterTask, secrets: [Secret], configs: [Config]) async throws -> PreparedContainer
    func start(_ task: TaskID) async throws -> ContainerStatus
    /// Returns when the container has ended.
    func waitForExit(of task: TaskID) async throws -> ContainerExit
    /// Runs a health check: its exit code; nil when it could not be run or took too long.
    func probe(_ task: TaskID, _ check: Healthcheck, timeout: Duration) async -> Int32?
    /// Signals, waits for the grace period, kills.
    func stop(_ task: TaskID, signal: String, grace: Duration) async throws
    /// Removes the container and everything it left. A task that was never prepared is no error.
    func remove(_ task: TaskID) async throws
    /// Keeps the record for ``restore()``.
    func save(_ record: TaskRecord) throws
    /// The task's log, oldest line first; ends with the log, or with the task where it is followed.
    func logs(of task: TaskID, _ query: LogQuery) throws -> TaskLog
    /// The machine, as managers are told of it.
    func describe() async throws -> NodeDescription
    /// Who else is in the networks of this node's tasks.
    func update(_ view: NetworkView) async throws
}

/// A container that is made and not started.
public struct PreparedContainer: Hashable, Sendable {
    public var status: ContainerStatus
    /// What its image says of its health.
    public var imageHealthcheck: Healthcheck?

    public init(status: ContainerStatus, imageHealthcheck: Healthcheck? = nil) {
        self.status = status
        self.imageHealthcheck = imageHealthcheck
    }
}

/// Which lines of a log.
public struct LogQuery: Hashable, Sendable {
    public var stdout: Bool
    public var stderr: Bool
    public var follow: Bool
    /// The newest so many; nil is all.
    public var tail: Int?
    public var since: Timestamp?
    public var until: Timestamp?

    public init(
        stdout: Bool, stderr: Bool, follow: Bool, tail: Int? = nil, since: Timestamp? = nil, until: Timestamp? = nil
    ) {
        self.stdout = stdout
        self.stderr = stderr
        self.follow = follow
        self.tail = tail
        self.since = since
        self.until = until
    }
}

/// One line of a task's output, with its line end.
public struct LogEntry: Hashable, Sendable {
    public var isError: Bool
    public var time: Timestamp
    public var bytes: [UInt8]

    public init(isError: Bool, time: Timestamp, bytes: [UInt8]) {
        self.isError = isError
        self.time = time
        self.bytes = bytes
    }
}
