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

    func transactions(at now: Timestamp) -> [Transaction] { TransactionPacker.transactions(of: units, at: now) }
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
