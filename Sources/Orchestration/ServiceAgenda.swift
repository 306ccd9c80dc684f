import ClusterModel
import ClusterState
import Primitives

/// An agenda of services, which most loops go by.
struct ServiceAgenda: Sendable {
    private var agenda = Agenda<ServiceID>()

    /// The services to look at, ordered. A node that changed may concern every service.
    mutating func take(_ tables: ClusterTables, _ changes: [StateChange]?, now: Timestamp) -> [ServiceID] {
        var touched: Set<ServiceID> = []
        var isEverything = changes == nil
        for change in changes ?? [] {
            for object in [change.before, change.after] {
                switch object {
                case .service(let service): touched.insert(service.id)
                case .task(let task): touched.insert(task.serviceID)
                case .node, .cluster: isEverything = true
                case .network, .secret, .config, nil: break
                }
            }
        }
        if isEverything {
            tables.services.forEachUnordered { touched.insert($0.id) }
            touched.formUnion(tables.servicesWithTasks)
        }
        return agenda.take(touched, now: now)
    }

    mutating func repeatNextRun(_ service: ServiceID) { agenda.repeatNextRun(service) }
    mutating func wake(_ service: ServiceID, at time: Timestamp?) { agenda.wake(service, at: time) }
    var nextWake: Timestamp? { agenda.nextWake }
}
