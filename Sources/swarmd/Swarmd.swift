import ArgumentParser
import ClusterWire
import EngineAPI
import Glibc
import LinuxSystem
import Logging
import Primitives

/// The daemon's command line.
@main
struct Swarmd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swarmd", abstract: "The daemon of a node: agent always, manager where it is promoted.",
        discussion: """
            Containers go on when swarmd ends; it picks them up when it starts again.

            EXAMPLES:
              swarmd --insecure-registry registry.local:5000
              swarmd --tcp 0.0.0.0:2376 --tlscacert ca.pem --tlscert server.pem --tlskey server-key.pem
            """)

    @Option(help: "The node's state.") var state = "/var/lib/swarm"
    @Option(help: "Sockets and what needs not survive a reboot.") var run = "/run/swarm"
    @Option(help: "The socket of the HTTP API; by default swarm.sock in the run folder.") var socket: String?
    @Option(help: "The program that supervises a container; by default the one beside swarmd.")
    var containerInit: String?
    @Option(help: "The cgroup below which containers are, in every hierarchy.") var cgroupParent = "/swarm"
    @Option(help: "A registry (HOST:PORT) or network (CIDR) reached by plain HTTP; may be repeated.")
    var insecureRegistry: [String] = []
    @Option(help: "Answer the HTTP API at this HOST:PORT too, to clients with a certificate of --tlscacert.")
    var tcp: String?
    @Option(help: "The authority that signs clients' certificates (PEM).") var tlscacert: String?
    @Option(help: "The API's certificate (PEM).") var tlscert: String?
    @Option(help: "The key of the API's certificate (PEM).") var tlskey: String?
    @Option(help: "trace, debug, info, notice, warning, error or critical.") var logLevel = "info"

    @Option(help: "Where other nodes reach this one from now on: ADDRESS|INTERFACE[:PORT].") var advertiseAddr: String?
    @Option(
        name: .customLong("manager"), help: "A manager (HOST:PORT) to call on when all may have moved; may be repeated."
    )
    var namedManagers: [String] = []

    /// Each keeps some MB that its threads once needed. With two, a loaded manager spends a tenth of its time on their locks.
    private static let heaps: Int32 = 4
    /// A batch of Raft's, a page of an answer and their like stay in a heap: as mappings they cost a quarter of a write.
    private static let mappedBytes: Int32 = 4 << 20
    private static let trimBytes: Int32 = 8 << 20

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        CurrentProcess.tuneHeaps(Swarmd.heaps, trimBytes: Swarmd.trimBytes, mappedBytes: Swarmd.mappedBytes)
        LoggingSystem.bootstrap { LineLogHandler(label: $0) }
        var log = Logger(label: "swarmd")
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw ValidationError("\"\(logLevel)\" is not a log level")
        }
        log.logLevel = level
        do {
            try moveClock(log)
            let settings = DaemonSettings(
                state: state, run: run, socket: socket ?? "\(run)/swarm.sock",
                containerInit: containerInit ?? ProgramFolder.path + "/container-init", cgroupParent: cgroupParent,
                insecureRegistries: insecureRegistry, secure: try secureListener(), advertiseAddress: advertiseAddr,
                namedManagers: try namedManagers.map { name throws(Failure) in
                    _ = try HostPort.split(name)
                    return name
                })
            try await Daemon(settings: settings, log: log).run()
        } catch {
            // One line, whatever went wrong, then a failure that a supervisor sees.
            var text = "swarmd: \(error)\n"
            text.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
            throw ExitCode.failure
        }
    }

    /// For drills with certificates: no namespace gives a daemon a wall clock of its own.
    private func moveClock(_ log: Logger) throws(Failure) {
        let name = "SWARM_CLOCK_OFFSET_S"
        guard let text = getenv(name).map({ String(cString: $0) }) else { return }
        guard let seconds = Int64(text), abs(seconds) <= Swarmd.clockOffsetSeconds else {
            throw Failure(.invalidArgument, "\(name)=\(text) is not a number of seconds of at most ten years")
        }
        if seconds == 0 { return }
        Clock.setWallOffset(.seconds(seconds))
        log.warning("\(name): the clock of this swarmd is moved by \(seconds) s; this is for drills alone")
    }

    private static let clockOffsetSeconds: Int64 = 10 * 365 * 86_400

    /// The API may do anything with the machine: over TCP it is never served without knowing who asks.
    private func secureListener() throws(Failure) -> SecureListener? {
        guard let tcp else { return nil }
        guard let tlscacert, let tlscert, let tlskey else {
            throw Failure(
                .invalidArgument,
                "--tcp needs --tlscacert, --tlscert and --tlskey: whoever reaches the API is root on this machine")
        }
        return try SecureListener(address: tcp, authority: tlscacert, certificate: tlscert, key: tlskey)
    }
}

struct DaemonSettings: Sendable {
    var state: String
    var run: String
    var socket: String
    var containerInit: String
    var cgroupParent: String
    var insecureRegistries: [String]
    var secure: SecureListener?
    var advertiseAddress: String?
    /// `HOST:PORT` each.
    var namedManagers: [String]
}

/// The folder of the running program.
enum ProgramFolder {
    static var path: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return "." }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}

/// One line an event on stderr: time, level, message, metadata.
struct LineLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let suffix = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        var line = "\(Clock.wallTime.rfc3339) \(event.level) \(event.message)\(suffix)\n"
        line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }
}
