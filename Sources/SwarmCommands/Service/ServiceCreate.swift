import ArgumentParser
import DockerSchema
import Foundation

struct ServiceCreate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a service, and wait until it runs.",
        discussion: """
            EXAMPLES
              swarmctl service create --name web --replicas 2 --publish 8080:80 nginx
              swarmctl service create --name db --mount type=volume,src=data,dst=/var/lib/db --secret password db:16
              swarmctl service create --mode global --name agent --limit-memory 64M agent:1 -- --verbose
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var wait: WaitOptions
    @OptionGroup(title: "Registry") var registry: RegistryAuthOptions
    @OptionGroup(title: "Service") var options: SpecOptions
    @OptionGroup(title: "Lists") var lists: ListOptions
    @Option(help: "Name; made from the image by default.") var name: String?
    @Option(help: "replicated or global.") var mode = "replicated"
    @Flag(help: "Do not ask a registry for the image's digest.") var noResolveImage = false
    @Argument(help: "The image.") var image: String
    @Argument(parsing: .captureForPassthrough, help: "The command, in place of the image's.") var command: [String] = []

    func run(_ engine: EngineClient) async throws {
        let query = noResolveImage ? [] : [("resolveImage", "true")]
        let created = try await engine.post(
            ["services", "create"], query, try spec(environment: ProcessInfo.processInfo.environment),
            headers: try registry.headers(for: image), as: Docker.Created.self)
        for warning in created.Warnings ?? [] { Console.error("WARNING: \(warning)") }
        Console.line(created.ID)
        guard !wait.detach else { return }
        try await ServiceWait(engine: engine, options: wait).run(created.ID)
    }

    func spec(environment: [String: String]) throws -> Docker.ServiceSpec {
        var spec = Docker.ServiceSpec(Name: name ?? ServiceCreate.name(from: image))
        switch mode {
        case "replicated":
            spec.Mode = Docker.ServiceMode(Replicated: Docker.ReplicatedService(Replicas: 1))
        case "global": spec.Mode = Docker.ServiceMode(Global: Docker.Empty())
        default: throw CommandFailure("mode \"\(mode)\" is not replicated or global")
        }
        try options.apply(to: &spec)
        try lists.apply(to: &spec, environment: environment)
        spec.TaskTemplate?.ContainerSpec?.Image = image
        let words = command.first == "--" ? Array(command.dropFirst()) : command
        spec.TaskTemplate?.ContainerSpec?.Args = words.isEmpty ? nil : words
        return spec
    }

    /// `registry:5000/team/web:1` is `web`.
    static func name(from image: String) -> String {
        let repository = image.split(separator: "@").first ?? ""
        let last = repository.split(separator: "/").last ?? ""
        return String(last.split(separator: ":").first ?? "")
    }
}

/// The options of `create` that may be repeated.
struct ListOptions: ParsableArguments {
    @Option(name: [.customShort("l"), .customLong("label")], help: "Label of the service, KEY=VALUE.")
    var labels: [String] = []
    @Option(name: .customLong("container-label"), help: "Label of its containers.") var containerLabels: [String] = []
    @Option(name: .shortAndLong, help: "KEY=VALUE, or KEY with this shell's value.") var env: [String] = []
    @Option(help: "File with a KEY=VALUE in each line.") var envFile: [String] = []
    @Option(name: [.customShort("p"), .long], help: "PUBLISHED:TARGET[/PROTOCOL], or target=,published=,mode=.")
    var publish: [String] = []
    @Option(help: "type=volume|bind|tmpfs,source=,target=,readonly.") var mount: [String] = []
    @Option(help: "NAME, or name=,alias=.") var network: [String] = []
    @Option(help: "NAME, or source=,target=,uid=,gid=,mode=.") var secret: [String] = []
    @Option(help: "NAME, or source=,target=,uid=,gid=,mode=.") var config: [String] = []
    @Option(help: "Condition on nodes: node.labels.zone==eu.") var constraint: [String] = []
    @Option(help: "spread=node.labels.zone.") var placementPref: [String] = []
    @Option(help: "Supplementary group.") var group: [String] = []
    @Option(help: "Capability to add.") var capAdd: [String] = []
    @Option(help: "Capability to drop.") var capDrop: [String] = []
    @Option(help: "KEY=VALUE.") var sysctl: [String] = []
    @Option(help: "NAME=SOFT[:HARD].") var ulimit: [String] = []
    @Option(help: "Name server.") var dns: [String] = []
    @Option(help: "Option of the resolver.") var dnsOption: [String] = []
    @Option(help: "Domain to search.") var dnsSearch: [String] = []
    @Option(name: .customLong("add-host"), help: "NAME:ADDRESS for /etc/hosts.") var hosts: [String] = []

    func apply(to spec: inout Docker.ServiceSpec, environment: [String: String]) throws {
        spec.Labels = try FlagValue.pairs(labels)
        var task = spec.TaskTemplate ?? Docker.TaskSpec()
        var container = task.ContainerSpec ?? Docker.ContainerSpec()
        try apply(to: &container, environment: environment)
        task.ContainerSpec = container
        if !constraint.isEmpty || !placementPref.isEmpty {
            var placement = task.Placement ?? Docker.Placement()
            placement.Constraints = constraint.nonEmptyList
            placement.Preferences = try placementPref.map(PlacementFlag.parse).nonEmptyList
            task.Placement = placement
        }
        task.Networks = try network.map(NetworkFlag.parse).nonEmptyList
        spec.TaskTemplate = task
        let ports = try publish.flatMap(PortFlag.parse)
        if !ports.isEmpty { spec.EndpointSpec = Docker.EndpointSpec(Mode: spec.EndpointSpec?.Mode, Ports: ports) }
    }

    private func apply(to container: inout Docker.ContainerSpec, environment: [String: String]) throws {
        let fromFiles = try envFile.flatMap(EnvironmentFile.read)
        container.Env = FlagValue.environment(fromFiles + env, own: environment).nonEmptyList
        container.Labels = containerLabels.isEmpty ? nil : try FlagValue.pairs(containerLabels)
        container.Mounts = try mount.map(MountFlag.parse).nonEmptyList
        container.Secrets = try secret.map(FileFlag.secret).nonEmptyList
        container.Configs = try config.map(FileFlag.config).nonEmptyList
        container.Groups = group.nonEmptyList
        container.CapabilityAdd = capAdd.nonEmptyList
        container.CapabilityDrop = capDrop.nonEmptyList
        container.Sysctls = sysctl.isEmpty ? nil : try FlagValue.pairs(sysctl)
        container.Ulimits = try ulimit.map(UlimitFlag.parse).nonEmptyList
        container.Hosts = try hosts.map(HostFlag.parse).nonEmptyList
        if !dns.isEmpty || !dnsOption.isEmpty || !dnsSearch.isEmpty {
            var config = Docker.DNSConfig()
            config.Nameservers = dns.nonEmptyList
            config.Options = dnsOption.nonEmptyList
            config.Search = dnsSearch.nonEmptyList
            container.DNSConfig = config
        }
    }
}

enum EnvironmentFile {
    /// Lines of `KEY=VALUE` or `KEY`; empty ones and those that begin with `#` are skipped.
    static func read(_ path: String) throws -> [String] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw CommandFailure("cannot read the environment file \(path)")
        }
        return text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
    }
}

extension Array {
    var nonEmptyList: Self? { isEmpty ? nil : self }
}
