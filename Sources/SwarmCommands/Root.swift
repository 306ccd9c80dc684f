public import ArgumentParser
import Foundation
import Lab

/// `swarmctl`: every subcommand is named here.
public struct Swarmctl: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "swarmctl",
        abstract: "Run containers on a cluster of machines.",
        discussion: """
            The daemon is found at --host, else SWARM_HOST, else DOCKER_HOST, else unix:///run/swarm/swarm.sock.
            One at tcp://HOST:PORT is asked over TLS with --tlscacert, --tlscert and --tlskey, or with ca.pem, cert.pem and
            key.pem in the folder SWARM_CERT_PATH or DOCKER_CERT_PATH.

            EXAMPLES
              swarmctl init                          make this machine the first manager
              swarmctl join TOKEN                    add this machine to the cluster
              swarmctl service create --name web --replicas 2 --publish 8080:80 nginx
              swarmctl stack deploy -c compose.yml web   deploy a compose file
              swarmctl service scale web=5           wait until five run, and say where

            EXIT STATUS
              0  done
              1  refused, or failed
              2  not reached: the update paused or rolled back, or the tasks failed
              3  not reached within --timeout
              4  the daemon cannot be reached
              64 wrong usage
            """,
        subcommands: subcommands)

    static let subcommands: [any ParsableCommand.Type] = [
        InitCommand.self, JoinCommand.self, LeaveCommand.self, TokenCommand.self, UpdateCommand.self,
        AuthorityCommand.self, UnlockCommand.self, UnlockKeyCommand.self, BackupCommand.self, RestoreCommand.self,
        RecoverCommand.self,
        NodeCommand.self,
        ServiceCommand.self, StackCommand.self, ImageCommand.self, NetworkCommand.self, SecretCommand.self,
        ConfigCommand.self,
        VolumeCommand.self, EventsCommand.self, InfoCommand.self, VersionCommand.self, LabCommand.self,
    ]

    public init() {}

    /// Runs what the process's arguments ask for, and exits.
    public static func launch() async -> Never {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            Foundation.exit(0)
        } catch let failure as CommandFailure {
            Console.error("swarmctl: \(failure.message)")
            Foundation.exit(failure.status.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}

/// Why a command did not do what was asked.
struct CommandFailure: Error, Hashable {
    enum Status: Int32, Hashable {
        case refused = 1
        case notReached = 2
        case timedOut = 3
        case unreachable = 4
    }

    var status: Status
    /// One line.
    var message: String

    init(_ message: String, status: Status = .refused) {
        self.status = status
        self.message = message
    }
}

/// Where the daemon is.
struct ConnectionOptions: ParsableArguments {
    @Option(
        name: [.customShort("H"), .long],
        help: ArgumentHelp("The daemon's address: unix://PATH, tcp://HOST:PORT.", valueName: "address"))
    var host: String?
    @Option(help: ArgumentHelp("The authority of a daemon that answers over TLS (PEM).", valueName: "file"))
    var tlscacert: String?
    @Option(help: ArgumentHelp("This client's certificate (PEM).", valueName: "file")) var tlscert: String?
    @Option(help: ArgumentHelp("The key of this client's certificate (PEM).", valueName: "file")) var tlskey: String?

    func engine() throws -> EngineClient {
        let environment = ProcessInfo.processInfo.environment
        let certificates = try ClientCertificates.find(
            authority: tlscacert, certificate: tlscert, key: tlskey, environment: environment)
        return try EngineClient(host: host, certificates: certificates, environment: environment)
    }
}

/// A command that talks to the daemon.
protocol EngineCommand: AsyncParsableCommand {
    var connection: ConnectionOptions { get }
    func run(_ engine: EngineClient) async throws
}

extension EngineCommand {
    mutating func run() async throws {
        try await run(try connection.engine())
    }
}
