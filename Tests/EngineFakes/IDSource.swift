import Primitives
import Synchronization

/// Ids in an order that is the same in every run.
final class IDSource: Sendable {
    private let random = Mutex(SeededRandom(seed: 11))

    func next() -> UInt128 {
        random.withLock { UInt128($0.next()) << 64 | UInt128($0.next()) }
    }
}
