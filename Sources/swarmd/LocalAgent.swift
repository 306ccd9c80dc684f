import ClusterModel
import Logging
import Primitives
import WorkerNode

/// The node's containers, picked up: they go on whether or not the node takes part in the cluster.
struct LocalAgent: Sendable {
    let record: MembershipRecord
    let worker: Worker
    let tasks: ContainerTasks

    /// - Parameter managers: asked before those that the membership names.
    /// - Throws: ``Failure``; nothing is held then.
    static func pickUp(
        _ membership: NodeMembership, calling managers: [String], folder: StateFolder, tasks: ContainerTasks,
        log: Logger
    ) async throws -> LocalAgent {
        let record = MembershipRecord(membership, folder: folder)
        let managers = managers + membership.managers + (membership.raftID == 0 ? [] : [membership.advertiseAddress])
        let worker = Worker(runtime: tasks, managers: managers, log: log) { known in
            do {
                try record.update { $0.managers = known }
            } catch { log.warning("cannot keep the list of managers: \(error)") }
        }
        let agent = LocalAgent(record: record, worker: worker, tasks: tasks)
        do {
            try await worker.restore()
        } catch {
            await agent.stop()
            throw error
        }
        return agent
    }

    /// Lets go of everything; containers stay as they are.
    func stop() async {
        await worker.stop()
        await tasks.stop()
    }
}
