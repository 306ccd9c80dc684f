import ClusterModel
import ClusterState
import DockerSchema
import Hummingbird
import Primitives

extension EngineAPI {
    func serviceList(_ exchange: Exchange) async throws -> Response {
        let tables = try await managerTables()
        let filters = try Filters(exchange.query, allowed: ["id", "label", "mode", "name", "runtime"])
        let services = tables.services.sorted.filter { service in
            let mode = service.spec.mode == .global ? "global" : "replicated"
            return filters.allowsPrefix("id", of: service.id.description)
                && filters.allowsPrefix("name", of: service.spec.name)
                && filters.allowsLabels("label", service.spec.labels) && filters.allowsExact("mode", mode)
                && filters.allowsExact("runtime", "container")
        }
        let withStatus = exchange.query.flag("status")
        return try Reply.json(
            services.map { Docker.Service($0, status: withStatus ? Self.status(of: $0, tables) : nil) })
    }

    func serviceInspect(_ name: String) async throws -> Response {
        try Reply.json(Docker.Service(try Lookup.service(name, in: try await managerTables())))
    }

    func serviceCreate(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(Docker.ServiceSpec.self)
        let tables = try await managerTables()
        var warnings = try body.warnings()
        var spec = try ServiceSpec(
            body.value, resolving: ServiceChanges.references(in: tables), warnings: &warnings)
        try ServiceChanges.check(spec)
        spec.task.container.registryAuth = try exchange.credentials()?.stored
        try await pinImage(of: &spec, exchange, warnings: &warnings)
        warnings += try check(spec, tables)
        let service = Service(id: ServiceID(value: cluster.freshID()), spec: spec, taskVersion: 1)
        try await write { tables in
            guard tables.service(named: spec.name) == nil else {
                throw Failure(TransactionRefusal.nameTaken(kind: "service", name: spec.name))
            }
            return [.create(.service(service))]
        }
        return try Reply.json(
            Docker.Created(ID: service.id.description, Warnings: warnings.isEmpty ? nil : warnings), status: .created)
    }

    func serviceUpdate(_ name: String, _ exchange: Exchange) async throws -> Response {
        let version = try exchange.query.version()
        if let rollback = exchange.query["rollback"] {
            guard rollback == "previous" else {
                throw Failure(.invalidArgument, "rollback: \"\(rollback)\" is not \"previous\"")
            }
            let now = cluster.now()
            try await write { tables in
                let service = try Lookup.service(name, in: tables)
                try Self.checkVersion(version, service.meta, "service \(service.spec.name)")
                return [.update(.service(try ServiceChanges.rolledBack(service, now: now)), bySpec: true)]
            }
            return try Reply.json(Docker.Updated())
        }
        let body = try await exchange.body(Docker.ServiceSpec.self)
        let tables = try await managerTables()
        var warnings = try body.warnings()
        var spec = try ServiceSpec(
            body.value, resolving: ServiceChanges.references(in: tables), warnings: &warnings)
        try ServiceChanges.check(spec)
        let current = try Lookup.service(name, in: tables)
        spec.task.container.registryAuth = try registryAuth(for: current, exchange)
        if spec.task.container.image != current.spec.task.container.image {
            try await pinImage(of: &spec, exchange, warnings: &warnings)
        }
        warnings += try check(spec, tables)
        let now = cluster.now()
        try await write { tables in
            let service = try Lookup.service(name, in: tables)
            try Self.checkVersion(version, service.meta, "service \(service.spec.name)")
            guard let updated = try ServiceChanges.updated(service, to: spec, now: now) else { return [] }
            return [.update(.service(updated), bySpec: true)]
        }
        return try Reply.json(Docker.Updated(Warnings: warnings.isEmpty ? nil : warnings))
    }

    func serviceRemove(_ name: String) async throws -> Response {
        try await write { tables in
            [.delete(.service(try Lookup.service(name, in: tables).id), version: nil)]
        }
        return Reply.empty()
    }

    /// The account for pulling: of the request, else the one that `registryAuthFrom` names.
    private func registryAuth(for service: Service, _ exchange: Exchange) throws(Failure) -> RegistryAuth? {
        if let credentials = try exchange.credentials() { return credentials.stored }
        switch exchange.query["registryAuthFrom"] {
        case nil, "spec": return service.spec.task.container.registryAuth
        case "previous-spec": return service.previousSpec?.task.container.registryAuth
        case let other?:
            throw Failure(.invalidArgument, "registryAuthFrom: \"\(other)\" is not one of spec, previous-spec")
        }
    }

    /// Writes the digest behind the image's name, where the client asks for it: `resolveImage=true`, or an API
    /// version before 1.30, whose clients leave it to the daemon.
    private func pinImage(
        of spec: inout ServiceSpec, _ exchange: Exchange, warnings: inout [String]
    ) async throws {
        let isOldClient = exchange.target.version.map { $0 < APIVersion(major: 1, minor: 30) } ?? false
        let image = spec.task.container.image
        guard exchange.query.flag("resolveImage") || isOldClient, !image.contains("@") else { return }
        do {
            let account = spec.task.container.registryAuth.map {
                RegistryCredentials(username: $0.username, password: $0.password)
            }
            let resolved = try await images.resolveDigest(image, credentials: account)
            spec.task.container.image = "\(image)@\(resolved.digest)"
        } catch {
            warnings.append(
                "image \(image) could not be accessed on a registry to record its digest. Each node will access "
                    + "\(image) independently, possibly leading to different nodes running different versions of the "
                    + "image. (\(error))")
        }
    }

    /// Tasks that run, against those that are to run.
    static func status(of service: Service, _ tables: ClusterTables) -> Docker.ServiceStatus {
        var running: UInt64 = 0
        var completed: UInt64 = 0
        var wanted: UInt64 = 0
        for task in tables.tasks(of: service.id) {
            if task.status.state == .running { running += 1 }
            if task.status.state == .complete { completed += 1 }
            if task.desiredState <= .running { wanted += 1 }
        }
        if case .replicated(let count) = service.spec.mode { wanted = count }
        return Docker.ServiceStatus(RunningTasks: running, DesiredTasks: wanted, CompletedTasks: completed)
    }
}

extension RegistryCredentials {
    /// What nodes need of it; nil where there is nothing that they could show.
    fileprivate var stored: RegistryAuth? {
        username.isEmpty && password.isEmpty ? nil : RegistryAuth(username: username, password: password)
    }
}
