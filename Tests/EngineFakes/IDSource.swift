import Primitives
import Synchronization

/// Ids in an order that is the same in every run.
final class IDSource: Sendable {
    private let random = Mutex(SeededRandom(seed: 11))

    func next() -> UInt128 {
        random.withLock { UInt128($0.next()) << 64 | UInt128($0.next()) }
    }
}

/// Counts what happens outside an actor.
final class EventCounter: Sendable {
    private let events = Mutex(0)

    var count: Int { events.withLock { $0 } }
    func add() { events.withLock { $0 += 1 } }
}
