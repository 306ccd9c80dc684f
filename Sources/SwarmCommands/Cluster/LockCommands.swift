import ArgumentParser
import DockerSchema
import Foundation

struct UnlockCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "unlock", abstract: "Let a locked manager take part again.",
        discussion: """
            The key is read from the terminal, or from standard input.

            EXAMPLES
              swarmctl unlock
              swarmctl unlock < key-file
            """)

    @OptionGroup var connection: ConnectionOptions

    func run(_ engine: EngineClient) async throws {
        let state = try await engine.get(["info"], as: Docker.Info.self).Swarm.LocalNodeState
        guard state == "locked" else {
            throw CommandFailure(state == "inactive" ? "this node is not part of a swarm" : "swarm is not locked")
        }
        let key = try Console.secret("Enter unlock key: ")
        guard !key.isEmpty else { throw CommandFailure("standard input holds no key") }
        try await engine.send("POST", ["swarm", "unlock"], [], Docker.UnlockKey(UnlockKey: key))
    }
}

struct UnlockKeyCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "unlock-key", abstract: "Print the key that unlocks managers after a restart.",
        discussion: """
            EXAMPLES
              swarmctl unlock-key
              swarmctl unlock-key --rotate           make a new key and the old one worthless
              swarmctl unlock-key -q                 the key only
            """)

    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Make a new key and the old one worthless.") var rotate = false
    @Flag(name: .shortAndLong, help: "Print the key only.") var quiet = false

    func run(_ engine: EngineClient) async throws {
        if rotate {
            let swarm = try await engine.get(["swarm"], as: Docker.Swarm.self)
            guard swarm.Spec.EncryptionConfig?.AutoLockManagers == true else {
                throw CommandFailure(
                    "there is no key to rotate, as managers are not locked: `swarmctl update --autolock true` locks them"
                )
            }
            try await engine.send(
                "POST", ["swarm", "update"],
                [("version", String(swarm.Version.Index)), ("rotateManagerUnlockKey", "true")], swarm.Spec)
            if !quiet { Console.line("Successfully rotated the manager unlock key.\n") }
        }
        let key = try await engine.get(["swarm", "unlockkey"], as: Docker.UnlockKey.self).UnlockKey
        guard !key.isEmpty else { throw CommandFailure("no unlock key is set: managers are not locked") }
        if quiet { Console.line(key) } else { UnlockKeyCommand.explain(key) }
    }

    static func explain(_ key: String) {
        Console.line("To unlock a swarm manager after it restarts, run `swarmctl unlock` and give it this key:\n")
        Console.line("    \(key)\n")
        Console.line("Keep it in a password manager: without it a manager that was restarted cannot take part.")
    }
}

struct UpdateCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change the cluster's settings.",
        discussion: """
            EXAMPLES
              swarmctl update --autolock true
              swarmctl update --cert-expiry 720h --task-history-limit 10
            """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "Whether managers need a key after a restart: true or false.") var autolock: Bool?
    @Option(help: "Ended tasks kept for each slot.") var taskHistoryLimit: UInt64?
    @Option(help: "Validity of a node's certificate.") var certExpiry: String?
    @Option(help: "Time between two heartbeats.") var dispatcherHeartbeat: String?

    func validate() throws {
        if autolock == nil, taskHistoryLimit == nil, certExpiry == nil, dispatcherHeartbeat == nil {
            throw ValidationError(
                "say what to change: --autolock, --task-history-limit, --cert-expiry or "
                    + "--dispatcher-heartbeat")
        }
    }

    func run(_ engine: EngineClient) async throws {
        let swarm = try await engine.get(["swarm"], as: Docker.Swarm.self)
        var spec = swarm.Spec
        if let autolock { spec.EncryptionConfig = Docker.EncryptionConfig(AutoLockManagers: autolock) }
        if let taskHistoryLimit {
            spec.Orchestration = Docker.OrchestrationConfig(TaskHistoryRetentionLimit: taskHistoryLimit)
        }
        if let certExpiry { spec.CAConfig = Docker.CAConfig(NodeCertExpiry: try FlagValue.duration(certExpiry)) }
        if let dispatcherHeartbeat {
            spec.Dispatcher = Docker.DispatcherConfig(HeartbeatPeriod: try FlagValue.duration(dispatcherHeartbeat))
        }
        try await engine.send("POST", ["swarm", "update"], [("version", String(swarm.Version.Index))], spec)
        Console.line("Swarm updated.")
        let wasLocked = swarm.Spec.EncryptionConfig?.AutoLockManagers == true
        if autolock == true, !wasLocked {
            let key = try await engine.get(["swarm", "unlockkey"], as: Docker.UnlockKey.self).UnlockKey
            UnlockKeyCommand.explain(key)
        }
    }
}
