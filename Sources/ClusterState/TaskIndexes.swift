public import ClusterModel
internal import HashTreeCollections
public import Primitives

/// What a service has one task of at a time: a number in a replicated service, a node in a global one. A task and those
/// that took its place are of one slot.
public struct TaskSlot: Hashable, Comparable, Sendable {
    public var service: ServiceID
    /// 0 in a global service.
    public var number: UInt64
    /// In a global service.
    public var node: NodeID?

    public init(of task: ClusterTask) {
        service = task.serviceID
        number = task.slot
        node = task.slot == 0 ? task.nodeID : nil
    }

    public static func < (a: TaskSlot, b: TaskSlot) -> Bool {
        if a.service != b.service { return a.service < b.service }
        if a.number != b.number { return a.number < b.number }
        switch (a.node, b.node) {
        case (let a?, let b?): return a < b
        case (nil, .some): return true
        case (_, nil): return false
        }
    }
}

/// Tasks by what others ask for them by. Every change of a task goes through here.
struct TaskIndexes: Sendable {
    private struct WantedKey: Hashable {
        let service: ServiceID
        let desired: TaskState
    }

    private var byWish: TreeDictionary<WantedKey, TreeSet<TaskID>> = [:]
    private var byNode: TreeDictionary<NodeID, TreeSet<TaskID>> = [:]
    private var bySlot: TreeDictionary<TaskSlot, SlotTasks> = [:]

    mutating func add(_ task: ClusterTask) {
        byWish[WantedKey(service: task.serviceID, desired: task.desiredState), default: []].insert(task.id)
        if let node = task.nodeID { byNode[node, default: []].insert(task.id) }
        bySlot[TaskSlot(of: task), default: .none].insert(task.id)
    }

    mutating func remove(_ task: ClusterTask) {
        let wish = WantedKey(service: task.serviceID, desired: task.desiredState)
        byWish[wish]?.remove(task.id)
        if byWish[wish]?.isEmpty == true { byWish[wish] = nil }
        if let node = task.nodeID {
            byNode[node]?.remove(task.id)
            if byNode[node]?.isEmpty == true { byNode[node] = nil }
        }
        let slot = TaskSlot(of: task)
        bySlot[slot]?.remove(task.id)
        if case .none? = bySlot[slot] { bySlot[slot] = nil }
    }

    /// What is stored of a task in another form; most changes are no news here.
    mutating func replace(_ before: ClusterTask, by after: ClusterTask) {
        if before.serviceID == after.serviceID, before.desiredState == after.desiredState,
            before.nodeID == after.nodeID, before.slot == after.slot
        {
            return
        }
        remove(before)
        add(after)
    }

    func ids(of service: ServiceID) -> [TaskID] {
        TaskState.allCases.flatMap { ids(of: service, desiring: $0) }
    }

    func ids(of service: ServiceID, desiring state: TaskState) -> [TaskID] {
        byWish[WantedKey(service: service, desired: state)].map(Array.init) ?? []
    }

    /// A look at every service, not at every task.
    func ids(desiring state: TaskState) -> [TaskID] {
        byWish.lazy.filter { $0.key.desired == state }.flatMap(\.value)
    }

    func ids(on node: NodeID) -> [TaskID] { byNode[node].map(Array.init) ?? [] }
    func ids(in slot: TaskSlot) -> [TaskID] { bySlot[slot]?.ids ?? [] }

    var services: Set<ServiceID> { Set(byWish.keys.lazy.map(\.service)) }
    var nodes: Set<NodeID> { Set(byNode.keys) }
    var slots: Set<TaskSlot> { Set(bySlot.keys) }
}

/// Most slots have one task: no set is made for it.
private enum SlotTasks {
    case none
    case one(TaskID)
    case several(TreeSet<TaskID>)

    var ids: [TaskID] {
        switch self {
        case .none: []
        case .one(let id): [id]
        case .several(let ids): Array(ids)
        }
    }

    mutating func insert(_ id: TaskID) {
        switch self {
        case .none: self = .one(id)
        case .one(let other) where other == id: break
        case .one(let other): self = .several([other, id])
        case .several(var ids):
            self = .none
            ids.insert(id)
            self = .several(ids)
        }
    }

    mutating func remove(_ id: TaskID) {
        switch self {
        case .none: break
        case .one(let other): if other == id { self = .none }
        case .several(var ids):
            self = .none
            ids.remove(id)
            self = ids.count == 1 ? ids.first.map(SlotTasks.one) ?? .none : .several(ids)
        }
    }
}
