import Consensus

/// What the clients did and saw, register by register.
struct History {
    private var operations: [[Operation?]]
    /// The version that each value bears.
    private var versions: [UInt64: UInt64] = [:]

    init(keys: Int) {
        operations = [[Operation?]](repeating: [], count: keys)
    }

    /// - Returns: what names the operation in the other calls.
    mutating func call(_ key: Int, _ client: Int, _ kind: Operation.Kind, at time: Microseconds) -> Int {
        operations[key].append(
            Operation(client: client, kind: kind, calledAt: time, returnedAt: .max, outcome: .unknown))
        return operations[key].count - 1
    }

    mutating func finish(_ key: Int, _ number: Int, _ outcome: Operation.Outcome, at time: Microseconds) {
        operations[key][number]?.outcome = outcome
        operations[key][number]?.returnedAt = time
    }

    /// Nothing has happened.
    mutating func withdraw(_ key: Int, _ number: Int) { operations[key][number] = nil }

    /// A value is written once, so it bears one version for ever.
    mutating func saw(_ value: UInt64, version: UInt64) throws(Violation) {
        if let known = versions[value], known != version {
            throw .safety("value \(value) was seen with version \(known) and with \(version)")
        }
        versions[value] = version
    }

    func known(_ key: Int) -> [Operation] {
        // A read that was never answered says nothing.
        operations[key].compactMap { $0 }.filter { $0.kind != .read || $0.outcome != .unknown }
    }

    func check(_ coverage: CoverageCounter) throws(Violation) {
        for key in operations.indices {
            let history = known(key)
            coverage.note(.readOverlappedWrite, overlaps(history))
            switch Linearizability.check(history) {
            case .linearizable: coverage.note(.keyHistoryChecked)
            case .undecided: break
            case .violated(let longest, let stuck):
                let last = longest.suffix(4).map(text).joined(separator: "; ")
                throw .safety(
                    "the history of register \(key) is not linearizable: after [\(last)] none of "
                        + "[\(stuck.map(text).joined(separator: "; "))] can follow")
            }
        }
    }

    private func overlaps(_ history: [Operation]) -> Int {
        history.count { read in
            read.kind == .read
                && history.contains {
                    $0.kind != .read && $0.outcome == .set && $0.calledAt < read.returnedAt
                        && read.calledAt < $0.returnedAt
                }
        }
    }

    private func text(_ operation: Operation) -> String {
        let until = operation.outcome == .unknown ? "?" : "\(operation.returnedAt)"
        return "client \(operation.client) \(operation.calledAt)…\(until) \(operation.kind) → \(operation.outcome)"
    }
}
