/// One operation on one register, as the client saw it. Values are 0 (absent) or unique.
public struct Operation: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case read
        case compareAndSet(expected: UInt64, new: UInt64)
    }

    public enum Outcome: Hashable, Sendable {
        case value(UInt64)
        /// The value was the expected one and is the new one now.
        case set
        /// The value was not the expected one.
        case refused
        /// It took effect at some time after the call, or never.
        case unknown
    }

    public var client: Int
    public var kind: Kind
    public var calledAt: Microseconds
    /// Of no meaning where the outcome is unknown.
    public var returnedAt: Microseconds
    public var outcome: Outcome

    public init(client: Int, kind: Kind, calledAt: Microseconds, returnedAt: Microseconds, outcome: Outcome) {
        self.client = client
        self.kind = kind
        self.calledAt = calledAt
        self.returnedAt = returnedAt
        self.outcome = outcome
    }
}

/// Whether there is an order of the operations on one register in which each takes effect between its call and its return,
/// and all outcomes are right (Herlihy and Wing 1990).
///
/// Wing and Gong's search with Lowe's memory of the places it has been: what was put in order, and the value then.
public enum Linearizability {
    public enum Verdict: Hashable, Sendable {
        case linearizable
        /// The longest order that was found; nothing can follow it.
        case violated(longest: [Operation], stuckAt: [Operation])
        /// The search was given up.
        case undecided
    }

    private struct Place: Hashable {
        var done: [UInt64]
        var value: UInt64
    }

    private struct Event {
        var operation: Int
        var isCall: Bool
        var next: Int
        var previous: Int
    }

    public static func check(_ operations: [Operation], limit: Int = 2_000_000) -> Verdict {
        var search = Search(operations)
        return search.run(limit: limit)
    }

    private struct Search {
        let operations: [Operation]
        /// A doubly linked list in the order of time; the element 0 is before the first.
        var events: [Event] = [Event(operation: -1, isCall: true, next: 0, previous: 0)]
        var returnEvent: [Int]
        var place: Place
        var value: UInt64 { place.value }
        var seen: Set<Place> = []
        var trail: [(event: Int, before: UInt64)] = []
        var longest: [Int] = []

        init(_ operations: [Operation]) {
            self.operations = operations
            returnEvent = operations.map { _ in 0 }
            place = Place(done: [UInt64](repeating: 0, count: operations.count / 64 + 1), value: 0)
            var moments: [(time: Int, isReturn: Int, operation: Int)] = []
            for (index, operation) in operations.enumerated() {
                moments.append((operation.calledAt, 0, index))
                let isKnown = operation.outcome != .unknown
                moments.append((isKnown ? operation.returnedAt : .max, 1, index))
            }
            // At one time calls come before returns: what touches overlaps.
            moments.sort { $0 < $1 }
            for moment in moments {
                events[events.count - 1].next = events.count
                if moment.isReturn == 1 { returnEvent[moment.operation] = events.count }
                events.append(
                    Event(
                        operation: moment.operation, isCall: moment.isReturn == 0, next: 0,
                        previous: events.count - 1))
            }
        }

        mutating func run(limit: Int) -> Verdict {
            var current = events[0].next
            while events[0].next != 0 {
                let event = events[current]
                if event.isCall {
                    if let after = step(operations[event.operation], value), visit(event.operation, after) {
                        trail.append((current, value))
                        place.value = after
                        lift(current)
                        if trail.count > longest.count { longest = trail.map { events[$0.event].operation } }
                        current = events[0].next
                    } else {
                        current = event.next
                    }
                    if seen.count > limit { return .undecided }
                } else {
                    guard let last = trail.popLast() else { return violation }
                    put(back: last.event)
                    set(events[last.event].operation, false)
                    place.value = last.before
                    current = events[last.event].next
                }
            }
            return .linearizable
        }

        private var violation: Verdict {
            let done = Set(longest)
            let earliest = operations.indices.filter { !done.contains($0) && operations[$0].outcome != .unknown }
                .map { operations[$0].returnedAt }.min()
            let stuck = operations.indices.filter { index in
                !done.contains(index) && operations[index].calledAt <= earliest ?? .max
            }
            return .violated(longest: longest.map { operations[$0] }, stuckAt: stuck.map { operations[$0] })
        }

        /// The value after the operation; nil if its outcome would be wrong.
        private func step(_ operation: Operation, _ value: UInt64) -> UInt64? {
            switch (operation.kind, operation.outcome) {
            case (.read, .value(let read)): read == value ? value : nil
            case (.read, _): value
            case (.compareAndSet(let expected, let new), .unknown): value == expected ? new : value
            case (.compareAndSet(let expected, let new), .set): value == expected ? new : nil
            case (.compareAndSet(let expected, _), _): value == expected ? nil : value
            }
        }

        /// Marks the operation as done; false if the search was there already.
        private mutating func visit(_ operation: Int, _ after: UInt64) -> Bool {
            set(operation, true)
            if seen.insert(Place(done: place.done, value: after)).inserted { return true }
            set(operation, false)
            return false
        }

        private mutating func set(_ operation: Int, _ isDone: Bool) {
            let bit = UInt64(1) << UInt64(operation % 64)
            if isDone { place.done[operation / 64] |= bit } else { place.done[operation / 64] &= ~bit }
        }

        private mutating func lift(_ call: Int) {
            for event in [call, returnEvent[events[call].operation]] {
                events[events[event].previous].next = events[event].next
                if events[event].next != 0 { events[events[event].next].previous = events[event].previous }
            }
        }

        private mutating func put(back call: Int) {
            for event in [returnEvent[events[call].operation], call] {
                events[events[event].previous].next = event
                if events[event].next != 0 { events[events[event].next].previous = event }
            }
        }
    }
}
