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

    fileprivate var changedKey: ObjectKey? {
        switch self {
        case .update(let object, _): object.key
        case .delete(let key, _): key
        case .create, .observeTask, .observeNode: nil
        }
    }
}
