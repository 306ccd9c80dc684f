import ClusterModel
import ClusterState
import Primitives

/// An agenda of slots: what happens to one task of a service concerns its slot alone.
struct SlotAgenda: Sendable {
    private var agenda = Agenda<TaskSlot>()

    /// The slots to look at, ordered. A service that changed concerns all of its slots, a node perhaps every slot.
    mutating func take(_ tables: ClusterTables, _ changes: [StateChange]?, now: Timestamp) -> [TaskSlot] {
        var touched: Set<TaskSlot> = []
        var services: Set<ServiceID> = []
        var isEverything = changes == nil
        for change in changes ?? [] {
            for object in [change.before, change.after] {
                switch object {
                case .service(let service): services.insert(service.id)
                case .task(let task): touched.insert(TaskSlot(of: task))
                case .node, .cluster: isEverything = true
                case .network, .secret, .config, nil: break
                }
            }
        }
        if isEverything {
            touched.formUnion(tables.slotsWithTasks)
        } else {
            for service in services { for task in tables.tasks(of: service) { touched.insert(TaskSlot(of: task)) } }
        }
        return agenda.take(touched, now: now)
    }

    mutating func repeatNextRun(_ slot: TaskSlot) { agenda.repeatNextRun(slot) }
    mutating func wake(_ slot: TaskSlot, at time: Timestamp?) { agenda.wake(slot, at: time) }
    var nextWake: Timestamp? { agenda.nextWake }
}
