import Primitives

/// The run's randomness: one stream, so that a seed is the whole run.
final class Chance {
    var random: SeededRandom

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    func percent(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    func perMille(_ perMille: Int) -> Bool { perMille > 0 && Int.random(in: 0..<1000, using: &random) < perMille }
    /// True `rate` times a minute when asked every `interval`.
    func perMinute(_ rate: Int, every interval: Microseconds) -> Bool {
        rate > 0 && Int.random(in: 0..<60_000_000, using: &random) < rate * interval
    }
    func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    func pick<Element>(_ elements: [Element]) -> Element? { elements.randomElement(using: &random) }
    func seed() -> UInt64 { random.next() }
}
