import DurableLog
import Primitives
import Synchronization

extension LogSealing {
    private static let openings = Atomic<UInt64>(0)

    /// A key that follows from its number, and a salt that no other opening has.
    static func test(key number: UInt64 = 1) -> LogSealing {
        let salt = openings.wrappingAdd(1, ordering: .relaxed).newValue
        return LogSealing(key: .test(number), salt: UInt128(salt))
    }
}

extension LogKey {
    static func test(_ number: UInt64 = 1) -> LogKey {
        var random = SeededRandom(seed: number)
        return LogKey(using: &random)
    }
}
