import LinuxSystem
import Primitives
import Synchronization

/// What waits for the Raft thread: proposals in their order, and all else, in its own, which comes before them.
final class InputQueue: Sendable {
    private struct State {
        var proposals: [RaftInput] = []
        var others: [RaftInput] = []
        /// The thread does not wait for proposals now.
        var holdsProposals = false
        /// The thread has ended: nobody would take what is pushed.
        var isClosed = false

        /// - Returns: whether the thread is to be woken for it.
        mutating func append(_ input: RaftInput) -> Bool {
            if case .propose = input {
                proposals.append(input)
                return proposals.count == 1 && !holdsProposals
            }
            others.append(input)
            return others.count == 1
        }

        mutating func takeAll() -> [RaftInput] {
            defer { (proposals, others) = ([], []) }
            return others + proposals
        }
    }

    private let state = Mutex(State())
    private let signal = ThreadSignal()

    /// False when the queue is full or closed: the input is not taken.
    func push(_ input: RaftInput) -> Bool {
        let (isTaken, wakes) = state.withLock { state in
            guard !state.isClosed, state.proposals.count + state.others.count < ManagerLimits.inputs else {
                return (false, false)
            }
            return (true, state.append(input))
        }
        if wakes { signal.set() }
        return isTaken
    }

    /// Everything that waits, once there is something, or at that time.
    ///
    /// - Parameter release: before it proposals stay in the queue, and nobody is woken for them.
    func take(until instant: Instant, proposalsFrom release: Instant) -> [RaftInput] {
        // What it was set for is found below.
        signal.clear()
        let isHolding = Clock.now < release
        let isWaiting = state.withLock { state in
            state.holdsProposals = isHolding
            return state.others.isEmpty && (isHolding || state.proposals.isEmpty)
        }
        if isWaiting { signal.wait(until: isHolding ? min(instant, release) : instant) }
        return state.withLock { state in
            guard isHolding, Clock.now < release else { return state.takeAll() }
            defer { state.others = [] }
            return state.others
        }
    }

    /// Takes nothing any more, and returns what nobody has taken.
    func close() -> [RaftInput] {
        state.withLock { state in
            state.isClosed = true
            return state.takeAll()
        }
    }
}
