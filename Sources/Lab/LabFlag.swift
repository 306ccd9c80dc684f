import Synchronization

/// A flag that a signal handler sets: a lock-free store is async-signal-safe.
final class LabFlag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}
