import HeapModule

/// Virtual time since the run began.
public typealias Microseconds = Int

/// The one queue of a run: what happens next, and the clock that it moves. Events of the same time keep their order.
final class Scheduler {
    private struct Event: Comparable {
        let time: Microseconds
        let number: Int
        let action: () throws -> Void

        static func < (a: Event, b: Event) -> Bool { (a.time, a.number) < (b.time, b.number) }
        static func == (a: Event, b: Event) -> Bool { a.number == b.number }
    }

    private var events = Heap<Event>()
    private var count = 0
    private(set) var now: Microseconds = 0

    func after(_ delay: Microseconds, _ action: @escaping () throws -> Void) {
        count += 1
        events.insert(Event(time: now + max(0, delay), number: count, action: action))
    }

    /// Lets everything happen that is due until `end`, or until `isOver`.
    func run(until end: Microseconds, isOver: () -> Bool = { false }) throws {
        while let next = events.min, next.time <= end {
            events.removeMin()
            now = next.time
            try next.action()
            if isOver() { return }
        }
        now = max(now, end)
    }
}
