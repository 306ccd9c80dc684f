import ArgumentParser
import DockerSchema
import Foundation

struct ServiceUpdate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change a service, and wait until its tasks are replaced.",
        discussion: """
            EXAMPLES
              swarmctl service update --image web:2 --update-order start-first web
              swarmctl service update --env-add LEVEL=debug --publish-rm 80 web
              swarmctl service update --force web        replace the tasks though nothing changes
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var wait: WaitOptions
    @OptionGroup(title: "Registry") var registry: RegistryAuthOptions
    @OptionGroup(title: "Service") var options: SpecOptions
    @OptionGroup(title: "Lists") var lists: ListChanges
    @Option(help: "The new image.") var image: String?
    @Option(help: "The new command; words at spaces.") var args: String?
    @Flag(help: "Replace the tasks though nothing changes.") var force = false
    @Flag(help: "Return to what the service was before its last update.") var rollback = false
    @Flag(help: "Do not ask a registry for the image's digest.") var noResolveImage = false
    @Argument var service: String

    func run(_ engine: EngineClient) async throws {
        let current = try await engine.get(["services", service], as: Docker.Service.self)
        if rollback {
            try await engine.rollBackService(current)
        } else {
            var networks: [String: String] = [:]
            for name in lists.networkRm {
                networks[name] = try await engine.get(["networks", name], as: Docker.Network.self).Id
            }
            let spec = try changed(
                current.Spec, networks: networks, environment: ProcessInfo.processInfo.environment)
            let headers = try registry.headers(for: spec.TaskTemplate?.ContainerSpec?.Image ?? "")
            try await engine.updateService(
                current, to: spec, resolvesImage: image != nil && !noResolveImage, headers: headers)
        }
        if wait.detach {
            Console.line(service)
        } else {
            try await ServiceWait(engine: engine, options: wait, expectsRollback: rollback).run(current.ID)
        }
    }

    /// - Parameter networks: ids of the networks to leave, by the names given.
    func changed(
        _ spec: Docker.ServiceSpec, networks: [String: String], environment: [String: String]
    ) throws -> Docker.ServiceSpec {
        var spec = spec
        try options.apply(to: &spec)
        try lists.apply(to: &spec, networks: networks, environment: environment)
        if let image { spec.TaskTemplate?.ContainerSpec?.Image = image }
        if let args { spec.TaskTemplate?.ContainerSpec?.Args = args.split(separator: " ").map(String.init) }
        let forced = spec.TaskTemplate?.ForceUpdate ?? 0
        if force { spec.TaskTemplate?.ForceUpdate = forced + 1 }
        return spec
    }
}

/// The options of `update` that add to a list or take from it.
struct ListChanges: ParsableArguments {
    @Option(help: "KEY=VALUE.") var labelAdd: [String] = []
    @Option(help: "KEY.") var labelRm: [String] = []
    @Option(help: "KEY=VALUE.") var containerLabelAdd: [String] = []
    @Option(help: "KEY.") var containerLabelRm: [String] = []
    @Option(help: "KEY=VALUE, or KEY with this shell's value.") var envAdd: [String] = []
    @Option(help: "KEY.") var envRm: [String] = []
    @Option(help: "PUBLISHED:TARGET[/PROTOCOL], or target=,published=,mode=.") var publishAdd: [String] = []
    @Option(help: "TARGET[/PROTOCOL].") var publishRm: [String] = []
    @Option(help: "type=,source=,target=,readonly.") var mountAdd: [String] = []
    @Option(help: "TARGET.") var mountRm: [String] = []
    @Option(help: "NAME, or name=,alias=.") var networkAdd: [String] = []
    @Option(help: "NAME.") var networkRm: [String] = []
    @Option(help: "NAME, or source=,target=,….") var secretAdd: [String] = []
    @Option(help: "NAME.") var secretRm: [String] = []
    @Option(help: "NAME, or source=,target=,….") var configAdd: [String] = []
    @Option(help: "NAME.") var configRm: [String] = []
    @Option(help: "KEY==VALUE or KEY!=VALUE.") var constraintAdd: [String] = []
    @Option(help: "KEY==VALUE or KEY!=VALUE.") var constraintRm: [String] = []
    @Option(help: "spread=LABEL.") var placementPrefAdd: [String] = []
    @Option(help: "spread=LABEL.") var placementPrefRm: [String] = []
    @Option(help: "Group.") var groupAdd: [String] = []
    @Option(help: "Group.") var groupRm: [String] = []
    @Option(help: "Capability.") var capAdd: [String] = []
    @Option(help: "Capability.") var capDrop: [String] = []
    @Option(help: "KEY=VALUE.") var sysctlAdd: [String] = []
    @Option(help: "KEY.") var sysctlRm: [String] = []
    @Option(help: "NAME=SOFT[:HARD].") var ulimitAdd: [String] = []
    @Option(help: "NAME.") var ulimitRm: [String] = []
    @Option(help: "Name server.") var dnsAdd: [String] = []
    @Option(help: "Name server.") var dnsRm: [String] = []
    @Option(help: "Option of the resolver.") var dnsOptionAdd: [String] = []
    @Option(help: "Option of the resolver.") var dnsOptionRm: [String] = []
    @Option(help: "Domain.") var dnsSearchAdd: [String] = []
    @Option(help: "Domain.") var dnsSearchRm: [String] = []
    @Option(help: "NAME:ADDRESS.") var hostAdd: [String] = []
    @Option(help: "NAME:ADDRESS.") var hostRm: [String] = []

    func apply(
        to spec: inout Docker.ServiceSpec, networks: [String: String], environment: [String: String]
    ) throws {
        spec.Labels = ListChange.pairs(spec.Labels, adding: try FlagValue.pairs(labelAdd), removing: labelRm)
        var task = spec.TaskTemplate ?? Docker.TaskSpec()
        var container = task.ContainerSpec ?? Docker.ContainerSpec()
        try applyProcess(to: &container, environment: environment)
        try applyFiles(to: &container)
        try applyNames(to: &container)
        task.ContainerSpec = container
        try applyPlacement(to: &task, networks: networks)
        spec.TaskTemplate = task
        try applyPorts(to: &spec)
    }

    private func applyProcess(to container: inout Docker.ContainerSpec, environment: [String: String]) throws {
        container.Labels = ListChange.pairs(
            container.Labels, adding: try FlagValue.pairs(containerLabelAdd), removing: containerLabelRm)
        let key = { (text: String) in String(text.prefix { $0 != "=" }) }
        let added = FlagValue.environment(envAdd, own: environment)
        container.Env = ListChange.keyed(container.Env, adding: added, removing: envRm, key: key)
        container.Groups = ListChange.keyed(container.Groups, adding: groupAdd, removing: groupRm) { $0 }
        // Adding what was dropped takes it from there, and the other way round.
        container.CapabilityDrop = ListChange.keyed(
            container.CapabilityDrop, adding: capDrop, removing: capAdd
        ) { $0 }
        container.CapabilityAdd = ListChange.keyed(container.CapabilityAdd, adding: capAdd, removing: capDrop) { $0 }
        container.Sysctls = ListChange.pairs(
            container.Sysctls, adding: try FlagValue.pairs(sysctlAdd), removing: sysctlRm)
        container.Ulimits = ListChange.keyed(
            container.Ulimits, adding: try ulimitAdd.map(UlimitFlag.parse), removing: ulimitRm
        ) { $0.Name ?? "" }
    }

    private func applyFiles(to container: inout Docker.ContainerSpec) throws {
        container.Mounts = ListChange.keyed(
            container.Mounts, adding: try mountAdd.map(MountFlag.parse), removing: mountRm
        ) { $0.Target ?? "" }
        container.Secrets = ListChange.keyed(
            container.Secrets?.filter { !secretRm.contains($0.SecretName ?? "") },
            adding: try secretAdd.map(FileFlag.secret), removing: []
        ) { $0.File?.Name ?? "" }
        container.Configs = ListChange.keyed(
            container.Configs?.filter { !configRm.contains($0.ConfigName ?? "") },
            adding: try configAdd.map(FileFlag.config), removing: []
        ) { $0.File?.Name ?? "" }
    }

    private func applyNames(to container: inout Docker.ContainerSpec) throws {
        container.Hosts = ListChange.keyed(
            container.Hosts, adding: try hostAdd.map(HostFlag.parse), removing: try hostRm.map(HostFlag.parse)
        ) { $0 }
        var dns = container.DNSConfig ?? Docker.DNSConfig()
        dns.Nameservers = ListChange.keyed(dns.Nameservers, adding: dnsAdd, removing: dnsRm) { $0 }
        dns.Options = ListChange.keyed(dns.Options, adding: dnsOptionAdd, removing: dnsOptionRm) { $0 }
        dns.Search = ListChange.keyed(dns.Search, adding: dnsSearchAdd, removing: dnsSearchRm) { $0 }
        container.DNSConfig = dns == Docker.DNSConfig() ? nil : dns
    }

    private func applyPlacement(to task: inout Docker.TaskSpec, networks: [String: String]) throws {
        let spaceless = { (text: String) in text.filter { !$0.isWhitespace } }
        var placement = task.Placement ?? Docker.Placement()
        placement.Constraints = ListChange.keyed(
            placement.Constraints, adding: constraintAdd, removing: constraintRm.map(spaceless), key: spaceless)
        let removed = try placementPrefRm.map(PlacementFlag.parse).compactMap { $0.Spread?.SpreadDescriptor }
        placement.Preferences = ListChange.keyed(
            placement.Preferences, adding: try placementPrefAdd.map(PlacementFlag.parse), removing: removed
        ) { $0.Spread?.SpreadDescriptor ?? "" }
        task.Placement = placement == Docker.Placement() ? nil : placement
        task.Networks = ListChange.keyed(
            task.Networks, adding: try networkAdd.map(NetworkFlag.parse),
            removing: networkRm + networkRm.compactMap { networks[$0] }
        ) { $0.Target ?? "" }
    }

    private func applyPorts(to spec: inout Docker.ServiceSpec) throws {
        guard !publishAdd.isEmpty || !publishRm.isEmpty else { return }
        let removed = try publishRm.flatMap(PortFlag.parse)
        var ports = (spec.EndpointSpec?.Ports ?? []).filter { port in
            !removed.contains { $0.TargetPort == port.TargetPort && $0.portProtocol == port.portProtocol }
        }
        for port in try publishAdd.flatMap(PortFlag.parse) {
            let isPublished = port.PublishedPort != nil
            ports.removeAll {
                isPublished && $0.PublishedPort == port.PublishedPort && $0.portProtocol == port.portProtocol
            }
            ports.append(port)
        }
        spec.EndpointSpec = Docker.EndpointSpec(Mode: spec.EndpointSpec?.Mode, Ports: ports.nonEmptyList)
    }
}

enum ListChange {
    static func pairs(
        _ current: [String: String]?, adding added: [String: String], removing removed: [String]
    ) -> [String: String]? {
        guard !added.isEmpty || !removed.isEmpty else { return current }
        let kept = (current ?? [:]).filter { !removed.contains($0.key) }
        return kept.merging(added) { $1 }
    }

    /// An added element replaces the one of its key, in its place.
    static func keyed<Element>(
        _ current: [Element]?, adding added: [Element], removing removed: [String], key: (Element) -> String
    ) -> [Element]? {
        guard !added.isEmpty || !removed.isEmpty else { return current }
        var list = (current ?? []).filter { !removed.contains(key($0)) }
        for element in added {
            if let index = list.firstIndex(where: { key($0) == key(element) }) {
                list[index] = element
            } else {
                list.append(element)
            }
        }
        return list.nonEmptyList
    }
}
