import ClusterModel
import ClusterState
import Consensus
import Primitives
import Synchronization

/// What readers on this manager see: the state as of what is applied here, and where Raft stands.
final class Replica: Sendable {
    struct View: Sendable {
        var tables = ClusterTables()
        var status = RaftStatus(role: .follower, term: 0, leader: nil)
        var membership = Membership()
        /// Members that the leader has heard from lately; on a leader only.
        var active: Set<RaftID> = []
        /// Why Raft stopped for good.
        var failure: Failure?
    }

    private struct Waiter {
        let index: LogIndex
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var view = View()
        var waiters: [UInt64: Waiter] = [:]
        var nextWaiter: UInt64 = 0
        var observers: [UInt64: @Sendable ([StateChange], View) -> Void] = [:]
        var nextObserver: UInt64 = 0
    }

    private let state = Mutex(State())

    var view: View { state.withLock { $0.view } }

    /// Called by the Raft thread alone.
    func update(_ changes: [StateChange] = [], _ body: (inout View) -> Void) {
        let (view, ready, observers) = state.withLock { state in
            body(&state.view)
            let applied = state.view.tables.index
            let ready = state.waiters.filter { $0.value.index <= applied || state.view.failure != nil }
            for key in ready.keys { state.waiters[key] = nil }
            return (state.view, ready.map(\.value), state.observers.sorted { $0.key < $1.key }.map(\.value))
        }
        for waiter in ready {
            if let failure = view.failure {
                waiter.continuation.resume(throwing: failure)
            } else {
                waiter.continuation.resume()
            }
        }
        for observer in observers { observer(changes, view) }
    }

    /// Returns once this manager has applied `index`.
    func waitUntilApplied(_ index: LogIndex) async throws {
        let key = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    if let failure = state.view.failure { return .failure(failure) }
                    if state.view.tables.index >= index { return .success(()) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiters[key] = Waiter(index: index, continuation: continuation)
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: key) }?.continuation.resume(
                throwing: CancellationError())
        }
    }

    /// Calls `body` on the Raft thread after every change of state or status, with what changed; it must not block.
    /// The returned number ends it.
    func observe(_ body: @escaping @Sendable ([StateChange], View) -> Void) -> UInt64 {
        state.withLock { state in
            state.nextObserver += 1
            state.observers[state.nextObserver] = body
            return state.nextObserver
        }
    }

    func endObservation(_ observer: UInt64) {
        state.withLock { _ = $0.observers.removeValue(forKey: observer) }
    }
}
