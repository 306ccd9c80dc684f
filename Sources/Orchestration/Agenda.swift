import Primitives

/// The keys that a loop must look at: those that changed, those that it proposed something for (the proposal may have
/// been refused), and those whose time has come.
struct Agenda<Key: Hashable & Comparable & Sendable>: Sendable {
    private var again: Set<Key> = []
    private var wakes: [Key: Timestamp] = [:]

    /// The keys to look at now, ordered; they are off the agenda until noted again.
    mutating func take(_ touched: Set<Key>, now: Timestamp) -> [Key] {
        var due = touched.union(again)
        again = []
        for (key, time) in wakes where time <= now { due.insert(key) }
        for key in due { wakes[key] = nil }
        return due.sorted()
    }

    mutating func repeatNextRun(_ key: Key) { again.insert(key) }

    mutating func wake(_ key: Key, at time: Timestamp?) {
        guard let time else { return }
        wakes[key] = min(time, wakes[key] ?? time)
    }

    var nextWake: Timestamp? { wakes.values.min() }
}
