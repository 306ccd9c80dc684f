import ClusterModel
import ClusterState
import DockerSchema
import Hummingbird
import Orchestration
import Primitives

extension EngineAPI {
    func taskList(_ exchange: Exchange) async throws -> Response {
        let tables = try await managerTables()
        let filters = try Filters(
            exchange.query,
            allowed: ["id", "label", "name", "node", "service", "desired-state", "_up-to-date", "runtime"])
        let selection = try TaskSelection(filters, tables)
        let tasks = selection.tasks(in: tables)
        return try Reply.json(tasks.map { task in Docker.Task(task) { tables.networks[$0] } })
    }

    func taskInspect(_ name: String) async throws -> Response {
        let tables = try await managerTables()
        let task = try Lookup.task(name, in: tables)
        return try Reply.json(Docker.Task(task) { tables.networks[$0] })
    }
}

/// Which tasks a list asks for; names of services and nodes are resolved once.
struct TaskSelection {
    private let filters: Filters
    private let services: [ServiceID]
    private let nodes: [NodeID]
    private let desired: [TaskState]

    /// - Throws: ``Failure`` for an unknown service, node or state.
    init(_ filters: Filters, _ tables: ClusterTables) throws(Failure) {
        self.filters = filters
        var services: [ServiceID] = []
        for name in filters["service"] { services.append(try Lookup.service(name, in: tables).id) }
        var nodes: [NodeID] = []
        for name in filters["node"] { nodes.append(try Lookup.node(name, in: tables).id) }
        var desired: [TaskState] = []
        for name in filters["desired-state"] {
            // `accepted` is what `docker node ps` asks for beside `running`.
            desired.append(try TaskState(dockerName: name, default: .running, field: "filters.desired-state"))
        }
        self.services = services
        self.nodes = nodes
        self.desired = desired
    }

    func tasks(in tables: ClusterTables) -> [ClusterTask] {
        let candidates =
            services.isEmpty
            ? tables.tasks.sorted : Set(services).sorted().flatMap { tables.tasks(of: $0) }
        return candidates.filter { task in
            (nodes.isEmpty || task.nodeID.map(nodes.contains) == true)
                && (desired.isEmpty || desired.contains(task.desiredState))
                && filters.allowsPrefix("id", of: task.id.description)
                && filters.allowsPrefix("name", of: task.name)
                && filters.allowsExact("runtime", "container")
                && filters.allowsLabels("label", tables.services[task.serviceID]?.spec.labels ?? [:])
                && filters.allows("_up-to-date") { wanted in
                    let service = tables.services[task.serviceID]
                    return (service.map { isUpToDate(task, of: $0, tables) } ?? false)
                        == ["true", "1"].contains(wanted)
                }
        }
    }

    /// A rollback keeps the tasks that it finds as they should be, though they bear an older version.
    private func isUpToDate(_ task: ClusterTask, of service: Service, _ tables: ClusterTables) -> Bool {
        if task.serviceVersion == service.taskVersion { return true }
        return !task.status.state.isTerminal
            && !service.isOutdated(task, on: task.nodeID.flatMap { tables.nodes[$0] })
    }
}
