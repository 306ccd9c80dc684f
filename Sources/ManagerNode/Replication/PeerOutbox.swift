import Consensus
import DequeModule
import Synchronization

/// Messages on their way to one peer. One call after the other takes from it: unlike an `AsyncStream` it outlives the
/// cancellation of a reader, so a broken connection does not end it.
final class PeerOutbox: Sendable {
    private struct State {
        var messages: Deque<Consensus.Message> = []
        var waiter: CheckedContinuation<Consensus.Message?, Never>?
        var isFinished = false
    }

    private let state = Mutex(State())

    /// False when the peer is too far behind: the message is dropped.
    func push(_ message: Consensus.Message) -> Bool {
        let waiter: CheckedContinuation<Consensus.Message?, Never>?
        let isTaken: Bool
        (waiter, isTaken) = state.withLock { state in
            if let waiter = state.waiter {
                state.waiter = nil
                return (waiter, true)
            }
            guard !state.isFinished, state.messages.count < ManagerLimits.peerMessages else { return (nil, false) }
            state.messages.append(message)
            return (nil, true)
        }
        waiter?.resume(returning: message)
        return isTaken
    }

    /// The next message; nil at the end, or when the reading task is cancelled.
    func next() async -> Consensus.Message? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome: Consensus.Message?? = state.withLock { state in
                    if let message = state.messages.popFirst() { return .some(message) }
                    if state.isFinished || Task.isCancelled || state.waiter != nil { return .some(nil) }
                    state.waiter = continuation
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            takeWaiter()?.resume(returning: nil)
        }
    }

    func finish() {
        state.withLock { $0.isFinished = true }
        takeWaiter()?.resume(returning: nil)
    }

    private func takeWaiter() -> CheckedContinuation<Consensus.Message?, Never>? {
        state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
    }
}
