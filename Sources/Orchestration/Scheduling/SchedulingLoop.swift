import ClusterModel
public import ClusterState
public import Primitives

/// Finds a node for each pending task: filters that explain themselves, then spread preferences, then the node with
/// the fewest tasks of the service, then with the fewest at all.
///
/// The one writer of `nodeID` in replicated services and of the step from pending to assigned.
public struct SchedulingLoop: ControlLoop {
    private var pending: Set<TaskID> = []
    /// The last round proposed something, which may have been refused.
    private var isUnsettled = false

    public init() {}

    public mutating func run(
        _ tables: ClusterTables, changes: [StateChange]?, now: Timestamp, random: inout SeededRandom
    ) -> LoopOutput {
        let mayHaveRoom = note(changes, tables)
        guard mayHaveRoom || isUnsettled, !pending.isEmpty else {
            isUnsettled = false
            return LoopOutput()
        }
        let tasks = pending.sorted().compactMap { tables.tasks[$0] }.filter(\.isSchedulable)
        pending = Set(tasks.map(\.id))
        var round = SchedulingRound(tables, for: tasks, now: now)
        let batch = round.run(tasks)
        isUnsettled = !batch.isEmpty
        return LoopOutput(transactions: batch.transactions(at: now))
    }

    /// Keeps the set of pending tasks; true when one that found no node may find one now.
    private mutating func note(_ changes: [StateChange]?, _ tables: ClusterTables) -> Bool {
        guard let changes else {
            pending = []
            for task in tables.activeTasks where task.isSchedulable { pending.insert(task.id) }
            return true
        }
        var mayHaveRoom = false
        for change in changes {
            switch (change.before, change.after) {
            case (.task(let before), .task(let after)):
                if after.isSchedulable {
                    // What changed may be no more than our own explanation.
                    if pending.insert(after.id).inserted { mayHaveRoom = true }
                } else {
                    pending.remove(after.id)
                }
                if before.takesResources != after.takesResources || before.isActive != after.isActive {
                    mayHaveRoom = true
                }
            case (nil, .task(let task)) where task.isSchedulable:
                pending.insert(task.id)
                mayHaveRoom = true
            case (.task(let task), nil):
                pending.remove(task.id)
                mayHaveRoom = true
            case (.node, _), (_, .node): mayHaveRoom = true
            default: break
            }
        }
        return mayHaveRoom
    }
}

extension ClusterTask {
    var isSchedulable: Bool { status.state == .pending && isActive }
}

/// One look at all pending tasks.
struct SchedulingRound {
    private struct Version: Hashable, Comparable {
        let service: ServiceID
        let version: UInt64
        static func < (a: Version, b: Version) -> Bool { (a.service, a.version) < (b.service, b.version) }
    }

    private var loads: [NodeLoad]
    private let indexes: [NodeID: Int]
    /// Wanted tasks of a service by node, and recent failures of a version by node.
    private var serviceTasks: [ServiceID: [Int]] = [:]
    private var failures: [Version: [Int]] = [:]
    private let now: Timestamp
    private var batch = ChangeBatch()

    init(_ tables: ClusterTables, for tasks: [ClusterTask], now: Timestamp) {
        self.now = now
        var loads = tables.nodes.sorted.map(NodeLoad.init)
        var indexes: [NodeID: Int] = [:]
        for (index, load) in loads.enumerated() { indexes[load.node.id] = index }
        let none = [Int](repeating: 0, count: loads.count)
        var serviceTasks: [ServiceID: [Int]] = [:]
        var failures: [Version: [Int]] = [:]
        for task in tasks {
            serviceTasks[task.serviceID] = none
            failures[Version(service: task.serviceID, version: task.serviceVersion)] = none
        }
        let horizon = now - OrchestrationLimits.failureWindow
        tables.tasks.forEachUnordered { task in
            guard !task.isUnassigned, let index = task.nodeID.flatMap({ indexes[$0] }) else { return }
            if task.takesResources {
                loads[index].add(task)
                if task.isActive { serviceTasks[task.serviceID]?[index] += 1 }
            } else if task.hasFailed, task.status.timestamp >= horizon {
                failures[Version(service: task.serviceID, version: task.serviceVersion)]?[index] += 1
            }
        }
        self.loads = loads
        self.indexes = indexes
        self.serviceTasks = serviceTasks
        self.failures = failures
    }

    mutating func run(_ tasks: [ClusterTask]) -> ChangeBatch {
        var groups: [Version: [ClusterTask]] = [:]
        for task in tasks {
            if task.nodeID == nil {
                groups[Version(service: task.serviceID, version: task.serviceVersion), default: []].append(task)
            } else {
                placeFixed(task)
            }
        }
        for (version, group) in groups.sorted(by: { $0.key < $1.key }) {
            place(group.sorted { ($0.slot, $0.id) < ($1.slot, $1.id) }, version)
        }
        return batch
    }

    /// Whether a further task of the service would find a node now, and if not what is in its way.
    func obstacles(to demand: Demand, of service: ServiceID, on only: NodeID? = nil) -> [Filter: Int]? {
        var failures: [Filter: Int] = [:]
        for (index, load) in loads.enumerated() where only == nil || load.node.id == only {
            guard let filter = demand.obstacle(on: load, replicas: serviceTasks[service]?[index] ?? 0) else {
                return nil
            }
            failures[filter, default: 0] += 1
        }
        return failures
    }

    /// A global service's task has its node since it was made.
    private mutating func placeFixed(_ task: ClusterTask) {
        guard let index = task.nodeID.flatMap({ indexes[$0] }) else { return }
        let replicas = serviceTasks[task.serviceID]?[index] ?? 0
        if let filter = Demand(task).obstacle(on: loads[index], replicas: replicas) {
            explain(task, Filter.explanation([filter: 1]))
        } else {
            assign(task, to: index)
        }
    }

    private mutating func place(_ group: [ClusterTask], _ version: Version) {
        guard let first = group.first else { return }
        let demand = Demand(first)
        var tree = SpreadTree(preferences: demand.placement.spread)
        for index in loads.indices {
            let isFit = demand.obstacle(on: loads[index], replicas: replicas(version, index)) == nil
            tree.add(
                loads[index].node, index: index, serviceTasks: replicas(version, index),
                candidate: isFit ? candidate(version, index) : nil)
        }
        var explanation: String?
        for task in group {
            if batch.isFull { return }
            if explanation == nil, let best = tree.take() {
                assign(task, to: best.index)
                if demand.obstacle(on: loads[best.index], replicas: replicas(version, best.index)) == nil {
                    tree.put(candidate(version, best.index))
                }
            } else {
                let text = explanation ?? Filter.explanation(obstacles(to: demand, of: version.service) ?? [:])
                explanation = text
                explain(task, text)
            }
        }
    }

    private func replicas(_ version: Version, _ index: Int) -> Int { serviceTasks[version.service]?[index] ?? 0 }

    private func candidate(_ version: Version, _ index: Int) -> Candidate {
        Candidate(
            isFailing: (failures[version]?[index] ?? 0) >= OrchestrationLimits.failuresPerNode,
            serviceTasks: replicas(version, index), totalTasks: loads[index].taskCount, node: loads[index].node.id,
            index: index)
    }

    private mutating func assign(_ task: ClusterTask, to index: Int) {
        var task = task
        task.nodeID = loads[index].node.id
        task.status.state = .assigned
        task.status.timestamp = now
        task.status.message = "scheduler assigned task to node"
        task.status.error = ""
        loads[index].add(task)
        serviceTasks[task.serviceID]?[index] += 1
        batch.add(.update(task))
    }

    /// Written when it changes, not at every attempt.
    private mutating func explain(_ task: ClusterTask, _ text: String) {
        guard task.status.error != text, !batch.isFull else { return }
        var task = task
        task.status.error = text
        batch.add(.update(task))
    }
}
