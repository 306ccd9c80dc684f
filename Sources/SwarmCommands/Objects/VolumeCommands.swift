import ArgumentParser
import DockerSchema

struct VolumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Manage this node's volumes.",
        subcommands: [VolumeList.self, VolumeCreate.self, VolumeInspect.self, VolumeRemove.self])
}

struct VolumeList: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List volumes.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(name: .shortAndLong, help: "name, label, driver: KEY=VALUE.") var filter: [String] = []

    func run(_ engine: EngineClient) async throws {
        let list = try await engine.get(
            ["volumes"], try EngineClient.filters(parsing: filter), as: Docker.VolumeList.self)
        let rows = list.Volumes.map { volume in
            [
                "Name": volume.Name, "Driver": volume.Driver, "Scope": volume.Scope,
                "Mountpoint": volume.Mountpoint, "Labels": LabelText.text(volume.Labels),
            ]
        }
        try Listing(columns: [("DRIVER", "Driver"), ("VOLUME NAME", "Name")], rows: rows, key: "Name").print(output)
    }
}

struct VolumeCreate: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Create a volume on this node.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var name: String
    @Option(help: "KEY=VALUE; may be repeated.") var label: [String] = []

    func run(_ engine: EngineClient) async throws {
        let request = Docker.VolumeCreate(Name: name, Labels: try FlagValue.pairs(label))
        Console.line(try await engine.post(["volumes", "create"], [], request, as: Docker.Volume.self).Name)
    }
}

struct VolumeInspect: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Show all of a volume.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var volumes: [String]
    @Option(name: .shortAndLong, help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        var found: [JSONValue] = []
        for volume in volumes { found.append(try await engine.get(["volumes", volume])) }
        try Inspection.print(found, format: format)
    }
}

struct VolumeRemove: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove volumes, with their content.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var volumes: [String]
    @Flag(name: .shortAndLong, help: "Do not mind if it is not there.") var force = false

    func run(_ engine: EngineClient) async throws {
        for volume in volumes {
            try await engine.send("DELETE", ["volumes", volume], force ? [("force", "true")] : [])
            Console.line(volume)
        }
    }
}
