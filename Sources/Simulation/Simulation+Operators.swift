import ClusterMessages
import ClusterModel
import ClusterState
import Orchestration
import Primitives

/// What people do with services and nodes, and what they may expect of it.
extension Simulation {
    private static let interval: Microseconds = 500_000
    private static let network = NetworkID(value: 3)

    static func nodeID(_ number: Int) -> NodeID { NodeID(value: UInt128(100 + number)) }

    func planOperations() {
        scheduler.after(Self.interval) { [self] in
            if let process = leader, process.duties != nil { operate(process) }
            planOperations()
        }
    }

    private func operate(_ process: ManagerProcess) {
        let tables = process.tables
        replaceRemoved(tables)
        if tables.cluster == nil {
            propose(foundation, through: process)
        } else if let newcomer = agents.first(where: { tables.nodes[$0.id] == nil && !tables.roster.isRevoked($0.id) })
        {
            // A node that was removed comes back as another one.
            propose([.create(.node(Node(id: newcomer.id, spec: NodeSpec(role: .worker))))], through: process)
        } else if isCalm {
            propose(restorations(tables), through: process)
        } else if chance.perMinute(options.nodeRemovals, every: Self.interval) {
            if let agent = chance.pick(agents) { remove(agent, through: process) }
        } else if chance.perMinute(options.operations, every: Self.interval) {
            propose(operation(tables), through: process)
        }
    }

    func propose(_ changes: [Change], through process: ManagerProcess) {
        if changes.isEmpty { return }
        process.push(.propose(Transaction(changes, time: wallClock(of: process.id)).encoded()) { _ in })
    }

    /// By force: the machine does not know yet. Later it is emptied, and joins again.
    private func remove(_ agent: SimulatedAgent, through process: ManagerProcess) {
        let removal = Transaction([.delete(.node(agent.id), version: nil)], time: wallClock(of: process.id))
        process.push(.propose(removal.encoded()) { _ in })
    }

    private func replaceRemoved(_ tables: ClusterTables) {
        for agent in agents where tables.roster.isRevoked(agent.id) && !agent.isLeaving {
            trace("node \(agent.description.hostname) is removed")
            agent.isLeaving = true
            scheduler.after(chance.pick(100_000...4_000_000)) { [self] in replaceAgent(agent.id) }
        }
    }

    private var foundation: [Change] {
        // Few addresses: one that is freed too early is soon given out again.
        var spec = NetworkSpec(name: "net")
        spec.subnet = IPv4Network("10.20.0.0/27")
        let pools = [IPv4Network("10.0.0.0/8")].compactMap { $0 }
        var cluster = Cluster(id: ClusterID(value: 1), addressPools: pools, subnetPrefixLength: 26)
        cluster.spec.heartbeatPeriod = .seconds(options.heartbeatSeconds)
        let nodes = agents.map { Change.create(.node(Node(id: $0.id, spec: NodeSpec(role: .worker)))) }
        return [
            .create(.cluster(cluster)),
            .create(
                .network(Network(id: NetworkID(value: 2), spec: NetworkSpec(name: "ingress", isIngress: true)))),
            .create(.network(Network(id: Self.network, spec: spec))),
        ] + nodes
    }

    // MARK: In the phase of faults

    private func operation(_ tables: ClusterTables) -> [Change] {
        let services = tables.services.sorted
        if services.count < options.services, chance.percent(60) { return [.create(.service(newService()))] }
        guard let service = chance.pick(services), let node = chance.pick(workers(tables)) else { return [] }
        switch chance.pick(0...9) {
        case 0, 1:
            coverage.note(.nodeDrained)
            return set(.drain, node)
        case 2, 3: return workers(tables).flatMap { set(.active, $0) }
        case 4:
            coverage.note(.serviceRemoved)
            return [.delete(.service(service.id), version: nil)]
        case 5, 6:
            guard case .replicated = service.spec.mode else { return [] }
            coverage.note(.serviceScaled)
            let replicas = UInt64(chance.pick(0...6))
            return update(service) { $0.mode = .replicated(replicas) }
        case 7: return update(service) { $0.task.forceUpdate += 1 }
        default:
            coverage.note(.serviceUpdated)
            let image = chance.pick(["v1", "v2", "v3", "bad", "missing"]) ?? "v1"
            return update(service) { $0.task.container.image = image }
        }
    }

    private func newService() -> Service {
        let number = nextValue()
        var spec = ServiceSpec(
            name: "service-\(number)", task: TaskSpec(container: ContainerSpec(image: "v1")),
            mode: chance.percent(20) ? .global : .replicated(UInt64(chance.pick(1...5))))
        spec.task.restart.delay = .milliseconds(chance.pick([0, 200, 2_000]) ?? 0)
        if chance.percent(70) { spec.task.networks = [NetworkAttachmentSpec(network: Self.network)] }
        if chance.percent(40) { spec.ports = [PortConfig(targetPort: 80)] }
        spec.update = updateConfig([.pause, .continue, .rollback])
        spec.rollback = updateConfig([.pause, .continue])
        return Service(id: ServiceID(value: UInt128(1_000 + number)), spec: spec)
    }

    private func updateConfig(_ actions: [UpdateFailureAction]) -> UpdateConfig {
        let action = chance.pick(actions) ?? .pause
        return UpdateConfig(
            parallelism: UInt64(chance.pick(1...3)), delay: .milliseconds(chance.pick([0, 500]) ?? 0),
            failureAction: action, monitor: .milliseconds(chance.pick([0, 1_500]) ?? 0),
            // Continuing past failures piles up tasks that are started first: a failed one is still wanted.
            order: action != .continue && chance.percent(50) ? .startFirst : .stopFirst)
    }

    private func workers(_ tables: ClusterTables) -> [Node] { tables.nodes.sorted.filter { !isMachine($0.id) } }

    private func set(_ availability: NodeAvailability, _ node: Node) -> [Change] {
        var node = node
        guard node.spec.availability != availability else { return [] }
        node.spec.availability = availability
        return [.update(.node(node), bySpec: true)]
    }

    private func update(_ service: Service, _ change: (inout ServiceSpec) -> Void) -> [Change] {
        var spec = service.spec
        change(&spec)
        let now = Timestamp(nanoseconds: Int64(1_700_000_000_000_000 + now) * 1000)
        return [.update(.service(ServiceUpdates.updated(service, to: spec, now: now)), bySpec: true)]
    }

    // MARK: In the calm phase

    /// All nodes take tasks again, and every service gets an image that works.
    private func restorations(_ tables: ClusterTables) -> [Change] {
        var changes = workers(tables).flatMap { set(.active, $0) }
        for service in tables.services.sorted {
            let isStuck = [.paused, .rollbackPaused].contains(service.update?.state)
            if service.spec.task.container.image != "good" || isStuck {
                changes += update(service) { $0.task.container.image = "good" }
            }
        }
        return changes
    }

    /// What is not as it was asked for; nil when all is.
    var servicesProblem: String? {
        if agents.isEmpty { return nil }
        guard let tables = leader?.tables, tables.cluster != nil else { return "there is no cluster yet" }
        for node in workers(tables) where node.status.state != .ready || node.spec.availability != .active {
            return "node \(node.hostname) is \(node.status.state), \(node.spec.availability)"
        }
        for service in tables.services.sorted { if let problem = problem(of: service, tables) { return problem } }
        for task in tables.tasks.sorted where tables.services[task.serviceID] == nil {
            return "task \(task.id) is left without a service"
        }
        for agent in agents {
            guard tables.nodes[agent.id] != nil else { return "\(agent.description.hostname) is not a node yet" }
            for (id, container) in agent.containers.sorted(by: { $0.key < $1.key }) {
                guard let task = tables.tasks[id] else { return "a container of task \(id) is left, an orphan" }
                if container.state == .running, task.desiredState > .running {
                    return "the container of task \(id) runs on, which is to be \(task.desiredState)"
                }
            }
        }
        return nil
    }

    private func problem(of service: Service, _ tables: ClusterTables) -> String? {
        let active = tables.tasks(of: service.id).filter { $0.desiredState <= .running }
        let wanted =
            switch service.spec.mode {
            case .replicated(let replicas): Int(replicas)
            case .global: workers(tables).count
            }
        let good = active.count { $0.status.isServing && $0.spec.container.image == "good" }
        if active.count != wanted || good != wanted {
            let states = active.map { "\($0.slot):\($0.status.state):\($0.spec.container.image):\($0.status.error)" }
            return "\(service.spec.name) has \(good) good ones of \(active.count) tasks, \(wanted) are wanted "
                + "(\(states.joined(separator: " "))), update \(service.update.map { "\($0.state)" } ?? "none")"
        }
        switch service.update?.state {
        case .completed?, .rollbackCompleted?, nil: return nil
        case let state?: return "the update of \(service.spec.name) is \(state)"
        }
    }
}
