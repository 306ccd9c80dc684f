// Not Foundation, which has an Operation too.
import Simulation

/// What clients of registers did and saw, in the order in which they began it.
struct RegisterHistory: Sendable {
    /// By register. The times are nanoseconds of one clock; the checker only compares them.
    private(set) var operations: [(key: String, operation: Operation)?] = []

    /// - Returns: what names the operation in the other calls.
    mutating func read(_ key: String, client: Int, at time: Int) -> Int {
        call(key, Operation(client: client, kind: .read, calledAt: time, returnedAt: .max, outcome: .unknown))
    }

    mutating func compareAndSet(_ key: String, client: Int, expected: UInt64, new: UInt64, at time: Int) -> Int {
        call(
            key,
            Operation(
                client: client, kind: .compareAndSet(expected: expected, new: new), calledAt: time, returnedAt: .max,
                outcome: .unknown))
    }

    private mutating func call(_ key: String, _ operation: Operation) -> Int {
        operations.append((key, operation))
        return operations.count - 1
    }

    mutating func sawValue(_ number: Int, _ value: UInt64, at time: Int) { finish(number, .value(value), at: time) }

    mutating func wasSet(_ number: Int, _ isSet: Bool, at time: Int) {
        finish(number, isSet ? .set : .refused, at: time)
    }

    private mutating func finish(_ number: Int, _ outcome: Operation.Outcome, at time: Int) {
        operations[number]?.operation.outcome = outcome
        operations[number]?.operation.returnedAt = time
    }

    /// Nothing was sent, or a read had no answer: it says nothing.
    mutating func withdraw(_ number: Int) { operations[number] = nil }

    // MARK: Checking

    private var byKey: [String: [Operation]] {
        Dictionary(grouping: operations.compactMap { $0 }, by: \.key).mapValues { $0.map(\.operation) }
    }

    /// Why it is not linearizable; nil when it is.
    var problem: String? {
        for (key, history) in byKey.sorted(by: { $0.key < $1.key }) {
            switch Linearizability.check(history) {
            case .linearizable: continue
            case .undecided: return "the search for an order of \(key) was given up"
            case .violated(let longest, let stuck):
                let last = longest.suffix(4).map { "\($0)" }.joined(separator: "\n  ")
                let next = stuck.map { "\($0)" }.joined(separator: "\n  ")
                return "\(key) is not linearizable: after\n  \(last)\nnone of these can follow\n  \(next)"
            }
        }
        return nil
    }

    func count(_ isMeant: (Operation) -> Bool) -> Int { operations.compactMap { $0?.operation }.count(where: isMeant) }

    var reads: Int { count { $0.kind == .read } }
    var sets: Int { count { $0.outcome == .set } }
    var refusals: Int { count { $0.outcome == .refused } }
    var unknowns: Int { count { $0.outcome == .unknown } }

    /// Reads that another client's write, which was over before, should have shown something newer to.
    ///
    /// - Returns: histories with one read changed to the value before that write; nil where no read is left to change.
    func falsified(at fraction: Double) -> RegisterHistory? {
        let candidates = operations.indices.filter { stale(at: $0) != nil }
        guard !candidates.isEmpty else { return nil }
        let index = candidates[min(candidates.count - 1, Int(Double(candidates.count) * fraction))]
        guard let value = stale(at: index) else { return nil }
        var changed = self
        changed.operations[index]?.operation.outcome = .value(value)
        return changed
    }

    /// What the read must not see any more: the value that the last write before it replaced.
    private func stale(at index: Int) -> UInt64? {
        guard let (key, read) = operations[index], read.kind == .read else { return nil }
        let before = operations[..<index].last { entry in
            guard let entry, entry.key == key, entry.operation.outcome == .set else { return false }
            return entry.operation.returnedAt < read.calledAt && entry.operation.client != read.client
        }
        guard case .compareAndSet(let expected, _) = before??.operation.kind else { return nil }
        return expected
    }

    // MARK: For other checkers

    /// A JSON array, one operation a line; docs/simulation.md says what the fields are.
    var json: String {
        let lines = operations.compactMap { $0 }.map { key, operation in
            var fields = ["\"client\":\(operation.client)"]
            switch operation.kind {
            case .read: fields.append("\"kind\":\"read\",\"key\":\"\(key)\"")
            case .compareAndSet(let expected, let new):
                fields.append("\"kind\":\"cas\",\"key\":\"\(key)\",\"expected\":\(expected),\"value\":\(new)")
            }
            if case .value(let value) = operation.outcome { fields.append("\"value\":\(value)") }
            let isKnown = operation.outcome != .unknown
            fields.append("\"invoke_ns\":\(operation.calledAt)")
            fields.append("\"return_ns\":\(isKnown ? "\(operation.returnedAt)" : "null")")
            let outcome = !isKnown ? "unknown" : operation.outcome == .refused ? "fail" : "ok"
            fields.append("\"outcome\":\"\(outcome)\"")
            return "{\(fields.joined(separator: ","))}"
        }
        return "[\n" + lines.joined(separator: ",\n") + "\n]\n"
    }
}
