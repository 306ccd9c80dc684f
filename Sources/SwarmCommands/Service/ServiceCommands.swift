import ArgumentParser
import DockerSchema

struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service", abstract: "Manage services.",
        subcommands: [
            ServiceCreate.self, ServiceList.self, ServiceTasks.self, ServiceInspect.self, ServiceScale.self,
            ServiceUpdate.self, ServiceRollback.self, ServiceRemove.self, ServiceLogs.self,
        ])
}

struct ServiceList: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List services.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(name: .shortAndLong, help: "id, name, label, mode: KEY=VALUE.") var filter: [String] = []

    func run(_ engine: EngineClient) async throws {
        let services = try await engine.get(
            ["services"], try EngineClient.filters(parsing: filter) + [("status", "true")], as: [Docker.Service].self)
        try ServiceListing.print(services, output)
    }
}

/// The table of `service ls` and `stack services`.
enum ServiceListing {
    static func print(_ services: [Docker.Service], _ output: OutputOptions) throws {
        let rows = services.sorted { ($0.Spec.Name ?? "", $0.ID) < ($1.Spec.Name ?? "", $1.ID) }
            .map { row($0, output) }
        try Listing(
            columns: [
                ("ID", "ID"), ("NAME", "Name"), ("MODE", "Mode"), ("REPLICAS", "Replicas"), ("IMAGE", "Image"),
                ("PORTS", "Ports"),
            ], rows: rows
        ).print(output)
    }

    private static func row(_ service: Docker.Service, _ output: OutputOptions) -> [String: String] {
        let status = service.ServiceStatus
        var replicas = "\(status?.RunningTasks ?? 0)/\(status?.DesiredTasks ?? 0)"
        if let limit = service.Spec.TaskTemplate?.Placement?.MaxReplicas, limit > 0 {
            replicas += " (max \(limit) per node)"
        }
        let image = service.Spec.TaskTemplate?.ContainerSpec?.Image ?? ""
        let ports = service.Endpoint.Ports ?? []
        return [
            "ID": service.ID.shortID(output.isWhole || output.quiet), "Name": service.Spec.Name ?? "",
            "Mode": service.Spec.Mode?.Global == nil ? "replicated" : "global", "Replicas": replicas,
            "Image": output.isWhole ? image : TaskListing.withoutDigest(image),
            "Ports": ports.filter { $0.PublishMode != "host" }.map(PortText.text).joined(separator: ","),
        ]
    }
}

struct ServiceTasks: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ps", abstract: "List the tasks of services.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument var services: [String]
    @Option(name: .shortAndLong, help: "id, name, node, desired-state: KEY=VALUE.") var filter: [String] = []
    @Flag(help: "Print ids of nodes instead of names.") var noResolve = false

    func run(_ engine: EngineClient) async throws {
        let names = services.map { ("service", $0) }
        let tasks = try await engine.get(
            ["tasks"], try EngineClient.filters(parsing: filter, adding: names), as: [Docker.Task].self)
        try await TaskListing.print(tasks, engine, output, resolves: !noResolve)
    }
}

struct ServiceInspect: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show all of a service.",
        discussion: """
            EXAMPLES
              swarmctl service inspect web
              swarmctl service inspect --format '{{.Spec.Mode.Replicated.Replicas}}' web
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument var services: [String]
    @Option(name: .shortAndLong, help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        var found: [JSONValue] = []
        for service in services { found.append(try await engine.get(["services", service])) }
        try Inspection.print(found, format: format)
    }
}

struct ServiceRemove: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove services and their tasks.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var services: [String]

    func run(_ engine: EngineClient) async throws {
        for service in services {
            try await engine.send("DELETE", ["services", service])
            Console.line(service)
        }
    }
}

struct ServiceScale: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale", abstract: "Set the number of tasks, and wait until they run.",
        discussion: """
            EXAMPLES
              swarmctl service scale web=5
              swarmctl service scale web=5 worker=2 --timeout 30s
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var wait: WaitOptions
    @Argument(help: ArgumentHelp("SERVICE=NUMBER", valueName: "service=number")) var targets: [String]

    func run(_ engine: EngineClient) async throws {
        let wanted = try targets.map { text in
            let (name, number) = try FlagValue.pair(text)
            guard let count = UInt64(number) else { throw CommandFailure("\"\(text)\" is not SERVICE=NUMBER") }
            return (name, count)
        }
        for (name, count) in wanted {
            let service = try await engine.get(["services", name], as: Docker.Service.self)
            var spec = service.Spec
            guard spec.Mode?.Replicated != nil else {
                throw CommandFailure("\(name): scale can only be used with replicated mode")
            }
            spec.Mode = Docker.ServiceMode(Replicated: Docker.ReplicatedService(Replicas: count))
            try await engine.updateService(service, to: spec)
            if wait.detach, !wait.quiet { Console.line("\(name) scaled to \(count)") }
        }
        guard !wait.detach else { return }
        for (name, _) in wanted { try await ServiceWait(engine: engine, options: wait, settle: .zero).run(name) }
    }
}

struct ServiceRollback: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Return a service to what it was before its last update.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var wait: WaitOptions
    @Argument var service: String

    func run(_ engine: EngineClient) async throws {
        let current = try await engine.get(["services", service], as: Docker.Service.self)
        try await engine.rollBackService(current)
        if wait.detach {
            Console.line(service)
        } else {
            try await ServiceWait(engine: engine, options: wait, expectsRollback: true).run(current.ID)
        }
    }
}

extension EngineClient {
    /// Prints the daemon's warnings.
    func updateService(
        _ service: Docker.Service, to spec: Docker.ServiceSpec, resolvesImage: Bool = false,
        headers: [(String, String)] = []
    ) async throws {
        let query = [("version", String(service.Version.Index))] + (resolvesImage ? [("resolveImage", "true")] : [])
        let answer = try await post(
            ["services", service.ID, "update"], query, spec, headers: headers, as: Docker.Updated.self)
        for warning in answer.Warnings ?? [] { Console.error("WARNING: \(warning)") }
    }

    func rollBackService(_ service: Docker.Service) async throws {
        try await post(
            ["services", service.ID, "update"],
            [("version", String(service.Version.Index)), ("rollback", "previous")], service.Spec,
            as: Docker.Updated.self)
    }
}
