public import ClusterModel
internal import HashTreeCollections
public import Primitives

/// The whole replicated state at one raft index: a value, so a snapshot for a reader costs O(1) and needs no lock.
public struct ClusterTables: Sendable {
    public private(set) var roster = Roster()
    public private(set) var services = Table<ServiceTag, Service>()
    public private(set) var tasks = Table<TaskTag, ClusterTask>()
    public private(set) var networks = Table<NetworkTag, Network>()
    public private(set) var secrets = Table<SecretTag, Secret>()
    public private(set) var configs = Table<ConfigTag, Config>()
    /// The raft index of the last applied transaction, refused ones included.
    public private(set) var index: UInt64 = 0

    private(set) var taskIndexes = TaskIndexes()
    private var serviceNames: TreeDictionary<String, ServiceID> = [:]
    private var networkNames: TreeDictionary<String, NetworkID> = [:]
    private var secretNames: TreeDictionary<String, SecretID> = [:]
    private var configNames: TreeDictionary<String, ConfigID> = [:]

    public init() {}

    public var cluster: Cluster? { roster.cluster }
    public var nodes: Table<NodeTag, Node> { roster.nodes }

    public subscript(key: ObjectKey) -> ClusterObject? {
        switch key {
        case .cluster(let id): cluster.flatMap { $0.id == id ? .cluster($0) : nil }
        case .node(let id): nodes[id].map(ClusterObject.node)
        case .service(let id): services[id].map(ClusterObject.service)
        case .task(let id): tasks[id].map(ClusterObject.task)
        case .network(let id): networks[id].map(ClusterObject.network)
        case .secret(let id): secrets[id].map(ClusterObject.secret)
        case .config(let id): configs[id].map(ClusterObject.config)
        }
    }

    /// The service's tasks, ended ones included, ordered by id.
    public func tasks(of service: ServiceID) -> [ClusterTask] { resolved(taskIndexes.ids(of: service)) }

    /// The service's tasks of which this is wanted, ordered by id.
    public func tasks(of service: ServiceID, desiring state: TaskState) -> [ClusterTask] {
        resolved(taskIndexes.ids(of: service, desiring: state))
    }

    /// All tasks of which this is wanted, ordered by id.
    public func tasks(desiring state: TaskState) -> [ClusterTask] { resolved(taskIndexes.ids(desiring: state)) }

    /// The slot's tasks, ended ones included, ordered by id.
    public func tasks(in slot: TaskSlot) -> [ClusterTask] { resolved(taskIndexes.ids(in: slot)) }

    /// The node's tasks, ended ones included, ordered by id.
    public func tasks(on node: NodeID) -> [ClusterTask] { resolved(taskIndexes.ids(on: node)) }

    /// Services that have tasks, in an unspecified order: also services that are gone.
    public var servicesWithTasks: Set<ServiceID> { taskIndexes.services }

    /// Nodes that have tasks, in an unspecified order: also nodes that are gone.
    public var nodesWithTasks: Set<NodeID> { taskIndexes.nodes }

    /// Slots that have tasks, in an unspecified order.
    public var slotsWithTasks: Set<TaskSlot> { taskIndexes.slots }

    public func service(named name: String) -> Service? { serviceNames[name].flatMap { services[$0] } }
    public func network(named name: String) -> Network? { networkNames[name].flatMap { networks[$0] } }
    public func secret(named name: String) -> Secret? { secretNames[name].flatMap { secrets[$0] } }
    public func config(named name: String) -> Config? { configNames[name].flatMap { configs[$0] } }

    /// Every object, the cluster first, then each kind ordered by id: what a raft snapshot holds.
    public var objects: ObjectsInOrder { ObjectsInOrder(self) }

    /// The state that a raft snapshot holds.
    public init(objects: some Sequence<ClusterObject>, index: UInt64) {
        restore(objects)
        self.index = index
    }

    /// Puts in objects as a raft snapshot holds them, some of them at a time; ``skip(to:)`` then tells the index.
    public mutating func restore(_ objects: some Sequence<ClusterObject>) {
        for object in objects { put(object) }
    }

    private func resolved(_ ids: [TaskID]) -> [ClusterTask] { ids.sorted().compactMap { tasks[$0] } }
}

/// One object before and after a transaction; a nil is: not there.
public struct StateChange: Hashable, Sendable {
    public var before: ClusterObject?
    public var after: ClusterObject?

    public init(before: ClusterObject?, after: ClusterObject?) {
        self.before = before
        self.after = after
    }

    /// Whether nothing in the state can refer to the object: a secret or a config that has only just been made.
    public var isUnused: Bool {
        switch (before, after) {
        case (nil, .secret), (nil, .config): true
        default: false
        }
    }
}

extension ClusterTables {
    /// Applies a committed transaction: all of it, or nothing when a version or name does not fit.
    ///
    /// The outcome is a function of the state and the arguments alone, so it is the same on every manager.
    public mutating func apply(_ transaction: Transaction, at index: UInt64) -> Result<
        [StateChange], TransactionRefusal
    > {
        // A single change is refused before anything is touched. To keep the state as it was has a price: whatever is
        // touched afterwards must be copied.
        let before = transaction.changes.count > 1 ? self : nil
        var changes: [StateChange] = []
        do throws(TransactionRefusal) {
            guard transaction.changes.count <= StateLimits.changesPerTransaction else {
                throw .tooLarge(changes: transaction.changes.count)
            }
            for change in transaction.changes {
                if let change = try apply(change, time: transaction.time, index: index) { changes.append(change) }
            }
        } catch {
            if let before { self = before }
            self.index = index
            return .failure(error)
        }
        self.index = index
        return .success(changes)
    }

    /// An entry without a transaction was applied.
    public mutating func skip(to index: UInt64) {
        self.index = index
    }

    private mutating func apply(
        _ change: Change, time: Timestamp, index: UInt64
    ) throws(TransactionRefusal) -> StateChange? {
        switch change {
        case .create(var object):
            if self[object.key] != nil { throw .exists(object.key) }
            try checkName(of: object, current: nil)
            object.meta = Meta(version: index, specVersion: index, createdAt: time, updatedAt: time)
            put(object)
            return StateChange(before: nil, after: object)
        case .update(var object, let bySpec):
            guard let current = self[object.key] else { throw .notFound(object.key) }
            #if !MUTANT_VERSION_CHECK_DROPPED
                guard current.meta.version == object.meta.version else {
                    throw .stale(object.key, expected: object.meta.version, found: current.meta.version)
                }
            #endif
            try checkName(of: object, current: current)
            object.keepObservations(of: current)
            object.meta = current.meta
            object.meta.version = index
            object.meta.updatedAt = time
            if bySpec { object.meta.specVersion = index }
            replace(current, by: object)
            if case (.node(let before), .node(let after)) = (current, object) { roster.revoke(from: before, to: after) }
            return StateChange(before: current, after: object)
        case .delete(let key, let version):
            guard let current = self[key] else { throw .notFound(key) }
            if let version, version != current.meta.version {
                throw .stale(key, expected: version, found: current.meta.version)
            }
            remove(current)
            if case .node(let node) = current { roster.revoke(from: node, to: nil) }
            return StateChange(before: current, after: nil)
        case .observeTask(let id, let status):
            guard var task = tasks[id], status.state >= task.status.state else { return nil }
            return observe(.task(task)) {
                task.status = status; return .task(task)
            }
        case .observeNode(let id, let status, let description):
            guard var node = nodes[id] else { return nil }
            return observe(.node(node)) {
                node.status = status
                node.description = description ?? node.description
                return .node(node)
            }
        }
    }

    /// An observation moves no version: it can make nobody's write stale.
    private mutating func observe(_ current: ClusterObject, _ change: () -> ClusterObject) -> StateChange? {
        let object = change()
        if object == current { return nil }
        replace(current, by: object)
        return StateChange(before: current, after: object)
    }

    private func checkName(of object: ClusterObject, current: ClusterObject?) throws(TransactionRefusal) {
        guard let (kind, name) = object.uniqueName, current?.uniqueName?.name != name else { return }
        let isTaken =
            switch object {
            case .service: serviceNames[name] != nil
            case .network: networkNames[name] != nil
            case .secret: secretNames[name] != nil
            case .config: configNames[name] != nil
            case .cluster, .node, .task: false
            }
        if isTaken { throw .nameTaken(kind: kind, name: name) }
    }

    private mutating func replace(_ current: ClusterObject, by object: ClusterObject) {
        if case .task(let before) = current, case .task(let after) = object {
            tasks.set(after, for: after.id)
            taskIndexes.replace(before, by: after)
        } else {
            remove(current)
            put(object)
        }
    }

    private mutating func put(_ object: ClusterObject) {
        switch object {
        case .cluster(let value): roster.cluster = value
        case .node(let value): roster.put(value)
        case .service(let value):
            services.set(value, for: value.id)
            serviceNames[value.spec.name] = value.id
        case .task(let value):
            tasks.set(value, for: value.id)
            taskIndexes.add(value)
        case .network(let value):
            networks.set(value, for: value.id)
            networkNames[value.spec.name] = value.id
        case .secret(let value):
            secrets.set(value, for: value.id)
            secretNames[value.name] = value.id
        case .config(let value):
            configs.set(value, for: value.id)
            configNames[value.name] = value.id
        }
    }

    private mutating func remove(_ object: ClusterObject) {
        switch object {
        case .cluster: roster.cluster = nil
        case .node(let value): roster.remove(value)
        case .service(let value):
            services.set(nil, for: value.id)
            serviceNames[value.spec.name] = nil
        case .task(let value):
            tasks.set(nil, for: value.id)
            taskIndexes.remove(value)
        case .network(let value):
            networks.set(nil, for: value.id)
            networkNames[value.spec.name] = nil
        case .secret(let value):
            secrets.set(nil, for: value.id)
            secretNames[value.name] = nil
        case .config(let value):
            configs.set(nil, for: value.id)
            configNames[value.name] = nil
        }
    }
}

extension ClusterObject {
    /// Fields that have another writer keep their stored values: a node's status and description, a task's status once
    /// its agent has it, and the cluster's revocations.
    mutating func keepObservations(of current: ClusterObject) {
        switch (self, current) {
        case (.task(var task), .task(let stored)):
            guard stored.status.state > .assigned || stored.status.state > task.status.state else { return }
            // A manager may still end a task whose agent will never report again.
            if task.status.state == .orphaned { return }
            task.status = stored.status
            self = .task(task)
        case (.node(var node), .node(let stored)):
            node.status = stored.status
            node.description = stored.description
            self = .node(node)
        case (.cluster(var cluster), .cluster(let stored)):
            cluster.revocations = stored.revocations
            self = .cluster(cluster)
        default: break
        }
    }

    fileprivate var uniqueName: (kind: String, name: String)? {
        switch self {
        case .service(let object): ("service", object.spec.name)
        case .network(let object): ("network", object.spec.name)
        case .secret(let object): ("secret", object.name)
        case .config(let object): ("config", object.name)
        case .cluster, .node, .task: nil
        }
    }
}
