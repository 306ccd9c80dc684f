import LinuxSystem
import Primitives
import Synchronization

/// What waits for the Raft thread.
final class InputQueue: Sendable {
    private struct State {
        var inputs: [RaftInput] = []
        /// The thread has ended: nobody would take what is pushed.
        var isClosed = false
    }

    private let state = Mutex(State())
    private let signal = ThreadSignal()

    /// False when the queue is full or closed: the input is not taken.
    func push(_ input: RaftInput) -> Bool {
        let (isTaken, wasEmpty) = state.withLock { state in
            guard !state.isClosed, state.inputs.count < ManagerLimits.inputs else { return (false, false) }
            state.inputs.append(input)
            return (true, state.inputs.count == 1)
        }
        if wasEmpty { signal.set() }
        return isTaken
    }

    /// Everything that waits, once there is something, or at that time.
    func take(until instant: Instant) -> [RaftInput] {
        signal.wait(until: instant)
        return state.withLock { state in
            defer { state.inputs = [] }
            return state.inputs
        }
    }

    /// Takes nothing any more, and returns what nobody has taken.
    func close() -> [RaftInput] {
        state.withLock { state in
            state.isClosed = true
            defer { state.inputs = [] }
            return state.inputs
        }
    }
}
