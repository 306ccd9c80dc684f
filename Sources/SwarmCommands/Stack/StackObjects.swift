import ClusterModel
import Compose
import DockerSchema
import Primitives

/// The cluster's objects at one look, and what a plan makes of them: pure.
struct StackObjects {
    enum PayloadKind: String {
        case secrets
        case configs

        var singular: String { self == .secrets ? "secret" : "config" }
    }

    struct Unused: Hashable {
        /// The API's path: `networks`.
        var kind: String
        var id: String
        var name: String
    }

    var networks: [Docker.Network] = []
    var secrets: [Docker.Payload] = []
    var configs: [Docker.Payload] = []
    var services: [Docker.Service] = []

    subscript(kind: PayloadKind) -> [Docker.Payload] {
        get { kind == .secrets ? secrets : configs }
        set { if kind == .secrets { secrets = newValue } else { configs = newValue } }
    }

    func services(of stack: String) -> [Docker.Service] {
        services.filter { $0.Spec.Labels?[StackLabels.namespace] == stack }
            .sorted { ($0.Spec.Name ?? "") < ($1.Spec.Name ?? "") }
    }

    /// - Throws: ``CommandFailure`` for a network, secret or config that is external and does not exist.
    func checkExternal(_ plan: StackPlan) throws {
        for case .external(let name, let place) in plan.networks where !networks.contains(where: { $0.Name == name }) {
            throw CommandFailure(
                "\(place): network \"\(name)\" is declared as external, but could not be found. You need to create a "
                    + "swarm-scoped network before the stack is deployed")
        }
        for (kind, plans) in [(PayloadKind.secrets, plan.secrets), (.configs, plan.configs)] {
            for payload in plans where payload.source == .external {
                guard !self[kind].contains(where: { $0.Spec.Name == payload.name }) else { continue }
                throw CommandFailure(
                    "\(payload.place): \(kind.singular) \"\(payload.name)\" is declared as external, but could not be "
                        + "found. Create it before the stack is deployed")
            }
        }
    }

    /// The first setting in which an existing network is not what is asked for.
    static func difference(_ network: Docker.Network, _ spec: NetworkSpec) -> String? {
        if network.Labels != spec.labels { return "set of labels" }
        if network.Internal != spec.isInternal { return "value of internal" }
        if network.Attachable != spec.isAttachable { return "value of attachable" }
        let subnet = network.IPAM.Config?.first?.Subnet
        if let wanted = spec.subnet, subnet != wanted.description { return "subnet" }
        // The engine adds options of its own.
        for (name, value) in spec.driverOptions where network.Options[name] != value { return "driver option" }
        return nil
    }

    // MARK: Services

    /// A service's spec with the ids of what it names.
    ///
    /// - Parameter existing: gives the digest of an image that did not change, and the count of forced updates.
    func spec(
        of service: ServicePlan, existing: Docker.Service?, resolution: ImageResolution
    ) throws -> ServiceSpec {
        var spec = service.spec
        spec.task.networks = try service.networks.map { use in
            NetworkAttachmentSpec(network: try networkID(named: use.network), aliases: use.aliases)
        }
        spec.task.container.secrets = try service.secrets.map { use in
            try FileReference(use, id: try id(of: use.name, .secrets))
        }
        spec.task.container.configs = try service.configs.map { use in
            try FileReference(use, id: try id(of: use.name, .configs))
        }
        if let existing {
            spec.task.forceUpdate = existing.Spec.TaskTemplate?.ForceUpdate ?? 0
            let written = existing.Spec.Labels?[StackLabels.image]
            let pinned = existing.Spec.TaskTemplate?.ContainerSpec?.Image
            if resolution != .always, written == spec.task.container.image, let pinned {
                spec.task.container.image = pinned
            }
        }
        return spec
    }

    /// Whether a service is already what is asked for.
    func holds(_ service: Docker.Service, _ desired: ServiceSpec) -> Bool {
        // Both are read from Docker's shapes, so that they hold the same defaults.
        func read(_ spec: Docker.ServiceSpec) -> ServiceSpec? {
            var warnings: [String] = []
            return try? ServiceSpec(spec, resolving: references, warnings: &warnings)
        }
        guard let current = read(service.Spec), let wanted = read(Docker.ServiceSpec(desired)) else { return false }
        return current == wanted
    }

    private var references: References {
        let (secrets, configs) = (secrets, configs)
        return References(
            network: { text throws(Failure) in try Self.identifier(text) },
            secret: { text throws(Failure) in
                let name = secrets.first { $0.ID == text }?.Spec.Name ?? ""
                return Secret(id: try Self.identifier(text), name: name, data: [])
            },
            config: { text throws(Failure) in
                let name = configs.first { $0.ID == text }?.Spec.Name ?? ""
                return Config(id: try Self.identifier(text), name: name, data: [])
            })
    }

    private static func identifier<Tag>(_ text: String) throws(Failure) -> Identifier<Tag> {
        guard let id = Identifier<Tag>(text) else {
            throw Failure(.invalidArgument, "the daemon answered \"\(text)\", which is not an id")
        }
        return id
    }

    private func networkID(named name: String) throws -> NetworkID {
        guard let network = networks.first(where: { $0.Name == name }) else {
            throw CommandFailure("network \(name) is gone; deploy again")
        }
        return try Self.identifier(network.Id)
    }

    private func id(of name: String, _ kind: PayloadKind) throws -> String {
        guard let payload = self[kind].first(where: { $0.Spec.Name == name }) else {
            throw CommandFailure("\(kind.singular) \(name) is gone; deploy again")
        }
        return payload.ID
    }

    // MARK: Pruning

    /// The stack's objects that neither the plan nor a service names, the spec before a service's last update included.
    func unused(_ plan: StackPlan) -> [Unused] {
        var used: Set<String> = []
        for spec in services.flatMap({ [$0.Spec, $0.PreviousSpec] }) {
            let task = spec?.TaskTemplate
            used.formUnion((task?.Networks ?? []).compactMap(\.Target))
            used.formUnion((task?.ContainerSpec?.Secrets ?? []).compactMap(\.SecretID))
            used.formUnion((task?.ContainerSpec?.Configs ?? []).compactMap(\.ConfigID))
        }
        var planned = Set(plan.networks.map { "networks/" + $0.name })
        planned.formUnion(plan.secrets.map { "secrets/" + $0.name })
        planned.formUnion(plan.configs.map { "configs/" + $0.name })
        return all(of: plan.name).filter { !used.contains($0.id) && !planned.contains("\($0.kind)/\($0.name)") }
    }

    /// The networks, secrets and configs that bear the stack's label.
    func all(of stack: String) -> [Unused] {
        let found =
            networks.filter { $0.Labels[StackLabels.namespace] == stack }
            .map { Unused(kind: "networks", id: $0.Id, name: $0.Name) }
        return [PayloadKind.secrets, .configs].reduce(into: found) { found, kind in
            found += self[kind].filter { $0.Spec.Labels?[StackLabels.namespace] == stack }
                .map { Unused(kind: kind.rawValue, id: $0.ID, name: $0.Spec.Name ?? $0.ID) }
        }
    }
}

extension FileReference {
    fileprivate init<Tag>(_ use: FileUse, id text: String) throws where ID == Identifier<Tag> {
        guard let id = Identifier<Tag>(text) else {
            throw CommandFailure("the daemon answered \"\(text)\", which is not an id")
        }
        self.init(id: id, name: use.name, target: use.target, uid: use.uid, gid: use.gid, mode: use.mode)
    }
}
