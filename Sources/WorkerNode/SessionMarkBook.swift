import Synchronization

/// What this agent shows as its own: a random mark for each session, and the marks of those before it, so that managers
/// tell it from a second machine with the same identity.
///
/// In memory alone: a copy of the disk does not know them, and a copy of a running machine falls behind with its first
/// session.
final class SessionMarkBook: Sendable {
    private struct State {
        /// Of the last session that a manager answered.
        var answered: [UInt8]?
        /// Of sessions since then that may have begun without this agent's knowledge; the newest last.
        var open: [[UInt8]] = []
    }

    private let state = Mutex(State())

    /// A new session's mark, and those before it.
    func next() -> (own: [UInt8], earlier: [[UInt8]]) {
        var random = SystemRandomNumberGenerator()
        let own = (0..<WorkerLimits.markBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        return state.withLock { state in
            let earlier = [state.answered].compactMap { $0 } + state.open
            state.open = state.open.suffix(WorkerLimits.openMarks - 1) + [own]
            return (own, earlier)
        }
    }

    /// A manager has taken the newest session.
    func onAnswer() {
        state.withLock { state in
            guard let newest = state.open.last else { return }
            state = State(answered: newest)
        }
    }
}
