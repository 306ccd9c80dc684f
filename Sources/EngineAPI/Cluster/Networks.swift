import ClusterModel
import ClusterState
import DockerSchema
import Hummingbird
import Primitives

extension EngineAPI {
    func networkList(_ exchange: Exchange) async throws -> Response {
        let tables = try await managerTables()
        let filters = try Filters(
            exchange.query, allowed: ["id", "name", "label", "driver", "scope", "type", "dangling"])
        let used = Self.users(of: tables)
        let networks = tables.networks.sorted.filter { network in
            filters.allowsPrefix("id", of: network.id.description)
                && filters.allows("name") { network.spec.name.contains($0) }
                && filters.allowsLabels("label", network.spec.labels) && filters.allowsExact("driver", "overlay")
                && filters.allowsExact("scope", "swarm") && filters.allowsExact("type", "custom")
                && filters.allows("dangling") { ["true", "1"].contains($0) == (used[network.id] == nil) }
        }
        return try Reply.json(networks.map { Docker.Network($0) })
    }

    func networkInspect(_ name: String) async throws -> Response {
        try Reply.json(Docker.Network(try Lookup.network(name, in: try await managerTables())))
    }

    func networkCreate(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(Docker.NetworkCreate.self)
        var warnings = try body.warnings()
        let spec = try NetworkSpec(body.value, warnings: &warnings)
        try ObjectName.check(spec.name, kind: "network")
        let network = ClusterModel.Network(id: NetworkID(value: cluster.freshID()), spec: spec)
        try await write { tables in
            guard tables.network(named: spec.name) == nil else {
                throw Failure(.alreadyExists, "network with name \(spec.name) already exists")
            }
            for other in tables.networks.sorted {
                if spec.isIngress, other.spec.isIngress {
                    throw Failure(.alreadyExists, "ingress network (\(other.id)) is already present")
                }
                if let subnet = spec.subnet, let taken = other.allocation?.subnet ?? other.spec.subnet,
                    subnet.overlaps(taken)
                {
                    throw Failure(
                        .invalidArgument,
                        "IPAM.Config[0].Subnet: \(subnet) overlaps \(taken) of network \(other.spec.name)")
                }
            }
            return [.create(.network(network))]
        }
        return try Reply.json(
            Docker.NetworkCreated(Id: network.id.description, Warning: warnings.joined(separator: "; ")),
            status: .created)
    }

    func networkRemove(_ name: String) async throws -> Response {
        try await write { tables in
            let network = try Lookup.network(name, in: tables)
            if let service = Self.users(of: tables)[network.id] {
                throw Failure(
                    .failedPrecondition, "network \(network.spec.name) is in use by service \(service)")
            }
            return [.delete(.network(network.id), version: nil)]
        }
        return Reply.empty(.noContent)
    }

    /// This node's own networks, on workers too.
    func networkCheck() async throws -> Response {
        let membership = await cluster.membership()
        guard membership.state != .inactive, let id = membership.nodeID else { throw DockerTexts.notInSwarm }
        let facts = await node.facts()
        return try Reply.json(
            Docker.NetworkCheck(
                NodeID: id.description, Hostname: facts.hostname, Differences: try await node.networkDifferences()))
    }

    /// A service on each used network; an ingress port uses the ingress network.
    private static func users(of tables: ClusterTables) -> [NetworkID: String] {
        let ingress = tables.networks.sorted.first { $0.spec.isIngress }
        var users: [NetworkID: String] = [:]
        for service in tables.services.sorted {
            for attachment in service.spec.task.networks { users[attachment.network] = service.spec.name }
            if let ingress, service.spec.ports.contains(where: { $0.mode == .ingress }) {
                users[ingress.id] = service.spec.name
            }
        }
        return users
    }
}
