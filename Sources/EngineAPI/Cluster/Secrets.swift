import ClusterModel
import ClusterState
import DockerSchema
import Hummingbird
import Primitives

extension EngineAPI {
    func answerSecret(_ route: Route, _ exchange: Exchange) async throws -> Response {
        switch route {
        case .secretCreate: return try await secretCreate(exchange)
        case .secretInspect(let name):
            return try Reply.json(Docker.Payload(try Lookup.secret(name, in: try await managerTables())))
        case .secretUpdate(let name): return try await secretUpdate(name, exchange)
        case .secretRemove(let name): return try await secretRemove(name)
        default:
            let secrets = try await managerTables().secrets.sorted
            let filters = try Filters(exchange.query, allowed: ["id", "label", "name", "names"])
            return try Reply.json(
                secrets.filter { PayloadRules.allows(filters, $0.id.description, $0.name, $0.labels) }
                    .map { Docker.Payload($0) })
        }
    }

    private func secretCreate(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(Docker.PayloadSpec.self).value
        let name = body.Name ?? ""
        try ObjectName.check(name, kind: "secret")
        let data = try body.bytes()
        try PayloadRules.checkSize(data, kind: "secret", limit: EngineLimits.secretBytes)
        let secret = Secret(
            id: SecretID(value: cluster.freshID()), name: name, labels: body.Labels ?? [:], data: data)
        try await create(.secret(secret))
        return try Reply.json(Docker.Created(ID: secret.id.description), status: .created)
    }

    private func secretUpdate(_ name: String, _ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(Docker.PayloadSpec.self).value
        let version = try exchange.query.version()
        try await write { tables in
            var secret = try Lookup.secret(name, in: tables)
            try Self.checkVersion(version, secret.meta, "secret \(secret.name)")
            try PayloadRules.checkUpdate(body, name: secret.name, data: secret.data, kind: "Secret")
            secret.labels = body.Labels ?? [:]
            return [.update(.secret(secret), bySpec: true)]
        }
        return Reply.empty()
    }

    private func secretRemove(_ name: String) async throws -> Response {
        try await write { tables in
            let secret = try Lookup.secret(name, in: tables)
            let users = tables.services.sorted.filter { service in
                service.spec.task.container.secrets.contains { $0.id == secret.id }
            }
            try PayloadRules.checkUnused("secret", secret.name, by: users)
            return [.delete(.secret(secret.id), version: nil)]
        }
        return Reply.empty(.noContent)
    }
}

/// What holds for secrets and configs alike.
enum PayloadRules {
    static func allows(_ filters: Filters, _ id: String, _ name: String, _ labels: [String: String]) -> Bool {
        filters.allowsPrefix("id", of: id) && filters.allowsPrefix("name", of: name)
            && filters.allowsExact("names", name) && filters.allowsLabels("label", labels)
    }

    static func checkSize(_ data: [UInt8], kind: String, limit: Int) throws(Failure) {
        guard !data.isEmpty, data.count <= limit else {
            throw Failure(
                .invalidArgument, "Data: a \(kind) must be larger than 0 and at most \(limit) bytes, not \(data.count)")
        }
    }

    static func checkUpdate(
        _ spec: Docker.PayloadSpec, name: String, data: [UInt8], kind: String
    ) throws(Failure) {
        let isSameName = spec.Name == nil || spec.Name == name
        let isSameData = spec.Data?.isEmpty == false ? try spec.bytes() == data : true
        guard isSameName, isSameData else {
            throw Failure(
                .invalidArgument, "only updates to Labels are allowed: \(kind) \(name) cannot change otherwise")
        }
    }

    static func checkUnused(_ kind: String, _ name: String, by services: [Service]) throws(Failure) {
        guard !services.isEmpty else { return }
        let names = services.map(\.spec.name).sorted().joined(separator: ", ")
        throw Failure(
            .failedPrecondition,
            "\(kind) '\(name)' is in use by the following service\(services.count == 1 ? "" : "s"): \(names)")
    }
}
