import ArgumentParser
import DockerSchema

struct NetworkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network", abstract: "Manage overlay networks.",
        subcommands: [
            NetworkList.self, NetworkCreate.self, NetworkInspect.self, NetworkRemove.self, NetworkCheck.self,
        ])
}

struct NetworkList: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List networks.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(name: .shortAndLong, help: "id, name, label, driver, scope, dangling: KEY=VALUE.")
    var filter: [String] = []

    func run(_ engine: EngineClient) async throws {
        let networks = try await engine.get(
            ["networks"], try EngineClient.filters(parsing: filter), as: [Docker.Network].self)
        let rows = networks.sorted { $0.Name < $1.Name }.map { network in
            [
                "ID": network.Id.shortID(output.isWhole || output.quiet), "Name": network.Name,
                "Driver": network.Driver, "Scope": network.Scope, "IPv6": String(network.EnableIPv6),
                "Internal": String(network.Internal), "CreatedAt": network.Created,
                "Labels": LabelText.text(network.Labels), "Subnet": network.IPAM.Config?.first?.Subnet ?? "",
            ]
        }
        try Listing(
            columns: [("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SCOPE", "Scope")], rows: rows
        ).print(output)
    }
}

struct NetworkCreate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create an overlay network.",
        discussion: """
            EXAMPLES
              swarmctl network create back
              swarmctl network create --subnet 10.9.0.0/24 --internal back
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument var name: String
    @Option(name: .shortAndLong, help: "overlay.") var driver = "overlay"
    @Option(help: "CIDR; a free part of the cluster's pool by default.") var subnet: String?
    @Option(help: "Address of the gateway.") var gateway: String?
    @Flag(help: "Without a way to the outside.") var `internal` = false
    @Flag(help: "Let containers of no service attach.") var attachable = false
    @Flag(help: "The network that published ports go through.") var ingress = false
    @Option(help: "KEY=VALUE; may be repeated.") var label: [String] = []
    @Option(name: [.customShort("o"), .customLong("opt")], help: "Driver option KEY=VALUE; may be repeated.")
    var options: [String] = []

    func run(_ engine: EngineClient) async throws {
        var request = Docker.NetworkCreate(Name: name)
        request.Driver = driver
        request.Internal = `internal`
        request.Attachable = attachable
        request.Ingress = ingress
        request.Labels = try FlagValue.pairs(label)
        request.Options = try FlagValue.pairs(options)
        if subnet != nil || gateway != nil {
            request.IPAM = Docker.IPAM(
                Driver: "default", Config: [Docker.IPAMConfig(Subnet: subnet, Gateway: gateway)])
        }
        let created = try await engine.post(["networks", "create"], [], request, as: Docker.NetworkCreated.self)
        if !created.Warning.isEmpty { Console.error("WARNING: \(created.Warning)") }
        Console.line(created.Id)
    }
}

struct NetworkInspect: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Show all of a network.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var networks: [String]
    @Option(name: .shortAndLong, help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        var found: [JSONValue] = []
        for network in networks { found.append(try await engine.get(["networks", network])) }
        try Inspection.print(found, format: format)
    }
}

struct NetworkRemove: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove networks that nothing uses.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var networks: [String]

    func run(_ engine: EngineClient) async throws {
        for network in networks {
            try await engine.send("DELETE", ["networks", network])
            Console.line(network)
        }
    }
}

struct NetworkCheck: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Compare this node's kernel with what its networks should be.",
        discussion: """
            Looks at links, addresses, settings, rules, and at other programs' rules that cut containers off. The exit
            code is 1 when something differs.

            EXAMPLE: swarmctl network check
            """)

    @OptionGroup var connection: ConnectionOptions
    @Option(name: .shortAndLong, help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        let answer: JSONValue = try await engine.get(["swarm", "network", "check"])
        let check = try DockerJSON.decode(Docker.NetworkCheck.self, from: DockerJSON.encode(answer))
        if let format {
            Console.line(format == "json" ? try DockerJSON.text(answer) : try Template(format).render(answer))
        } else {
            for difference in check.Differences { Console.line("\(check.Hostname): \(difference)") }
        }
        guard check.Differences.isEmpty else {
            throw CommandFailure(
                "\(check.Hostname): \(check.Differences.count) differences; swarmd repairs what it can within 10 s: check "
                    + "again, and look for who changes what stays")
        }
        if format == nil { Console.line("\(check.Hostname): links, addresses and rules are as they should be") }
    }
}

enum LabelText {
    /// `a=1,b=2`.
    static func text(_ labels: [String: String]?) -> String {
        (labels ?? [:]).map { "\($0.key)=\($0.value)" }.sorted().joined(separator: ",")
    }
}
