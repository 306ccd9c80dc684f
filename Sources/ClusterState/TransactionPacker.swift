public import ClusterModel
public import Primitives

/// Fills transactions up to their limits, for writers whose changes need not all be made at once: what is added together
/// stays together, in the order in which it came.
public struct TransactionPacker: Sendable {
    private var changes: [Change] = []
    private var bytes = 0

    public init() {}

    public var isEmpty: Bool { changes.isEmpty }
    public var count: Int { changes.count }

    /// Adds changes that are made all or none; false, and nothing is added, when they do not fit beside what is there.
    ///
    /// Into an empty transaction everything goes: what is too large by itself is refused where it is proposed.
    public mutating func add(_ unit: [Change]) -> Bool {
        let size = unit.reduce(0) { $0 + $1.estimatedBytes }
        let isTooMuch =
            changes.count + unit.count > StateLimits.changesPerTransaction
            || bytes + size > StateLimits.estimatedTransactionBytes
        if isTooMuch, !changes.isEmpty { return false }
        changes += unit
        bytes += size
        return true
    }

    /// What was added since the last call.
    public mutating func take() -> [Change] {
        defer { self = TransactionPacker() }
        return changes
    }

    /// As few transactions as hold the units in their order.
    public static func transactions(of units: some Sequence<[Change]>, at time: Timestamp) -> [Transaction] {
        var result: [Transaction] = []
        var packer = TransactionPacker()
        for unit in units where !packer.add(unit) {
            result.append(Transaction(packer.take(), time: time))
            _ = packer.add(unit)
        }
        if !packer.isEmpty { result.append(Transaction(packer.take(), time: time)) }
        return result
    }
}
