import ClusterModel
import ClusterState
import DockerSchema
import Primitives

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
