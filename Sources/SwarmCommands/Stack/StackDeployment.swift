import ClusterModel
import Compose
import DockerSchema
import Primitives

/// Makes the cluster's objects what a plan asks for: first networks, secrets and configs, then the services that name
/// them.
struct StackDeployment {
    var engine: EngineClient
    var plan: StackPlan
    var resolution: ImageResolution
    var registry: RegistryAuthOptions
    var isQuiet: Bool
    private var objects = StackObjects()

    init(
        engine: EngineClient, plan: StackPlan, resolution: ImageResolution, registry: RegistryAuthOptions, isQuiet: Bool
    ) {
        self.engine = engine
        self.plan = plan
        self.resolution = resolution
        self.registry = registry
        self.isQuiet = isQuiet
    }

    /// - Returns: the ids of the plan's services.
    mutating func run(prunes: Bool) async throws -> [String] {
        try await look()
        // What is missing is found before anything is made.
        try objects.checkExternal(plan)
        if prunes { try await pruneServices() }
        for network in plan.networks { try await deploy(network) }
        for secret in plan.secrets { try await deploy(secret, kind: .secrets) }
        for config in plan.configs { try await deploy(config, kind: .configs) }
        var services: [String] = []
        for service in plan.services { services.append(try await deploy(service)) }
        if prunes { try await pruneObjects() }
        return services
    }

    private mutating func look() async throws {
        objects.networks = try await engine.get(["networks"], as: [Docker.Network].self)
        objects.secrets = try await engine.get(["secrets"], as: [Docker.Payload].self)
        objects.configs = try await engine.get(["configs"], as: [Docker.Payload].self)
        objects.services = try await engine.get(["services"], as: [Docker.Service].self)
    }

    private func say(_ text: String) {
        if !isQuiet { Console.line(text) }
    }

    // MARK: Networks

    private mutating func deploy(_ network: NetworkPlan) async throws {
        guard case .created(let spec) = network else { return }
        if let existing = objects.networks.first(where: { $0.Name == spec.name }) {
            if let difference = StackObjects.difference(existing, spec) {
                Console.error(
                    "WARNING: network \(spec.name) exists with another \(difference) and is kept as it is; remove the "
                        + "stack to make it anew")
            }
            return
        }
        let created = try await engine.post(
            ["networks", "create"], [], Docker.NetworkCreate(stack: spec), as: Docker.NetworkCreated.self)
        if !created.Warning.isEmpty { Console.error("WARNING: \(created.Warning)") }
        say("Creating network \(spec.name)")
        objects.networks.append(try await engine.get(["networks", created.Id]))
    }

    // MARK: Secrets and configs

    private mutating func deploy(_ payload: PayloadPlan, kind: StackObjects.PayloadKind) async throws {
        guard case .created(let labels, let data, let isVersioned) = payload.source else { return }
        let spec = Docker.PayloadSpec(Name: payload.name, Labels: labels, Data: DockerJSON.base64(data))
        guard let existing = objects[kind].first(where: { $0.Spec.Name == payload.name }) else {
            let created = try await engine.post([kind.rawValue, "create"], [], spec, as: Docker.Created.self)
            say("Creating \(kind.singular) \(payload.name)")
            objects[kind].append(try await engine.get([kind.rawValue, created.ID]))
            return
        }
        guard (existing.Spec.Labels ?? [:]) != labels else { return }
        do {
            try await engine.send(
                "POST", [kind.rawValue, existing.ID, "update"], [("version", String(existing.Version.Index))], spec)
        } catch let failure as CommandFailure where failure.status == .refused && !isVersioned {
            throw CommandFailure(
                "\(payload.place): \(kind.singular) \(payload.name): \(failure.message); without name: every content "
                    + "gets a name of its own")
        }
        say("Updating \(kind.singular) \(payload.name)")
    }

    // MARK: Services

    private mutating func deploy(_ service: ServicePlan) async throws -> String {
        let existing = objects.services.first { $0.Spec.Name == service.spec.name }
        let desired = try objects.spec(of: service, existing: existing, resolution: resolution)
        let asksRegistry = resolution == .never ? [] : [("resolveImage", "true")]
        let headers = try registry.headers(for: service.spec.task.container.image)
        guard let existing else {
            let created = try await engine.post(
                ["services", "create"], asksRegistry, Docker.ServiceSpec(desired), headers: headers,
                as: Docker.Created.self)
            for warning in created.Warnings ?? [] { Console.error("WARNING: \(warning)") }
            say("Creating service \(service.spec.name)")
            return created.ID
        }
        // What is known of the account stays on the managers: whether it is another one is for them to say.
        guard !headers.isEmpty || !objects.holds(existing, desired) else {
            say("Unchanged service \(service.spec.name)")
            return existing.ID
        }
        try await engine.updateService(
            existing, to: Docker.ServiceSpec(desired), resolvesImage: !asksRegistry.isEmpty, headers: headers)
        say("Updating service \(service.spec.name)")
        return existing.ID
    }

    // MARK: Pruning

    private mutating func pruneServices() async throws {
        let wanted = Set(plan.services.map(\.spec.name))
        for service in objects.services(of: plan.name) where !wanted.contains(service.Spec.Name ?? "") {
            try await engine.send("DELETE", ["services", service.ID])
            say("Removing service \(service.Spec.Name ?? service.ID)")
            objects.services.removeAll { $0.ID == service.ID }
        }
    }

    /// Removes what nothing uses: not a service, and not the spec that one would be rolled back to.
    private mutating func pruneObjects() async throws {
        objects.services = try await engine.get(["services"], as: [Docker.Service].self)
        for object in objects.unused(plan) {
            do {
                try await engine.send("DELETE", [object.kind, object.id])
                say("Removing \(object.kind.dropLast()) \(object.name)")
            } catch let failure as CommandFailure where failure.status == .refused {
                Console.error("WARNING: \(object.name) is kept: \(failure.message)")
            }
        }
    }
}

extension Docker.NetworkCreate {
    fileprivate init(stack spec: NetworkSpec) {
        self.init(Name: spec.name)
        Driver = "overlay"
        Labels = spec.labels
        Internal = spec.isInternal
        Attachable = spec.isAttachable
        Options = spec.driverOptions
        if let subnet = spec.subnet {
            let config = Docker.IPAMConfig(Subnet: subnet.description, Gateway: spec.gateway?.description)
            IPAM = Docker.IPAM(Driver: "default", Config: [config])
        }
    }
}
