import ArgumentParser
import Compose
import DockerSchema

struct StackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stack", abstract: "Deploy compose files, and manage what they made.",
        subcommands: [
            StackDeploy.self, StackList.self, StackServices.self, StackTasks.self, StackRemove.self, StackConfig.self,
        ])
}

struct StackDeploy: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy", abstract: "Make the cluster run what compose files ask for.",
        discussion: """
            A later file is laid over an earlier one. What a file asks for and is not supported is named in a warning.
            Deploying the same files again changes nothing.

            EXAMPLES
              swarmctl stack deploy -c compose.yml web
              swarmctl stack deploy -c compose.yml -c production.yml --prune --timeout 2m web
              swarmctl stack deploy -c compose.yml --env-file production.env --strict web
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var wait: WaitOptions
    @OptionGroup var files: ComposeOptions
    @OptionGroup(title: "Registry") var registry: RegistryAuthOptions
    @Flag(help: "Remove services, networks, secrets and configs of the stack that the files do not ask for.")
    var prune = false
    @Flag(help: "Deploy nothing when there is a warning about a file.") var strict = false
    @Option(
        help: ArgumentHelp(
            "When to ask the registry what an image's tag means: always, changed, never.", valueName: "when"))
    var resolveImage = ImageResolution.changed
    @Argument(help: "The stack's name; the file's name: by default.") var name: String?

    func run(_ engine: EngineClient) async throws {
        let plan = try files.plan(stack: name)
        for warning in plan.warnings { Console.error("WARNING: \(warning)") }
        guard !strict || plan.warnings.isEmpty else {
            throw CommandFailure("nothing is deployed: --strict, and \(plan.warnings.count) warnings about the files")
        }
        var deployment = StackDeployment(
            engine: engine, plan: plan, resolution: resolveImage, registry: registry, isQuiet: wait.quiet)
        let services = try await deployment.run(prunes: prune)
        guard !wait.detach else { return }
        try await StackWait(engine: engine, stack: plan.name, options: wait).run(services)
    }
}

enum ImageResolution: String, ExpressibleByArgument {
    case always
    case changed
    case never
}

struct StackConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Print compose files as one, with variables replaced.",
        discussion: """
            EXAMPLES
              swarmctl stack config -c compose.yml -c production.yml
            """)

    @OptionGroup var files: ComposeOptions

    func run() throws {
        Console.write(bytes: try files.mergedText().utf8)
    }
}

struct StackList: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List stacks.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run(_ engine: EngineClient) async throws {
        let services = try await engine.get(
            ["services"], try EngineClient.filters([("label", StackLabels.namespace)]), as: [Docker.Service].self)
        let names = services.compactMap { $0.Spec.Labels?[StackLabels.namespace] }
        let rows = Dictionary(grouping: names) { $0 }.sorted { $0.key < $1.key }.map { name, services in
            ["Name": name, "Services": String(services.count)]
        }
        try Listing(columns: [("NAME", "Name"), ("SERVICES", "Services")], rows: rows, key: "Name").print(output)
    }
}

struct StackServices: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "services", abstract: "List the services of a stack.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The stack's name.") var name: String
    @Option(name: .shortAndLong, help: "id, name, label, mode: KEY=VALUE.") var filter: [String] = []

    func run(_ engine: EngineClient) async throws {
        let filters = try EngineClient.filters(parsing: filter, adding: [EngineClient.stackFilter(name)])
        let services = try await engine.get(["services"], filters + [("status", "true")], as: [Docker.Service].self)
        if services.isEmpty, filter.isEmpty { throw CommandFailure("stack \(name) has no services") }
        try ServiceListing.print(services, output)
    }
}

struct StackTasks: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ps", abstract: "List the tasks of a stack.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The stack's name.") var name: String
    @Option(name: .shortAndLong, help: "id, name, node, desired-state: KEY=VALUE.") var filter: [String] = []
    @Flag(help: "Print ids of nodes instead of names.") var noResolve = false

    func run(_ engine: EngineClient) async throws {
        let filters = try EngineClient.filters(parsing: filter, adding: [EngineClient.stackFilter(name)])
        let tasks = try await engine.get(["tasks"], filters, as: [Docker.Task].self)
        if tasks.isEmpty, filter.isEmpty { throw CommandFailure("stack \(name) has no tasks") }
        try await TaskListing.print(tasks, engine, output, resolves: !noResolve)
    }
}

extension EngineClient {
    static func stackFilter(_ name: String) -> (String, String) { ("label", "\(StackLabels.namespace)=\(name)") }
}
