import ClusterModel
import ClusterState

/// What one node alone has to know: its tasks with their secrets, configs and networks.
struct OwnAssignments: Hashable, Sendable {
    var items: [AssignmentKey: AssignmentItem] = [:]
    /// Whose endpoints it has to know; with any, also the other nodes of the overlay.
    var networks: Set<NetworkID> = []
}

extension ClusterTables {
    /// - Parameter ingress: ``ingressNetworks``, which are the same for every node.
    func ownAssignments(of node: NodeID, ingress: [Network]) -> OwnAssignments {
        var own = OwnAssignments()
        func add(_ item: AssignmentItem) { own.items[item.key] = item }
        for task in tasks(on: node) where task.isForAgent {
            add(.task(task.asAssigned))
            for reference in task.spec.container.secrets { secrets[reference.id].map { add(.secret($0)) } }
            for reference in task.spec.container.configs { configs[reference.id].map { add(.config($0)) } }
            for attachment in task.networks where own.networks.insert(attachment.network).inserted {
                if let network = networks[attachment.network], network.allocation != nil { add(.network(network)) }
            }
        }
        for network in ingress {
            own.networks.insert(network.id)
            add(.network(network))
        }
        return own
    }

    /// Networks that every node is in.
    var ingressNetworks: [Network] {
        var found: [Network] = []
        networks.forEachUnordered { if $0.spec.isIngress, $0.allocation != nil { found.append($0) } }
        return found.sorted { $0.id < $1.id }
    }

    /// The nodes whose own assignments a change may touch; nil is all of them.
    func nodesAffected(by change: StateChange) -> Set<NodeID>? {
        switch (change.before, change.after) {
        case (.task(let before), .task(let after)):
            if before.isForAgent == after.isForAgent, before.asAssigned == after.asAssigned { return [] }
            return Set([before.nodeID, after.nodeID].compactMap { $0 })
        case (.task(let task), nil), (nil, .task(let task)): return Set([task.nodeID].compactMap { $0 })
        case (.node(let before), .node(let after)):
            if before.manager != after.manager { return nil }
            return before.wantedRole == after.wantedRole ? [] : [after.id]
        case (.node(let node), nil), (nil, .node(let node)): return node.manager == nil ? [] : nil
        case (.service, _), (_, .service): return []
        case _ where change.isUnused: return []
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
        // A task that is to end is no answer any more, even where its node is lost and cannot say so.
        let isServing = status.isServing && desiredState <= .running
        return networks.map { attachment in
            NetworkEndpoint(
                network: attachment.network, task: id, node: nodeID, address: attachment.address,
                serviceName: serviceName, taskName: name, aliases: attachment.aliases, isServing: isServing,
                ports: ports.filter { $0.mode == .ingress })
        }
    }
}

extension Node {
    /// A manager until Raft goes on without it.
    var wantedRole: WantedRole {
        spec.role == .manager || manager != nil ? .manager(raftID: manager?.raftID ?? 0) : .worker
    }

    var overlayPeer: OverlayPeer? {
        guard let description, !description.overlayKey.isEmpty, !description.overlayEndpoint.isEmpty else { return nil }
        return OverlayPeer(node: id, key: description.overlayKey, endpoint: description.overlayEndpoint)
    }
}
