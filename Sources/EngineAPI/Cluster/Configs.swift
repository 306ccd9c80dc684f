import ClusterModel
import ClusterState
import DockerSchema
import Hummingbird
import Primitives

extension EngineAPI {
    func answerConfig(_ route: Route, _ exchange: Exchange) async throws -> Response {
        switch route {
        case .configCreate: return try await configCreate(exchange)
        case .configInspect(let name):
            return try Reply.json(Docker.Payload(try Lookup.config(name, in: try await managerTables())))
        case .configUpdate(let name): return try await configUpdate(name, exchange)
        case .configRemove(let name): return try await configRemove(name)
        default:
            let configs = try await managerTables().configs.sorted
            let filters = try Filters(exchange.query, allowed: ["id", "label", "name", "names"])
            return try Reply.json(
                configs.filter { PayloadRules.allows(filters, $0.id.description, $0.name, $0.labels) }
                    .map { Docker.Payload($0) })
        }
    }

    private func configCreate(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(Docker.PayloadSpec.self).value
        let name = body.Name ?? ""
        try ObjectName.check(name, kind: "config")
        let data = try body.bytes()
        try PayloadRules.checkSize(data, kind: "config", limit: EngineLimits.configBytes)
        let config = ClusterModel.Config(
            id: ConfigID(value: cluster.freshID()), name: name, labels: body.Labels ?? [:], data: data)
        try await create(.config(config))
        return try Reply.json(Docker.Created(ID: config.id.description), status: .created)
    }

    private func configUpdate(_ name: String, _ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(Docker.PayloadSpec.self).value
        let version = try exchange.query.version()
        try await write { tables in
            var config = try Lookup.config(name, in: tables)
            try Self.checkVersion(version, config.meta, "config \(config.name)")
            try PayloadRules.checkUpdate(body, name: config.name, data: config.data, kind: "Config")
            config.labels = body.Labels ?? [:]
            return [.update(.config(config), bySpec: true)]
        }
        return Reply.empty()
    }

    private func configRemove(_ name: String) async throws -> Response {
        try await write { tables in
            let config = try Lookup.config(name, in: tables)
            let users = tables.services.sorted.filter { service in
                service.spec.task.container.configs.contains { $0.id == config.id }
            }
            try PayloadRules.checkUnused("config", config.name, by: users)
            return [.delete(.config(config.id), version: nil)]
        }
        return Reply.empty(.noContent)
    }
}
