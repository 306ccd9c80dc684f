import Primitives

/// When a certificate is asked for again: at once the first time, then more and more seldom, so that a wrong clock makes
/// no storm.
struct RenewalPace {
    private var failures = 0
    private var restsUntil = Instant(nanoseconds: 0)

    /// The longest rest, and the one where a new certificate is due for renewal at once: only a clock can be wrong then.
    private static let longestRest = Duration.seconds(60)
    /// Rests differ by this share, so that nodes that failed together do not ask together.
    private static let jitter = 0.25

    func allows(_ now: Instant) -> Bool { now >= restsUntil }

    mutating func onFailure(_ now: Instant) {
        let rest = min(.seconds(1 << min(failures, 6)), RenewalPace.longestRest)
        failures += 1
        restsUntil = now + rest * Double.random(in: 1 - RenewalPace.jitter...1 + RenewalPace.jitter)
    }

    mutating func onSuccess(_ now: Instant, isStillDue: Bool) {
        failures = 0
        restsUntil = isStillDue ? now + RenewalPace.longestRest : Instant(nanoseconds: 0)
    }
}
