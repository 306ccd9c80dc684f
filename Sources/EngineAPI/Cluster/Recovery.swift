import ClusterModel
import ClusterState
import DockerSchema
import HTTPTypes
import Hummingbird
import NIOCore
import Primitives

// Not Docker's.
extension EngineAPI {
    private static let keyHeader = HTTPField.Name("X-Swarm-Backup-Key")

    /// Says what will become of the cluster before anything is done, and does it when asked to.
    func swarmRecover(_ exchange: Exchange) async throws -> Response {
        let docker = try await exchange.body(Docker.RecoveryRequest.self).value
        let request = RecoveryRequest(
            listenAddress: docker.ListenAddr ?? "", advertiseAddress: docker.AdvertiseAddr ?? "",
            dataPathAddress: docker.DataPathAddr ?? "")
        let plan =
            exchange.query.flag("dryrun")
            ? try await cluster.planRecovery(request) : try await cluster.recover(request)
        return try Reply.json(Docker.RecoveryPlan(plan))
    }

    func swarmBackup(_ exchange: Exchange) async throws -> Response {
        if let refusal = DockerTexts.refusal(of: await cluster.membership()) { throw refusal }
        let key = Self.keyHeader.flatMap { exchange.request.headers[$0] }
        let backup = try await cluster.backUp(key: key)
        var response = Response(
            status: .ok, headers: [.contentType: "application/octet-stream"],
            body: ResponseBody { writer in
                for piece in backup.pieces { try await writer.write(ByteBuffer(bytes: piece)) }
                try await writer.finish(nil)
            })
        if let name = Self.keyHeader, let key = backup.newKey { response.headers[name] = key }
        return response
    }

    func swarmRestore(_ exchange: Exchange) async throws -> Response {
        guard await cluster.membership().state == .inactive else { throw DockerTexts.alreadyInSwarm }
        guard let key = Self.keyHeader.flatMap({ exchange.request.headers[$0] }), !key.isEmpty else {
            throw Failure(.invalidArgument, "X-Swarm-Backup-Key is missing: the key that the backup is sealed with")
        }
        let request = RecoveryRequest(
            listenAddress: exchange.query["listenaddr"] ?? "", advertiseAddress: exchange.query["advertiseaddr"] ?? "",
            dataPathAddress: exchange.query["datapathaddr"] ?? "")
        let plan = try await cluster.restore(exchange.request.body, key: key, request)
        return try Reply.json(Docker.RecoveryPlan(plan))
    }
}

extension Docker.RecoveryPlan {
    init(_ plan: RecoveryPlan) {
        let workers = plan.tables.nodes.sorted.filter { node in
            node.id != plan.node && !plan.lost.contains { $0.id == node.id }
        }
        self.init(
            NodeID: plan.node.description, Addr: plan.address, Index: plan.tables.index,
            LostManagers: plan.lost.map { node in
                Docker.LostManager(
                    ID: node.id.description, Hostname: node.description?.hostname ?? "",
                    Addr: node.manager?.address ?? node.status.address)
            },
            Workers: workers.count, Services: plan.tables.services.count, Tasks: plan.tables.tasks.count,
            Networks: plan.tables.networks.count, Secrets: plan.tables.secrets.count,
            Configs: plan.tables.configs.count, Locked: plan.tables.cluster?.unlockKey != nil)
    }
}
