import ArgumentParser
import DockerSchema
import Foundation

struct InitCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make this node the first manager of a new cluster.",
        discussion: """
            EXAMPLES
              swarmctl init
              swarmctl init --advertise-addr 192.0.2.10
              swarmctl init --autolock               a restarted manager needs a key
            """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "Address that other nodes reach this one at: ADDRESS|INTERFACE[:PORT].") var advertiseAddr: String?
    @Option(help: "Address to listen at (0.0.0.0:2377).") var listenAddr: String?
    @Option(help: "Address for traffic between containers; the advertised one by default.") var dataPathAddr: String?
    @Option(help: "UDP port for traffic between containers (4789).") var dataPathPort: UInt16?
    @Option(name: .customLong("default-addr-pool"), help: "Networks are cut from this one; may be repeated.")
    var pools: [String] = []
    @Option(name: .customLong("default-addr-pool-mask-length"), help: "Prefix length of a network (24).")
    var maskLength: UInt8?
    @Option(help: "active, pause or drain.") var availability = "active"
    @Flag(help: "A manager that was restarted takes part only once it is unlocked.") var autolock = false
    @Option(help: "Ended tasks kept for each slot (5).") var taskHistoryLimit: UInt64?
    @Option(help: "Validity of a node's certificate (2160h).") var certExpiry: String?
    @Option(help: "Time between two heartbeats (5s).") var dispatcherHeartbeat: String?

    func run(_ engine: EngineClient) async throws {
        var request = Docker.SwarmInit()
        request.AdvertiseAddr = advertiseAddr
        request.ListenAddr = listenAddr
        request.DataPathAddr = dataPathAddr
        request.DataPathPort = dataPathPort
        request.DefaultAddrPool = pools.isEmpty ? nil : pools
        request.SubnetSize = maskLength
        request.Availability = availability
        var spec = Docker.SwarmSpec()
        spec.Orchestration = taskHistoryLimit.map { Docker.OrchestrationConfig(TaskHistoryRetentionLimit: $0) }
        spec.CAConfig = try certExpiry.map { Docker.CAConfig(NodeCertExpiry: try FlagValue.duration($0)) }
        spec.Dispatcher = try dispatcherHeartbeat.map {
            Docker.DispatcherConfig(HeartbeatPeriod: try FlagValue.duration($0))
        }
        if autolock { spec.EncryptionConfig = Docker.EncryptionConfig(AutoLockManagers: true) }
        request.AutoLockManagers = autolock
        request.Spec = spec
        let id = try await engine.post(["swarm", "init"], [], request, as: String.self)
        Console.line("Swarm initialized: current node (\(id)) is now a manager.\n")
        try await TokenCommand.printJoinLine(engine, role: .worker)
        Console.line("To add a manager to this swarm, run 'swarmctl token manager' and follow the instructions.")
        if autolock {
            let key = try await engine.get(["swarm", "unlockkey"], as: Docker.UnlockKey.self).UnlockKey
            Console.line("")
            UnlockKeyCommand.explain(key)
        }
    }
}

struct JoinCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Add this node to a cluster.",
        discussion: """
            EXAMPLES
              swarmctl join SWMTKN-…
              swarmctl join - < token-file
              swarmctl join --manager 192.0.2.10:2377 SWMTKN-…
              swarmctl join --renew SWMTKN-…         this node comes back: its certificate had expired, its
                                                     managers have moved, or a manager's log is lost
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The token of 'swarmctl token', or - to read it from standard input.") var token: String
    @Option(help: "Ask this manager instead of those in the token: HOST:PORT; may be repeated.") var manager: [String] =
        []
    @Option(help: "Address that other nodes reach this one at.") var advertiseAddr: String?
    @Option(help: "Address to listen at.") var listenAddr: String?
    @Option(help: "Address for traffic between containers.") var dataPathAddr: String?
    @Option(help: "active, pause or drain.") var availability = "active"
    @Flag(help: "Come back as the node that this one is, with its tasks and volumes.") var renew = false

    func run(_ engine: EngineClient) async throws {
        var request = Docker.SwarmJoin()
        if renew { request.Renew = true }
        request.JoinToken = token == "-" ? readLine()?.trimmingCharacters(in: .whitespaces) : token
        guard request.JoinToken?.isEmpty == false else { throw CommandFailure("standard input holds no token") }
        request.RemoteAddrs = manager
        request.AdvertiseAddr = advertiseAddr
        request.ListenAddr = listenAddr
        request.DataPathAddr = dataPathAddr
        request.Availability = availability
        try await engine.send("POST", ["swarm", "join"], [], request)
        let isManager = try await engine.get(["info"], as: Docker.Info.self).Swarm.ControlAvailable
        if renew { return Console.line("This node is back in its swarm as a \(isManager ? "manager" : "worker").") }
        Console.line("This node joined a swarm as a \(isManager ? "manager" : "worker").")
    }
}

struct LeaveCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "leave", abstract: "Take this node out of its cluster.")

    @OptionGroup var connection: ConnectionOptions
    @Flag(name: .shortAndLong, help: "Leave although this node is a manager.") var force = false

    func run(_ engine: EngineClient) async throws {
        try await engine.send("POST", ["swarm", "leave"], force ? [("force", "true")] : [])
        Console.line("Node left the swarm.")
    }
}

struct TokenCommand: EngineCommand {
    enum Role: String, ExpressibleByArgument, CaseIterable, Sendable {
        case worker
        case manager
    }

    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print the line that adds a node to the cluster.",
        discussion: """
            EXAMPLES
              swarmctl token worker
              swarmctl token manager -q
              swarmctl token worker --rotate         make the old token worthless
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "worker or manager.") var role: Role
    @Flag(help: "Make a new token and the old one worthless.") var rotate = false
    @Flag(name: .shortAndLong, help: "Print the token only.") var quiet = false

    func run(_ engine: EngineClient) async throws {
        if rotate {
            let swarm = try await engine.get(["swarm"], as: Docker.Swarm.self)
            let flag = role == .worker ? "rotateWorkerToken" : "rotateManagerToken"
            try await engine.send(
                "POST", ["swarm", "update"], [("version", String(swarm.Version.Index)), (flag, "true")], swarm.Spec)
            if !quiet { Console.line("Successfully rotated the \(role.rawValue) token.\n") }
        }
        if quiet {
            Console.line(try await TokenCommand.token(engine, role))
        } else {
            try await TokenCommand.printJoinLine(engine, role: role)
        }
    }

    static func printJoinLine(_ engine: EngineClient, role: Role) async throws {
        let token = try await token(engine, role)
        Console.line("To add a \(role.rawValue) to this swarm, run the following command:\n")
        Console.line("    swarmctl join \(token)\n")
    }

    private static func token(_ engine: EngineClient, _ role: Role) async throws -> String {
        guard let tokens = try await engine.get(["swarm"], as: Docker.Swarm.self).JoinTokens else {
            throw CommandFailure("the daemon does not tell the tokens")
        }
        return role == .worker ? tokens.Worker : tokens.Manager
    }
}
