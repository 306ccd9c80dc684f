import ArgumentParser
import DockerSchema
import Foundation
import Primitives

struct SecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret", abstract: "Manage secrets.",
        subcommands: [SecretCreate.self, SecretList.self, SecretInspect.self, SecretRemove.self])
}

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Manage configs.",
        subcommands: [ConfigCreate.self, ConfigList.self, ConfigInspect.self, ConfigRemove.self])
}

/// What secrets and configs have in common.
enum Payloads {
    static func create(_ kind: String, _ name: String, file: String, labels: [String], _ engine: EngineClient)
        async throws
    {
        let bytes: Data
        do {
            bytes =
                try file == "-"
                ? FileHandle.standardInput.readToEnd() ?? Data() : Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            throw CommandFailure("cannot read \(file): \(error.localizedDescription)")
        }
        let spec = Docker.PayloadSpec(
            Name: name, Labels: try FlagValue.pairs(labels), Data: DockerJSON.base64([UInt8](bytes)))
        Console.line(try await engine.post([kind, "create"], [], spec, as: Docker.Created.self).ID)
    }

    static func list(_ kind: String, filter: [String], _ output: OutputOptions, _ engine: EngineClient) async throws {
        let payloads = try await engine.get(
            [kind], try EngineClient.filters(parsing: filter), as: [Docker.Payload].self)
        let now = Timestamp(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9))
        let rows = payloads.sorted { ($0.Spec.Name ?? "") < ($1.Spec.Name ?? "") }.map { payload in
            [
                "ID": payload.ID, "Name": payload.Spec.Name ?? "",
                "CreatedAt": Humanize.ago(payload.CreatedAt, now: now),
                "UpdatedAt": Humanize.ago(payload.UpdatedAt, now: now), "Labels": LabelText.text(payload.Spec.Labels),
            ]
        }
        try Listing(
            columns: [("ID", "ID"), ("NAME", "Name"), ("CREATED", "CreatedAt"), ("UPDATED", "UpdatedAt")], rows: rows
        ).print(output)
    }

    static func inspect(_ kind: String, _ names: [String], format: String?, _ engine: EngineClient) async throws {
        var found: [JSONValue] = []
        for name in names { found.append(try await engine.get([kind, name])) }
        try Inspection.print(found, format: format)
    }

    static func remove(_ kind: String, _ names: [String], _ engine: EngineClient) async throws {
        for name in names {
            try await engine.send("DELETE", [kind, name])
            Console.line(name)
        }
    }
}

struct SecretCreate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a secret of at most 500 KiB.",
        discussion: """
            EXAMPLES
              printf %s "$PASSWORD" | swarmctl secret create db-password -
              swarmctl secret create tls-key server.key
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument var name: String
    @Argument(help: "File, or - for standard input.") var file = "-"
    @Option(name: .shortAndLong, help: "KEY=VALUE; may be repeated.") var label: [String] = []

    func run(_ engine: EngineClient) async throws {
        try await Payloads.create("secrets", name, file: file, labels: label, engine)
    }
}

struct SecretList: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List secrets.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(name: .shortAndLong, help: "id, name, names, label: KEY=VALUE.") var filter: [String] = []

    func run(_ engine: EngineClient) async throws {
        try await Payloads.list("secrets", filter: filter, output, engine)
    }
}

struct SecretInspect: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show a secret, without its content.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var secrets: [String]
    @Option(name: .shortAndLong, help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        try await Payloads.inspect("secrets", secrets, format: format, engine)
    }
}

struct SecretRemove: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove secrets that nothing uses.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var secrets: [String]

    func run(_ engine: EngineClient) async throws { try await Payloads.remove("secrets", secrets, engine) }
}

struct ConfigCreate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a config of at most 1000 KiB.",
        discussion: """
            EXAMPLES
              swarmctl config create web-conf nginx.conf
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument var name: String
    @Argument(help: "File, or - for standard input.") var file: String
    @Option(name: .shortAndLong, help: "KEY=VALUE; may be repeated.") var label: [String] = []

    func run(_ engine: EngineClient) async throws {
        try await Payloads.create("configs", name, file: file, labels: label, engine)
    }
}

struct ConfigList: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List configs.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(name: .shortAndLong, help: "id, name, names, label: KEY=VALUE.") var filter: [String] = []

    func run(_ engine: EngineClient) async throws {
        try await Payloads.list("configs", filter: filter, output, engine)
    }
}

struct ConfigInspect: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Show all of a config.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var configs: [String]
    @Option(name: .shortAndLong, help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        try await Payloads.inspect("configs", configs, format: format, engine)
    }
}

struct ConfigRemove: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove configs that nothing uses.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var configs: [String]

    func run(_ engine: EngineClient) async throws { try await Payloads.remove("configs", configs, engine) }
}
