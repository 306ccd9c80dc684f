import ClusterModel
import ClusterState

/// What all nodes of a network are told alike: who is in it, and how the overlay reaches every node.
///
/// As every session was last told. Kept from change to change, so that sending costs what changed, not what there is.
struct SharedView: Sendable {
    /// What changed between two looks at the tables.
    struct Delta: Sendable {
        var updates: [NetworkID: [NetworkEndpoint]] = [:]
        var removals: [NetworkID: [TaskID]] = [:]
        var peers: [OverlayPeer] = []
        var lostPeers: [NodeID] = []

        /// Whether it says anything to a node that is in these networks.
        func concerns(_ networks: Set<NetworkID>) -> Bool {
            if networks.isEmpty { return false }
            if !peers.isEmpty || !lostPeers.isEmpty { return true }
            return networks.contains { updates[$0] != nil || removals[$0] != nil }
        }
    }

    private(set) var endpoints: [NetworkID: [TaskID: NetworkEndpoint]] = [:]
    private(set) var peers: [NodeID: OverlayPeer] = [:]
    private var networksOfTask: [TaskID: Set<NetworkID>] = [:]
    private var changedTasks: Set<TaskID> = []
    private var changedNodes: Set<NodeID> = []

    init(_ tables: ClusterTables) {
        tables.tasks.forEachUnordered { changedTasks.insert($0.id) }
        tables.nodes.forEachUnordered { changedNodes.insert($0.id) }
        _ = advance(to: tables)
    }

    var hasChanges: Bool { !changedTasks.isEmpty || !changedNodes.isEmpty }

    mutating func note(_ change: StateChange, _ tables: ClusterTables) {
        switch (change.before, change.after) {
        case (.task(let before), .task(let after)):
            if before.endpoints != after.endpoints { changedTasks.insert(after.id) }
        case (.task(let task), nil), (nil, .task(let task)):
            if !task.endpoints.isEmpty { changedTasks.insert(task.id) }
        case (.node(let before), .node(let after)):
            if before.overlayPeer != after.overlayPeer { changedNodes.insert(after.id) }
        case (.node(let node), nil), (nil, .node(let node)): changedNodes.insert(node.id)
        case (nil, nil):
            // Changes were lost: what is here and what is there may both be new.
            changedTasks.formUnion(networksOfTask.keys)
            changedNodes.formUnion(peers.keys)
            tables.tasks.forEachUnordered { changedTasks.insert($0.id) }
            tables.nodes.forEachUnordered { changedNodes.insert($0.id) }
        default: break
        }
    }

    /// Takes over what was noted as it is in the tables now.
    mutating func advance(to tables: ClusterTables) -> Delta {
        var delta = Delta()
        for id in changedTasks.sorted() {
            let current = tables.tasks[id]?.endpoints ?? []
            let old = networksOfTask[id] ?? []
            for endpoint in current where endpoints[endpoint.network]?[id] != endpoint {
                endpoints[endpoint.network, default: [:]][id] = endpoint
                delta.updates[endpoint.network, default: []].append(endpoint)
            }
            let networks = Set(current.map(\.network))
            for network in old.subtracting(networks) {
                endpoints[network]?[id] = nil
                if endpoints[network]?.isEmpty == true { endpoints[network] = nil }
                delta.removals[network, default: []].append(id)
            }
            networksOfTask[id] = networks.isEmpty ? nil : networks
        }
        for id in changedNodes.sorted() {
            let peer = tables.nodes[id]?.overlayPeer
            if peer == peers[id] { continue }
            peers[id] = peer
            if let peer { delta.peers.append(peer) } else { delta.lostPeers.append(id) }
        }
        changedTasks = []
        changedNodes = []
        return delta
    }

    /// What brings a node up to date that was in `before` and is in `after`.
    func step(
        _ delta: Delta, from before: Set<NetworkID>, to after: Set<NetworkID>, node: NodeID
    ) -> (updates: [AssignmentItem], removals: [AssignmentKey]) {
        var updates: [AssignmentItem] = []
        var removals: [AssignmentKey] = []
        for network in after.subtracting(before) {
            updates += (endpoints[network] ?? [:]).values.map(AssignmentItem.endpoint)
        }
        for network in after.intersection(before) {
            updates += (delta.updates[network] ?? []).map(AssignmentItem.endpoint)
            removals += (delta.removals[network] ?? []).map { .endpoint(network, $0) }
        }
        for network in before.subtracting(after) {
            let gone = Set((endpoints[network] ?? [:]).keys).union(delta.removals[network] ?? [])
            removals += gone.map { .endpoint(network, $0) }
        }
        switch (before.isEmpty, after.isEmpty) {
        case (true, true): break
        case (true, false): updates += peers.values.filter { $0.node != node }.map(AssignmentItem.peer)
        case (false, true): removals += Set(peers.keys).union(delta.lostPeers).subtracting([node]).map { .peer($0) }
        case (false, false):
            updates += delta.peers.filter { $0.node != node }.map(AssignmentItem.peer)
            removals += delta.lostPeers.filter { $0 != node }.map { .peer($0) }
        }
        return (updates, removals)
    }
}
