public import ClusterModel
public import ClusterState

extension ClusterTables {
    /// All that a node has to know: its tasks with their secrets, configs and networks, who else is in these networks,
    /// and every other node of the overlay.
    public func assignments(for node: NodeID) -> [AssignmentKey: AssignmentItem] {
        var items: [AssignmentKey: AssignmentItem] = [:]
        func add(_ item: AssignmentItem) { items[item.key] = item }
        var networkIDs: Set<NetworkID> = []
        for task in tasks(on: node) where task.isForAgent {
            add(.task(task.asAssigned))
            for reference in task.spec.container.secrets { secrets[reference.id].map { add(.secret($0)) } }
            for reference in task.spec.container.configs { configs[reference.id].map { add(.config($0)) } }
            for attachment in task.networks { networkIDs.insert(attachment.network) }
        }
        for network in networks.sorted where network.allocation != nil {
            guard network.spec.isIngress || networkIDs.contains(network.id) else { continue }
            networkIDs.insert(network.id)
            add(.network(network))
        }
        if networkIDs.isEmpty { return items }
        tasks.forEachUnordered { task in
            for endpoint in task.endpoints where networkIDs.contains(endpoint.network) { add(.endpoint(endpoint)) }
        }
        nodes.forEachUnordered { other in
            if other.id != node, let peer = other.overlayPeer { add(.peer(peer)) }
        }
        return items
    }

    /// The nodes whose assignments a change may touch; nil is all of them.
    func nodesAffected(by change: StateChange) -> Set<NodeID>? {
        switch (change.before, change.after) {
        case (.task(let before), .task(let after)):
            if before.endpoints != after.endpoints { return nil }
            return Set([before.nodeID, after.nodeID].compactMap { $0 })
        case (.task(let task), nil), (nil, .task(let task)):
            return task.endpoints.isEmpty ? Set([task.nodeID].compactMap { $0 }) : nil
        case (.node(let before), .node(let after)):
            if before.overlayPeer != after.overlayPeer || before.manager != after.manager { return nil }
            return before.wantedRole == after.wantedRole ? [] : [after.id]
        case (.service, _), (_, .service): return []
        default: return nil
        }
    }
}

extension ClusterTask {
    /// Whether the node has to know of the task. An ended one is kept there, with its logs, until it leaves the store.
    var isForAgent: Bool { status.state >= .assigned && status.state < .orphaned }

    /// The task without what its own agent reports, which would only be sent back to it; an end stays, so that an agent
    /// that lost its records does not run the task again.
    var asAssigned: ClusterTask {
        var task = self
        task.meta = Meta()
        if !task.status.state.isTerminal { task.status = TaskStatus(state: .assigned) }
        return task
    }

    var endpoints: [NetworkEndpoint] {
        guard let nodeID, status.state >= .assigned, status.state <= .running else { return [] }
        return networks.map { attachment in
            NetworkEndpoint(
                network: attachment.network, task: id, node: nodeID, address: attachment.address,
                serviceName: serviceName, taskName: name, aliases: attachment.aliases, isServing: status.isServing,
                ports: ports.filter { $0.mode == .ingress })
        }
    }
}

extension Node {
    /// What the node is to be: a manager until Raft goes on without it.
    var wantedRole: NodeRole { spec.role == .manager || manager != nil ? .manager : .worker }

    var overlayPeer: OverlayPeer? {
        guard let description, !description.overlayKey.isEmpty, !description.overlayEndpoint.isEmpty else { return nil }
        return OverlayPeer(node: id, key: description.overlayKey, endpoint: description.overlayEndpoint)
    }
}
