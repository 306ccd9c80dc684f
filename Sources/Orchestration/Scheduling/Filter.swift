import ClusterModel

/// Why a node cannot take a task, in the order in which it is found out.
enum Filter: Int, CaseIterable, Comparable, Sendable {
    case ready, resources, constraints, hostPorts, maxReplicas

    static func < (a: Filter, b: Filter) -> Bool { a.rawValue < b.rawValue }

    /// Docker's wording, which users search for.
    func explanation(nodes: Int) -> String {
        let plural = nodes == 1 ? "1 node" : "\(nodes) nodes"
        return switch self {
        case .ready: "\(plural) not available for new tasks"
        case .resources: "insufficient resources on \(plural)"
        case .constraints: "scheduling constraints not satisfied on \(plural)"
        case .hostPorts: "host-mode port already in use on \(plural)"
        case .maxReplicas: "max replicas per node limit exceed"
        }
    }

    /// The sentence for a task that fits nowhere: what keeps most nodes away comes first.
    static func explanation(_ failures: [Filter: Int]) -> String {
        if failures.isEmpty { return "no suitable node" }
        let parts = failures.sorted { a, b in a.value != b.value ? a.value > b.value : a.key < b.key }
        return "no suitable node (" + parts.map { $0.key.explanation(nodes: $0.value) }.joined(separator: "; ") + ")"
    }
}

/// What a task asks of its node: the same for all tasks of one version of a service.
struct Demand: Sendable {
    let reservations: Resources
    let placement: Placement
    let hostPorts: [HostPort]

    init(_ task: ClusterTask) {
        self.init(task.spec, ports: task.ports)
    }

    init(_ spec: TaskSpec, ports: [PortConfig]) {
        reservations = spec.reservations
        placement = spec.placement
        hostPorts = HostPort.all(of: ports)
    }

    /// The first reason against the node, nil when it fits.
    ///
    /// - Parameter replicas: the service's tasks that the node has already.
    func obstacle(on load: NodeLoad, replicas: Int) -> Filter? {
        if !load.node.isAvailable { return .ready }
        if !load.fits(reservations) { return .resources }
        if !load.node.satisfies(placement) { return .constraints }
        if !load.isFree(hostPorts) { return .hostPorts }
        if placement.maxReplicasPerNode > 0, UInt64(replicas) >= placement.maxReplicasPerNode { return .maxReplicas }
        return nil
    }
}
