import Primitives
import Synchronization

/// Lets renewals through at a bounded rate: after a new root every node asks for one at once.
final class RenewalGate: Sendable {
    private struct State {
        var tokens = Double(ManagerLimits.renewalsAtOnce)
        var lastTake: Instant?
    }

    private let state = Mutex(State())

    /// Whether one more may be made now; who may not asks again in a moment.
    func take(at now: Instant) -> Bool {
        state.withLock { state in
            if let last = state.lastTake, now > last {
                let seconds = Double(now.nanoseconds - last.nanoseconds) / 1e9
                let gained = state.tokens + seconds * Double(ManagerLimits.renewalsPerSecond)
                state.tokens = min(gained, Double(ManagerLimits.renewalsAtOnce))
            }
            state.lastTake = now
            guard state.tokens >= 1 else { return false }
            state.tokens -= 1
            return true
        }
    }
}
