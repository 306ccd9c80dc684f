import ClusterModel
import ClusterState
import Primitives

/// Collects changes and packs them into transactions: what is added together stays together.
///
/// A round changes an object once: a second change would be based on a version that the first one ended.
struct ChangeBatch {
    private var units: [[Change]] = []
    private var changed: Set<ObjectKey> = []
    private(set) var count = 0

    var isEmpty: Bool { units.isEmpty }
    /// The round has enough; what is left waits for the next.
    var isFull: Bool { count >= OrchestrationLimits.changesPerRound }

    mutating func add(_ unit: Change...) { add(unit) }

    mutating func add(_ unit: [Change]) {
        let keys = unit.compactMap(\.changedKey)
        guard keys.allSatisfy({ !changed.contains($0) }) else { return }
        changed.formUnion(keys)
        units.append(unit)
        count += unit.count
    }

    func transactions(at now: Timestamp) -> [Transaction] {
        var result: [Transaction] = []
        var open: [Change] = []
        var openBytes = 0
        for unit in units {
            let bytes = unit.reduce(0) { $0 + $1.estimatedBytes }
            let isTooMuch =
                open.count + unit.count > StateLimits.changesPerTransaction
                || openBytes + bytes > OrchestrationLimits.transactionBytes
            if isTooMuch, !open.isEmpty {
                result.append(Transaction(open, time: now))
                open = []
                openBytes = 0
            }
            open += unit
            openBytes += bytes
        }
        if !open.isEmpty { result.append(Transaction(open, time: now)) }
        return result
    }
}

extension Change {
    static func update(_ task: ClusterTask) -> Change { .update(.task(task), bySpec: false) }

    /// Roughly what the change takes in the log. What varies is a task's container.
    fileprivate var estimatedBytes: Int {
        switch self {
        case .create(let object), .update(let object, _): object.estimatedBytes
        case .delete, .observeTask, .observeNode: 512
        }
    }

    fileprivate var changedKey: ObjectKey? {
        switch self {
        case .update(let object, _): object.key
        case .delete(let key, _): key
        case .create, .observeTask, .observeNode: nil
        }
    }
}

extension ClusterObject {
    fileprivate var estimatedBytes: Int {
        switch self {
        case .task(let task): 512 + task.spec.container.estimatedBytes
        case .service(let service):
            512 + service.spec.task.container.estimatedBytes
                + (service.previousSpec?.task.container.estimatedBytes ?? 0)
        case .network(let network): 256 + 32 * (network.allocation?.nodeAddresses.count ?? 0)
        case .cluster, .node, .secret, .config: 4096
        }
    }
}

extension ContainerSpec {
    fileprivate var estimatedBytes: Int {
        func size(_ texts: [String]) -> Int { texts.reduce(0) { $0 + $1.utf8.count + 4 } }
        func size(_ texts: [String: String]) -> Int {
            texts.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 8 }
        }
        return size(command) + size(arguments) + size(environment) + size(labels) + size(sysctls) + size(hosts)
            + size(healthcheck?.test ?? []) + 128 * (mounts.count + secrets.count + configs.count)
    }
}
