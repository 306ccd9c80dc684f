import ClusterModel
import ClusterState
import Primitives

/// Watches the state that the managers agree on, change by change, and knows nothing of the control loops.
struct ClusterChecker {
    func check(
        _ changes: [StateChange], _ tables: ClusterTables, _ coverage: CoverageCounter
    ) throws(Violation) {
        var concerned: Set<ServiceID> = []
        var touchesAddresses = false
        for change in changes {
            switch (change.before, change.after) {
            case (.task(let old), .task(let new)):
                try check(old, new, coverage)
                concerned.insert(new.serviceID)
                touchesAddresses = touchesAddresses || old.networks != new.networks
            case (nil, .task(let new)): concerned.insert(new.serviceID)
            case (.node(let old), .node(let new)):
                if old.status.state != .down, new.status.state == .down { coverage.note(.nodeLost) }
            case (.node, nil): coverage.note(.nodeRemoved)
            case (.service(let old), .service(let new)):
                touchesAddresses = touchesAddresses || old.ports != new.ports
                note(old.update?.state, new.update?.state, coverage)
            case (_, .network): touchesAddresses = true
            default: break
            }
        }
        if touchesAddresses { try checkAddresses(tables, coverage) }
        for id in concerned.sorted() {
            if let service = tables.services[id] { try checkSlots(service, tables, coverage) }
        }
    }

    private func note(_ old: UpdateState?, _ new: UpdateState?, _ coverage: CoverageCounter) {
        guard old != new else { return }
        switch new {
        case .completed?: coverage.note(.updateCompleted)
        case .rollbackCompleted?: coverage.note(.rollbackCompleted)
        default: break
        }
    }

    private func check(_ old: ClusterTask, _ new: ClusterTask, _ coverage: CoverageCounter) throws(Violation) {
        if new.status.state < old.status.state {
            throw .safety("task \(new.id) went back from \(old.status.state) to \(new.status.state)")
        }
        if new.desiredState < old.desiredState {
            throw .safety("task \(new.id) is wanted again: from \(old.desiredState) to \(new.desiredState)")
        }
        if let node = old.nodeID, node != new.nodeID { throw .safety("task \(new.id) was moved to another node") }
        coverage.note(.taskWentOn)
    }

    /// Addresses, VXLAN network identifiers and published ports have one owner.
    private func checkAddresses(_ tables: ClusterTables, _ coverage: CoverageCounter) throws(Violation) {
        coverage.note(.addressesChecked)
        var owners: [String: String] = [:]
        func take(_ what: String, _ owner: String) throws(Violation) {
            if let other = owners.updateValue(owner, forKey: what) {
                throw .safety("\(what) was given to \(other) and to \(owner)")
            }
        }
        for network in tables.networks.sorted {
            guard let allocation = network.allocation else { continue }
            try take("VNI \(allocation.vni)", "network \(network.id)")
            try take("address \(allocation.gateway) of \(network.spec.name)", "the gateway")
            for (node, address) in allocation.nodeAddresses.sorted(by: { $0.key < $1.key }) {
                try take("address \(address) of \(network.spec.name)", "node \(node)")
            }
        }
        for task in tables.tasks.sorted where !task.status.state.isTerminal {
            for attachment in task.networks {
                guard let network = tables.networks[attachment.network] else { continue }
                try take("address \(attachment.address) of \(network.spec.name)", "task \(task.id)")
            }
        }
        for service in tables.services.sorted {
            for port in service.ports where port.mode == .ingress {
                try take("port \(port.publishedPort)/\(port.protocol)", "service \(service.spec.name)")
            }
        }
    }

    /// A slot has one task that is wanted; two where an update starts the new one first.
    private func checkSlots(
        _ service: Service, _ tables: ClusterTables, _ coverage: CoverageCounter
    ) throws(Violation) {
        coverage.note(.slotsChecked)
        let startsFirst = service.spec.update.order == .startFirst || service.spec.rollback.order == .startFirst
        var counts: [String: Int] = [:]
        for task in tables.tasks(of: service.id) where task.desiredState <= .running {
            let slot = task.slot == 0 ? task.nodeID.map { "node \($0)" } ?? "no node" : "\(task.slot)"
            counts[slot, default: 0] += 1
        }
        for (slot, count) in counts.sorted(by: { $0.key < $1.key }) where count > (startsFirst ? 2 : 1) {
            throw .safety("slot \(slot) of service \(service.spec.name) was given to \(count) tasks")
        }
    }
}
