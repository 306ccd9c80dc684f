import ClusterModel
import ClusterState
import DockerSchema
import Hummingbird
import Primitives

extension EngineAPI {
    func nodeList(_ exchange: Exchange) async throws -> Response {
        let tables = try await managerTables()
        let filters = try Filters(
            exchange.query, allowed: ["id", "label", "membership", "name", "node.label", "role"])
        let health = await cluster.managerHealth()
        let nodes = tables.nodes.sorted.filter { node in
            filters.allowsPrefix("id", of: node.id.description) && filters.allowsPrefix("name", of: node.hostname)
                && filters.allowsLabels("label", node.description?.engineLabels ?? [:])
                && filters.allowsLabels("node.label", node.spec.labels)
                && filters.allowsExact("role", node.spec.role.dockerName)
                && filters.allowsExact("membership", "accepted")
        }
        return try Reply.json(nodes.map { Self.docker($0, tables, health, cluster.now()) })
    }

    func nodeInspect(_ name: String) async throws -> Response {
        let tables = try await managerTables()
        let node = try Lookup.node(name, in: tables)
        return try Reply.json(Self.docker(node, tables, await cluster.managerHealth(), cluster.now()))
    }

    func nodeUpdate(_ name: String, _ exchange: Exchange) async throws -> Response {
        let version = try exchange.query.version()
        let spec = try NodeSpec(try await exchange.body(Docker.NodeSpec.self).value)
        let health = await cluster.managerHealth()
        try await write { tables in
            var node = try Lookup.node(name, in: tables)
            try Self.checkVersion(version, node.meta, "node \(name)")
            if node.spec.role == .manager, spec.role == .worker { try Self.checkDemotion(of: node, tables, health) }
            node.spec = spec
            return [.update(.node(node), bySpec: true)]
        }
        return Reply.empty()
    }

    func nodeRemove(_ name: String, _ exchange: Exchange) async throws -> Response {
        let force = exchange.query.flag("force")
        try await write { tables in
            let node = try Lookup.node(name, in: tables)
            if node.manager != nil || node.spec.role == .manager {
                throw Failure(
                    .failedPrecondition,
                    "node \(node.id) is a cluster manager and is a member of the raft cluster. It must be demoted to "
                        + "worker before removal")
            }
            if node.status.state == .ready, !force {
                throw Failure(.failedPrecondition, "node \(node.id) is not down and can't be removed")
            }
            return [.delete(.node(node.id), version: nil)]
        }
        return Reply.empty()
    }

    /// Refuses what would leave no manager, or fewer reachable ones than a majority.
    static func checkDemotion(
        of node: ClusterModel.Node, _ tables: ClusterTables, _ health: [NodeID: ManagerHealth]
    ) throws(Failure) {
        let others = tables.nodes.sorted.filter { $0.spec.role == .manager && $0.id != node.id }
        guard !others.isEmpty else {
            throw Failure(.failedPrecondition, "attempting to demote the last manager of the swarm")
        }
        let reachable = others.count { health[$0.id]?.isReachable != false }
        guard reachable > others.count / 2 else {
            throw Failure(
                .failedPrecondition,
                "can't remove member from the raft: this would result in a loss of quorum (\(reachable) of the "
                    + "remaining \(others.count) managers are reachable)")
        }
    }

    private static func docker(
        _ node: ClusterModel.Node, _ tables: ClusterTables, _ health: [NodeID: ManagerHealth],
        _ now: Timestamp
    ) -> Docker.Node {
        let manager = node.manager.map { status in
            let known = health[node.id]
            return Docker.ManagerStatus(
                address: known?.address ?? status.address, isLeader: known?.isLeader ?? false,
                isReachable: known?.isReachable)
        }
        return Docker.Node(node, manager: manager, authority: tables.cluster?.authority, now: now)
    }
}
