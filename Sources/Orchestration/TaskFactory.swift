import ClusterModel
import Primitives

/// Makes task objects.
enum TaskFactory {
    static func task(
        of service: Service, slot: SlotKey, desired: TaskState = .running, notBefore: Timestamp? = nil,
        now: Timestamp, random: inout SeededRandom
    ) -> ClusterTask {
        let id = TaskID(using: &random)
        let (number, node): (UInt64, NodeID?) =
            switch slot {
            case .number(let number): (number, nil)
            case .node(let node): (0, node)
            }
        return ClusterTask(
            id: id, serviceID: service.id, slot: number, nodeID: node,
            name: name(of: service.spec.name, slot: slot, id: id), serviceName: service.spec.name,
            serviceVersion: service.taskVersion, spec: service.spec.task, endpointMode: service.spec.endpointMode,
            desiredState: desired, status: TaskStatus(state: .new, timestamp: now, message: "created"),
            notBefore: notBefore)
    }

    /// The same task once more: an outdated one that ended is restarted as it was, and updated in its turn.
    static func again(
        _ task: ClusterTask, desired: TaskState, notBefore: Timestamp?, now: Timestamp, random: inout SeededRandom
    ) -> ClusterTask {
        let id = TaskID(using: &random)
        return ClusterTask(
            id: id, serviceID: task.serviceID, slot: task.slot, nodeID: task.slot == 0 ? task.nodeID : nil,
            name: name(of: task.serviceName, slot: task.slotKey, id: id), serviceName: task.serviceName,
            serviceVersion: task.serviceVersion, spec: task.spec, endpointMode: task.endpointMode, ports: task.ports,
            desiredState: desired, status: TaskStatus(state: .new, timestamp: now, message: "created"),
            notBefore: notBefore)
    }

    private static func name(of service: String, slot: SlotKey, id: TaskID) -> String {
        switch slot {
        case .number(let number): "\(service).\(number).\(id)"
        case .node(let node): "\(service).\(node).\(id)"
        }
    }
}
