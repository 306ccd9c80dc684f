import Glibc
import LaunchProtocol
import LinuxSystem
import Primitives

/// Where a node's containers live. No default: a node, a lab node and a test each have their own.
public struct RuntimeSettings: Hashable, Sendable {
    /// A folder for each container is made in it: `/var/lib/swarm/tasks`. Not on an overlay file system.
    public var stateFolder: String
    /// A folder with the control socket for each container is made in it: `/run/swarm/tasks`.
    public var runFolder: String
    /// The cgroup, below the mount points, that holds all containers and their supervisors: `swarm`.
    public var cgroupParent: String
    /// The `container-init` program.
    public var initPath: String

    public init(stateFolder: String, runFolder: String, cgroupParent: String, initPath: String) {
        self.stateFolder = stateFolder
        self.runFolder = runFolder
        self.cgroupParent = cgroupParent
        self.initPath = initPath
    }
}

/// Starts containers and finds them again.
///
/// A container belongs to its supervisor, not to this process: it goes on when this process ends, and its log and exit
/// are recorded in its folder.
public final class ContainerRuntime: Sendable {
    let settings: RuntimeSettings
    let layout: CgroupLayout
    let pool: BlockingPool
    private let reactor: SupervisorReactor
    /// `container-init` on a read-only mount of its own: what runs in a container can reach the program's file through
    /// /proc/PID/exe, but not write to it (CVE-2019-5736).
    private let program: SharedDescriptor

    /// Fails when the node has no cgroups or the program is not there.
    public init(_ settings: RuntimeSettings) throws {
        self.settings = settings
        layout = try ContainerRuntime.attempt("find the cgroup mounts") { () throws(Errno) in
            try CgroupLayout.ofThisNode()
        }
        pool = try ContainerRuntime.attempt("start threads") { () throws(Errno) in
            try BlockingPool(threads: Limits.blockingThreads)
        }
        reactor = try ContainerRuntime.attempt("start threads") { () throws(Errno) in try SupervisorReactor() }
        program = try ContainerRuntime.attempt("open \(settings.initPath)") { () throws(Errno) in
            let file = try File.open(settings.initPath, File.pathOnly)
            let mount = try DetachedMount(copyOf: file, isRecursive: false)
            try mount.set(DetachedMount.Attributes.readOnly, isRecursive: false)
            return SharedDescriptor(try mount.descriptor.duplicate())
        }
        for folder in [settings.stateFolder, settings.runFolder] {
            try ContainerRuntime.attempt("create \(folder)") { () throws(Errno) in
                try File.createFolders(folder, mode: 0o700)
            }
        }
    }

    static func attempt<Result: ~Copyable>(
        _ what: String, _ body: () throws(Errno) -> Result
    ) throws(Failure) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw Failure(error == .noSpace ? .resourceExhausted : .internal, "cannot \(what): \(error)")
        }
    }

    func paths(_ id: String) throws(Failure) -> ContainerPaths {
        try ContainerPaths.check(id: id)
        return ContainerPaths(id: id, settings: settings, layout: layout)
    }

    // MARK: Creating

    /// Makes the container's namespaces, mounts and cgroups; its program waits for ``Container/start()``.
    ///
    /// On failure nothing is left behind. A ``LaunchFailure`` says what of the container could not be made.
    public func create(_ configuration: ContainerConfiguration) async throws -> Container {
        let paths = try paths(configuration.id)
        // The texts may be secrets: they are in memory here and in the supervisor, never on a disk.
        let launch = LaunchConfiguration(configuration, paths: paths)
        try check(launch)
        guard !File.exists(paths.stateFolder) else {
            throw Failure(.alreadyExists, "container \(configuration.id) exists already in \(paths.stateFolder)")
        }
        do {
            let connection = try await pool.run { [self] in
                try makeFolders(configuration, paths)
                try makeCgroups(configuration, paths)
                return try spawn(launch, paths)
            }
            try ContainerRuntime.attempt("watch the supervisor") { () throws(Errno) in try reactor.add(connection) }
            switch try await connection.firstWord(timeout: Limits.createTimeout) {
            case .created(let state):
                return Container(self, paths, connection, process: state.process)
            case .failed(let failure):
                throw failure
            case .exited(let record):
                throw record.failure ?? Failure(.internal, "container \(paths.id) ended while it was made")
            default:
                throw Failure(.internal, "the supervisor of container \(paths.id) said something unexpected")
            }
        } catch {
            try? await pool.run { try ContainerRuntime.removeAll(paths) }
            throw error
        }
    }

    private func check(_ launch: LaunchConfiguration) throws(Failure) {
        guard !launch.process.arguments.isEmpty else {
            throw Failure(.invalidArgument, "container \(launch.id) has no command")
        }
        for text in launch.process.arguments + launch.process.environment
        where text.utf8.count >= LaunchProtocol.Limits.textBytesMax || text.utf8.contains(0) {
            throw Failure(
                .invalidArgument,
                "an argument or variable of container \(launch.id) holds a zero byte or is longer than 128 KiB")
        }
        for target in launch.mounts.map(\.target) + launch.files.map(\.target) {
            guard target.hasPrefix("/") else {
                throw Failure(.invalidArgument, "mount target \"\(target)\" is not an absolute path")
            }
            guard !ContainerRuntime.isReserved(target) else {
                throw Failure(
                    .invalidArgument, "mount target \"\(target)\" is the runtime's own: choose a place outside of it")
            }
        }
        guard launch.log.maximumFiles <= Limits.logFilesMax else {
            throw Failure(
                .invalidArgument, "log option max-file \(launch.log.maximumFiles) is above \(Limits.logFilesMax)")
        }
    }

    /// Whether the path is /dev or what the runtime makes in it, or anywhere in /proc: what stands there confines the
    /// container.
    static func isReserved(_ path: String) -> Bool {
        var names: [Substring] = []
        for name in path.split(separator: "/") where name != "." {
            if name == ".." { _ = names.popLast() } else { names.append(name) }
        }
        guard names.first == "dev" else { return names.first == "proc" }
        return names.count == 1 || (names.count == 2 && ContainerDefaults.deviceNames.contains(String(names[1])))
    }

    private func makeFolders(_ configuration: ContainerConfiguration, _ paths: ContainerPaths) throws(Failure) {
        try ContainerRuntime.attempt("write the folder of container \(paths.id)") { () throws(Errno) in
            try File.createFolders(paths.stateFolder, mode: 0o700)
            try File.createFolders(paths.runFolder, mode: 0o700)
            let texts = LaunchConfiguration.ownFileTexts(configuration)
            if texts.isEmpty { return }
            try File.createFolders(paths.filesFolder, mode: 0o700)
            for text in texts {
                let file = try File.open(
                    paths.filesFolder + "/" + text.key, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
                try file.write(all: Array(text.value.utf8))
                if fchmod(file.number, 0o644) == -1 { throw Errno.current }
            }
        }
    }

    private func makeCgroups(_ configuration: ContainerConfiguration, _ paths: ContainerPaths) throws(Failure) {
        do throws(Cgroup.Failure) {
            try paths.supervisors.create()
            try paths.cgroup.create()
            try paths.cgroup.apply(configuration.limits)
            let rules = configuration.devices.map {
                DeviceRule($0.isBlock ? .block : .character, $0.major, $0.minor, .all)
            }
            try paths.cgroup.restrictDevices(to: configuration.deviceRules + rules)
        } catch {
            throw Failure(.internal, "cannot limit container \(paths.id)", cause: error)
        }
    }

    /// Starts the supervisor. It forks away at once, so what is waited for here is only its first process.
    private func spawn(_ launch: LaunchConfiguration, _ paths: ContainerPaths) throws(Failure) -> SupervisorConnection {
        try ContainerRuntime.attempt("start \(settings.initPath)") { () throws(Errno) in
            let configuration = try File.inMemory(named: "launch", launch.versionedBytes)
            let null = try File.open("/dev/null", O_RDWR)
            let pair = try MessageSocket.makePair()
            let pid = try ChildProcess.spawn(
                program.descriptor, arguments: ["container-init", "monitor"], environment: [],
                descriptors: [
                    null.number, null.number, null.number, configuration.number, pair.second.descriptor.number,
                ],
                isSessionLeader: true)
            _ = try ChildProcess.wait(pid)
            return SupervisorConnection(pair.first, id: paths.id, stateFolder: paths.stateFolder)
        }
    }

    // MARK: Finding again

    /// The ids of all containers that have a folder, sorted: running, ended and broken ones.
    public func list() async throws -> [String] {
        let folder = settings.stateFolder
        return try await pool.run {
            try ContainerRuntime.attempt("read \(folder)") { () throws(Errno) in
                try File.names(in: folder).filter { File.isDirectory(folder + "/" + $0) }
            }
        }
    }

    /// What became of a container that another process, or an earlier one, created.
    public func reconnect(_ id: String) async throws -> FoundContainer {
        let paths = try paths(id)
        if let record = try await pool.run({ ContainerRecords.readExit(paths.stateFolder) }) { return .exited(record) }
        let connection = try await pool.run { () -> SupervisorConnection? in
            guard let folder = try? File.open(paths.runFolder, O_RDONLY | O_DIRECTORY),
                let socket = try? MessageSocket(connectingTo: ControlSocket.fileName, in: folder)
            else { return nil }
            return SupervisorConnection(socket, id: id, stateFolder: paths.stateFolder)
        }
        guard let connection else {
            // It may have ended between the two looks.
            let record = try await pool.run { ContainerRecords.readExit(paths.stateFolder) }
            if let record { return .exited(record) }
            try await pool.run { paths.killContainer() }
            return .lost
        }
        try ContainerRuntime.attempt("watch the supervisor") { () throws(Errno) in try reactor.add(connection) }
        let answer: SupervisorConnection.Answer
        do {
            answer = try await connection.request(
                .status, what: "find container \(id)", timeout: Limits.answerTimeout)
        } catch let failure as Failure where failure.code == .failedPrecondition {
            return try await FoundContainer(connection.outcome())
        }
        guard case .status(let status) = answer.reply else { return .lost }
        guard let state = status.state else {
            // Half made by a process that is gone: nobody knows what its network should be.
            _ = try? await connection.request(.signal(Signal.kill), what: "kill container \(id)")
            return try await FoundContainer(connection.outcome())
        }
        let container = Container(self, paths, connection, process: state.process)
        return status.phase == .running ? .running(container) : .created(container)
    }

    /// Kills what is left of a container and removes its cgroups and folders; one that is not there is fine.
    public func remove(_ id: String) async throws {
        let paths = try paths(id)
        do {
            switch try await reconnect(id) {
            case .created(let container), .running(let container): return try await container.remove()
            case .exited, .lost: break
            }
        } catch let failure as Failure where [.deadlineExceeded, .unavailable].contains(failure.code) {
            try await kill(id)
        }
        try await pool.run { try ContainerRuntime.removeAll(paths) }
    }

    /// Kills a container and its supervisor without asking the supervisor, for one that does not answer; what it left
    /// stays. One that is not there is fine.
    public func kill(_ id: String) async throws {
        let paths = try paths(id)
        try await pool.run {
            paths.killContainer()
            paths.killSupervisor()
        }
    }

    /// The log of a container, whether it runs or not.
    public func log(of id: String) throws -> ContainerLog {
        let paths = try paths(id)
        return ContainerLog(path: paths.logPath, exitPath: paths.stateFolder + "/" + ExitRecord.fileName, pool: pool)
    }

    static func removeAll(_ paths: ContainerPaths) throws(Failure) {
        do throws(Cgroup.Failure) {
            try paths.cgroup.remove()
        } catch {
            throw Failure(.internal, "cannot remove container \(paths.id)", cause: error)
        }
        try attempt("remove the folders of container \(paths.id)") { () throws(Errno) in
            try File.removeTree(paths.runFolder)
            try File.removeTree(paths.stateFolder)
        }
    }
}
