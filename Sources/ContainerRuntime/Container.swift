import Glibc
public import LaunchProtocol
public import LinuxSystem
public import Primitives

/// What a node finds of a container after a restart.
public enum FoundContainer: Sendable {
    /// Waits for ``Container/start()``.
    case created(Container)
    case running(Container)
    case exited(ExitRecord)
    /// Its supervisor is gone and left no record: nothing is known of its end.
    case lost

    init(_ outcome: SupervisorConnection.Outcome) {
        switch outcome {
        case .exited(let record): self = .exited(record)
        case .lost: self = .lost
        }
    }
}

/// A container that was created or found, until it has ended and is removed.
///
/// Letting go of the value changes nothing about the container.
public final class Container: Sendable {
    public let id: String
    /// Its first process, in the caller's pid namespace.
    public let process: ProcessIdentity
    private let runtime: ContainerRuntime
    private let paths: ContainerPaths
    private let connection: SupervisorConnection

    init(
        _ runtime: ContainerRuntime, _ paths: ContainerPaths, _ connection: SupervisorConnection,
        process: RecordedProcess
    ) {
        id = paths.id
        self.process = ProcessIdentity(pid: process.pid, startTime: process.startTime)
        self.runtime = runtime
        self.paths = paths
        self.connection = connection
    }

    public var pid: Int32 { process.pid }

    /// Its network namespace, to be wired before ``start()``; the descriptor keeps the namespace alive.
    public func openNetworkNamespace() throws(Failure) -> OwnedDescriptor {
        let pid = process.pid
        return try ContainerRuntime.attempt("open the network of container \(id)") { () throws(Errno) in
            let namespace = try Namespaces.openNetwork(ofProcess: pid)
            // The number may have gone to another process between the creation and now.
            guard process.isAlive else { throw .noSuchProcess }
            return namespace
        }
    }

    /// Runs the program. A ``LaunchFailure`` (its `exitCode` is Docker's 126 or 127) says why it could not be run.
    public func start() async throws {
        _ = try await connection.request(.start, what: "start container \(id)")
    }

    /// Waits for the end. Any number of callers may wait; cancelling the task ends the waiting only.
    ///
    /// Throws a ``Failure`` with code `dataLoss` when the supervisor was killed and nobody recorded the end.
    public func wait() async throws -> ExitRecord {
        switch try await connection.outcome() {
        case .exited(let record): return record
        case .lost:
            // A set-user-id program has lost the signal that it gets with its supervisor's end (prctl(2)).
            try await runtime.pool.run { [paths] in paths.killContainer() }
            throw Failure(.dataLoss, "the supervisor of container \(id) ended without a record of the container's end")
        }
    }

    /// As ``wait()``, but nil when it still runs after `duration`.
    public func wait(upTo duration: Duration) async throws -> ExitRecord? {
        try await withThrowingTaskGroup(of: ExitRecord?.self) { group in
            group.addTask { try await self.wait() }
            group.addTask {
                try await Task.sleep(for: duration)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// Sends a signal to its first process. As pid 1 that ignores signals that it has no handler for, except SIGKILL.
    public func signal(_ number: Int32) async throws {
        _ = try await connection.request(.signal(number), what: "signal container \(id)")
    }

    /// Asks it to end, and kills it when it has not after `grace`. An ended container is fine.
    @discardableResult
    public func stop(signal number: Int32 = Signal.terminate, grace: Duration) async throws -> ExitRecord {
        if grace > .zero {
            try await ignoringEnd { try await self.signal(number) }
            if let record = try await wait(upTo: grace) { return record }
        }
        return try await kill()
    }

    /// Kills it and waits until it is gone.
    @discardableResult
    public func kill() async throws -> ExitRecord {
        do {
            try await ignoringEnd {
                _ = try await connection.request(
                    .signal(Signal.kill), what: "kill container \(id)", timeout: Limits.answerTimeout)
            }
            if let record = try await wait(upTo: Limits.answerTimeout) { return record }
        } catch let failure as Failure where failure.code == .deadlineExceeded {
            // Its supervisor does not answer.
        }
        return try await killPastSupervisor()
    }

    /// Ends the container without its supervisor, and then the supervisor unless it records the end.
    private func killPastSupervisor() async throws -> ExitRecord {
        try await runtime.pool.run { [paths] in paths.killContainer() }
        if let record = try await wait(upTo: Limits.killTimeout) { return record }
        if process.isAlive {
            throw Failure(.deadlineExceeded, "container \(id) does not end: a process of it hangs in the kernel")
        }
        try await runtime.pool.run { [paths] in paths.killSupervisor() }
        guard let record = try await wait(upTo: Limits.killTimeout) else {
            throw Failure(.deadlineExceeded, "the supervisor of container \(id) does not end: it hangs in the kernel")
        }
        return record
    }

    private func ignoringEnd(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as Failure where [.failedPrecondition, .unavailable].contains(failure.code) {
            // It has ended: its record says how.
        } catch let failure as LaunchFailure where failure.errno == ESRCH {
            // Its process has ended, its record is being written.
        }
    }

    /// Runs another program in it, as confined as its own: for health checks.
    ///
    /// `timeout` zero is none; the program is killed then, and the result says so. Output beyond `outputBytesMax` is cut.
    public func exec(
        _ arguments: [String], environment: [String] = [], user: String? = nil, workingDirectory: String? = nil,
        timeout: Duration, outputBytesMax: Int = LaunchProtocol.Limits.execOutputBytesMax
    ) async throws -> ExecResult {
        let request = ExecRequest(
            arguments: arguments, environment: environment, user: user, workingDirectory: workingDirectory,
            timeoutMilliseconds: UInt32(clamping: timeout.wholeMilliseconds),
            outputBytesMax: UInt32(clamping: outputBytesMax))
        let limit: Duration = timeout > .zero ? timeout + Limits.execReplyMargin : .seconds(Int64(Int32.max))
        let answer = try await connection.request(
            .execute(request), what: "run a program in container \(id)", timeout: limit)
        guard case .executed(let result) = answer.reply else {
            throw Failure(.internal, "the supervisor of container \(id) said something unexpected")
        }
        return result
    }

    /// Has the supervisor keep copies of descriptors (a namespace's sockets) for this daemon's next life.
    public func storeDescriptors(_ name: String, _ descriptors: [SharedDescriptor]) async throws {
        _ = try await connection.request(
            .storeDescriptors(name: name), what: "store descriptors in container \(id)",
            descriptors: descriptors.map { $0.descriptor.number })
        withExtendedLifetime(descriptors) {}
    }

    /// Copies of what was stored under the name, in the same order; empty when nothing was.
    public func fetchDescriptors(_ name: String) async throws -> [SharedDescriptor] {
        let answer = try await connection.request(
            .fetchDescriptors(name: name), what: "fetch descriptors of container \(id)")
        return answer.descriptors.map { SharedDescriptor(OwnedDescriptor(adopting: $0)) }
    }

    /// What it uses and has used.
    public func statistics() async throws -> CgroupStatistics {
        try await runtime.pool.run { [paths] in paths.cgroup.statistics() }
    }

    /// Its output.
    public var log: ContainerLog {
        ContainerLog(path: paths.logPath, exitPath: paths.stateFolder + "/" + ExitRecord.fileName, pool: runtime.pool)
    }

    /// Replaces the text of its /etc/hosts while it runs.
    public func updateHosts(_ text: String) async throws {
        let path = paths.filesFolder + "/hosts"
        try await runtime.pool.run {
            try ContainerRuntime.attempt("write \(path)") { () throws(Errno) in
                // In place: the container has this very file mounted.
                try File.open(path, O_WRONLY | O_TRUNC).write(all: Array(text.utf8))
            }
        }
    }

    /// Kills it if need be, and removes its cgroups and folders with log and records.
    public func remove() async throws {
        do {
            try await kill()
        } catch let failure as Failure where failure.code == .dataLoss {
            // No record, but no supervisor either: what is left is in the cgroup, and ends with it.
        }
        try await runtime.pool.run { [paths] in try ContainerRuntime.removeAll(paths) }
    }
}
