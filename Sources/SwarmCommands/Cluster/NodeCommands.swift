import ArgumentParser
import DockerSchema

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Manage the cluster's nodes.",
        subcommands: [
            NodeList.self, NodeInspect.self, NodeUpdate.self, NodePromote.self, NodeDemote.self, NodeRemove.self,
            NodeTasks.self,
        ])
}

struct NodeList: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List nodes.",
        discussion: """
            EXAMPLES
              swarmctl node ls
              swarmctl node ls --filter role=manager --format '{{.Hostname}} {{.Status}}'
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(name: .shortAndLong, help: "id, name, role, label, node.label, membership: KEY=VALUE.")
    var filter: [String] = []

    func run(_ engine: EngineClient) async throws {
        let nodes = try await engine.get(
            ["nodes"], try EngineClient.filters(parsing: filter), as: [Docker.Node].self)
        let swarm = try await engine.get(["info"], as: Docker.Info.self).Swarm
        let isPlain = output.quiet || output.format != nil
        let rows = nodes.map { NodeList.row($0, own: swarm.NodeID, tls: swarm.Cluster?.TLSInfo, forQuiet: isPlain) }
            .sorted { ($0["Hostname"] ?? "", $0["ID"] ?? "") < ($1["Hostname"] ?? "", $1["ID"] ?? "") }
        try Listing(
            columns: [
                ("ID", "ID"), ("HOSTNAME", "Hostname"), ("STATUS", "StatusText"), ("AVAILABILITY", "Availability"),
                ("MANAGER STATUS", "ManagerStatus"), ("ENGINE VERSION", "EngineVersion"),
            ], rows: rows
        ).print(output)
    }

    /// - Parameter tls: the issuer of the certificates that nodes get now.
    static func row(
        _ node: Docker.Node, own: String, tls: Docker.TLSInfo?, forQuiet: Bool
    ) -> [String: String] {
        let manager = node.ManagerStatus.map { $0.Leader == true ? "Leader" : $0.Reachability.capitalizedFirst } ?? ""
        return [
            "ID": node.ID + (node.ID == own && !forQuiet ? " *" : ""), "Self": String(node.ID == own),
            "Hostname": node.Description?.Hostname ?? "", "Status": node.Status.State.capitalizedFirst,
            "Availability": (node.Spec.Availability ?? "").capitalizedFirst, "ManagerStatus": manager,
            "EngineVersion": node.Description?.Engine.EngineVersion ?? "", "TLSStatus": tlsStatus(node, tls),
            "StatusText": statusText(node, tls),
            "Address": node.Status.Addr ?? "", "Role": node.Spec.Role ?? "",
        ]
    }
}

extension NodeList {
    /// As Docker's client words it.
    private static func tlsStatus(_ node: Docker.Node, _ desired: Docker.TLSInfo?) -> String {
        guard let desired, node.Description?.TLSInfo?.CertIssuerPublicKey != nil else { return "Unknown" }
        return RotationProgress.isCurrent(node, desired) ? "Ready" : "Needs Rotation"
    }

    private static func statusText(_ node: Docker.Node, _ desired: Docker.TLSInfo?) -> String {
        let state = node.Status.State.capitalizedFirst
        if node.Status.Message?.contains("certificate expired") == true { return "\(state) (certificate expired)" }
        if node.Status.Message?.contains("this node's identity") == true { return "\(state) (a copy was refused)" }
        return tlsStatus(node, desired) == "Needs Rotation" ? "\(state) (old certificate)" : state
    }
}

struct NodeInspect: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Show all of a node.")

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Id, name, beginning of an id, or self.") var nodes: [String]
    @Option(name: .shortAndLong, help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        var found: [JSONValue] = []
        for node in nodes { found.append(try await engine.get(["nodes", try await engine.nodeName(node)])) }
        try Inspection.print(found, format: format)
    }
}

struct NodeUpdate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change a node.",
        discussion: """
            EXAMPLES
              swarmctl node update --availability drain n2
              swarmctl node update --label-add zone=eu n2
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument var node: String
    @Option(help: "active, pause or drain.") var availability: String?
    @Option(help: "worker or manager.") var role: String?
    @Option(name: .customLong("label-add"), help: "KEY=VALUE; may be repeated.") var added: [String] = []
    @Option(name: .customLong("label-rm"), help: "KEY; may be repeated.") var removed: [String] = []

    func run(_ engine: EngineClient) async throws {
        try await NodeUpdate.change(node, engine) { spec in
            spec.Availability = availability ?? spec.Availability
            spec.Role = role ?? spec.Role
            var labels = spec.Labels ?? [:]
            for label in removed where labels.removeValue(forKey: label) == nil {
                throw CommandFailure("node \(node) has no label \"\(label)\"")
            }
            spec.Labels = labels.merging(try FlagValue.pairs(added)) { $1 }
        }
        Console.line(node)
    }

    static func change(
        _ name: String, _ engine: EngineClient, _ change: (inout Docker.NodeSpec) throws -> Void
    ) async throws {
        let node = try await engine.get(["nodes", try await engine.nodeName(name)], as: Docker.Node.self)
        var spec = node.Spec
        try change(&spec)
        try await engine.send(
            "POST", ["nodes", node.ID, "update"], [("version", String(node.Version.Index))], spec)
    }
}

struct NodePromote: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "promote", abstract: "Make nodes managers.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var nodes: [String]

    func run(_ engine: EngineClient) async throws {
        for node in nodes {
            try await NodeUpdate.change(node, engine) { $0.Role = "manager" }
            Console.line("Node \(node) promoted to a manager in the swarm.")
        }
    }
}

struct NodeDemote: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "demote", abstract: "Make managers workers.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var nodes: [String]

    func run(_ engine: EngineClient) async throws {
        for node in nodes {
            try await NodeUpdate.change(node, engine) { $0.Role = "worker" }
            Console.line("Manager \(node) demoted in the swarm.")
        }
    }
}

struct NodeRemove: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove nodes that are down.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var nodes: [String]
    @Flag(name: .shortAndLong, help: "Remove although the node is up.") var force = false

    func run(_ engine: EngineClient) async throws {
        for node in nodes {
            try await engine.send("DELETE", ["nodes", node], force ? [("force", "true")] : [])
            Console.line(node)
        }
    }
}

struct NodeTasks: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "List the tasks of nodes (self by default).")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument var nodes: [String] = []
    @Option(name: .shortAndLong, help: "id, name, label, desired-state: KEY=VALUE.") var filter: [String] = []
    @Flag(help: "Print ids of nodes instead of names.") var noResolve = false

    func run(_ engine: EngineClient) async throws {
        var names: [(String, String)] = []
        for node in nodes.isEmpty ? ["self"] : nodes { names.append(("node", try await engine.nodeName(node))) }
        let tasks = try await engine.get(
            ["tasks"], try EngineClient.filters(parsing: filter, adding: names), as: [Docker.Task].self)
        try await TaskListing.print(tasks, engine, output, resolves: !noResolve)
    }
}

extension String {
    var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
