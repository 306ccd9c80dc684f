import ClusterModel
import ClusterState
import Primitives

@testable import Orchestration

/// Watches every change from outside, and remembers what must never be.
struct MiniChecker {
    private(set) var violations: [String] = []
    /// How many tasks a service may have a moment after it was scaled.
    private var ceilings: [ServiceID: (until: Timestamp, count: Int)] = [:]

    mutating func allow(_ id: ServiceID, old: ServiceSpec, new: ServiceSpec, now: Timestamp) {
        let most = max(MiniChecker.limit(old), MiniChecker.limit(new))
        if let ceiling = ceilings[id], ceiling.until >= now {
            ceilings[id] = (now + .seconds(2), max(ceiling.count, most))
        } else {
            ceilings[id] = (now + .seconds(2), most)
        }
    }

    private static func limit(_ spec: ServiceSpec) -> Int {
        guard case .replicated(let replicas) = spec.mode else { return .max }
        let extra = [spec.update, spec.rollback].filter { $0.order == .startFirst }.map(\.parallelism).max() ?? 0
        return Int(replicas + extra)
    }

    mutating func check(_ changes: [StateChange], _ tables: ClusterTables, now: Timestamp) {
        for change in changes {
            guard case (.task(let old), .task(let new)) = (change.before, change.after) else { continue }
            if new.status.state < old.status.state { note("task \(new.id) went back from \(old.status.state)") }
            if new.desiredState < old.desiredState { note("task \(new.id) is wanted again") }
            if let node = old.nodeID, node != new.nodeID { note("task \(new.id) was moved") }
        }
        checkAddresses(tables)
        for service in tables.services.sorted { checkSlots(service, tables, now: now) }
    }

    private mutating func checkAddresses(_ tables: ClusterTables) {
        var used: Set<String> = []
        func use(_ network: NetworkID, _ address: IPv4Address) -> Bool { used.insert("\(network) \(address)").inserted }
        var doubled: [String] = []
        for network in tables.networks.sorted {
            guard let allocation = network.allocation else { continue }
            for address in [allocation.gateway] + allocation.nodeAddresses.values.sorted()
            where !use(network.id, address) { doubled.append("\(address)") }
        }
        for task in tables.tasks.sorted where !task.status.state.isTerminal {
            for attachment in task.networks where !use(attachment.network, attachment.address) {
                doubled.append("\(attachment.address) of task \(task.id)")
            }
        }
        for address in doubled { note("address \(address) is used twice") }
    }

    private mutating func checkSlots(_ service: Service, _ tables: ClusterTables, now: Timestamp) {
        let active = tables.tasks(of: service.id).filter(\.isActive)
        let perSlot = service.spec.update.order == .startFirst || service.spec.rollback.order == .startFirst ? 2 : 1
        var slots: [SlotKey: Int] = [:]
        for task in active { slots[task.slotKey, default: 0] += 1 }
        for (slot, count) in slots.sorted(by: { $0.key < $1.key }) where count > perSlot {
            note("slot \(slot) of \(service.spec.name) has \(count) tasks")
        }
        var limit = MiniChecker.limit(service.spec)
        if let ceiling = ceilings[service.id], ceiling.until >= now { limit = max(limit, ceiling.count) }
        if active.count > limit { note("\(service.spec.name) has \(active.count) tasks, \(limit) are the most") }
    }

    /// What an update stops must leave enough that serves, in the state that it decided on.
    mutating func checkUpdate(_ transactions: [Transaction], _ tables: ClusterTables) {
        var stopped: [ServiceID: Set<TaskID>] = [:]
        for case .update(.task(let task), _) in transactions.flatMap(\.changes) where !task.isActive {
            stopped[task.serviceID, default: []].insert(task.id)
        }
        for (id, tasks) in stopped.sorted(by: { $0.key < $1.key }) {
            guard let service = tables.services[id], case .replicated(let replicas) = service.spec.mode else {
                continue
            }
            let config = service.updateConfig
            guard config.failureAction != .continue else { continue }
            let serving = tables.tasks(of: id).filter { $0.isActive && $0.status.isServing }
            let left = Set(serving.filter { !tasks.contains($0.id) }.map(\.slotKey)).count
            let before = Set(serving.map(\.slotKey)).count
            let floor = config.order == .startFirst ? Int(replicas) : Int(replicas) - Int(config.parallelism)
            if left < before, left < floor {
                note("the update of \(service.spec.name) leaves \(left) of \(before) serving slots, \(floor) are due")
            }
        }
    }

    private mutating func note(_ text: String) { if violations.count < 20 { violations.append(text) } }
}
