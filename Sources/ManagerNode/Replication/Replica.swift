import ClusterModel
import ClusterState
import Consensus
import HeapModule
import Primitives
import Synchronization

/// What readers on this manager see: the state as of what is applied here, and where Raft stands.
final class Replica: Sendable {
    /// Never changes: readers share it, at one count of references a look.
    final class View: Sendable {
        let roster: Roster
        /// What is applied here.
        let index: LogIndex
        let status: RaftStatus
        let membership: Membership
        /// Members that the leader has heard from lately; on a leader only.
        let active: Set<RaftID>
        /// Learners that may vote; on a leader only.
        let ready: Set<RaftID>
        /// Why Raft stopped for good.
        let failure: Failure?

        init(
            roster: Roster = ClusterTables().roster, index: LogIndex = 0,
            status: RaftStatus = RaftStatus(role: .follower, term: 0, leader: nil),
            membership: Membership = Membership(),
            active: Set<RaftID> = [], ready: Set<RaftID> = [], failure: Failure? = nil
        ) {
            self.roster = roster
            self.index = index
            self.status = status
            self.membership = membership
            self.active = active
            self.ready = ready
            self.failure = failure
        }
    }

    private typealias Observer = @Sendable ([StateChange], View) -> Void

    private struct State {
        var view = View()
        var waiters = IndexWaiters()
        /// By their numbers, in order.
        var observers: [(number: UInt64, body: Observer)] = []
        var nextObserver: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The state, and the copy of it that those share who look between two changes.
    private struct Applied {
        var tables = ClusterTables()
        var copy: Copy?
    }

    private final class Copy: Sendable {
        let tables: ClusterTables
        init(_ tables: ClusterTables) { self.tables = tables }
    }

    private let applied = Mutex(Applied())

    var view: View { state.withLock { $0.view } }

    /// The whole state as it is applied here; it may be newer than a ``view`` that was looked at before.
    ///
    /// What a reader holds has to be copied where it changes: those who need the roster alone look at ``view``.
    var tables: ClusterTables {
        applied.withLock { applied in
            let copy = applied.copy ?? Copy(applied.tables)
            applied.copy = copy
            return copy
        }.tables
    }

    /// At what is applied, without a copy; `body` holds others up.
    func look<Result>(_ body: (ClusterTables) -> Result) -> Result { applied.withLock { body($0.tables) } }

    /// Called by the Raft thread alone; readers of ``tables`` wait. ``update(_:_:)`` follows.
    func change<Result>(_ body: (inout ClusterTables) -> Result) -> Result {
        applied.withLock { applied in
            applied.copy = nil
            return body(&applied.tables)
        }
    }

    /// Called by the Raft thread alone.
    func update(_ view: View, _ changes: [StateChange] = []) {
        let (ready, observers) = state.withLock { state in
            state.view = view
            return (state.waiters.take(through: view.failure == nil ? view.index : .max), state.observers)
        }
        for waiter in ready {
            if let failure = view.failure { waiter.resume(throwing: failure) } else { waiter.resume() }
        }
        for observer in observers { observer.body(changes, view) }
    }

    /// Returns once this manager has applied `index`.
    func waitUntilApplied(_ index: LogIndex) async throws {
        let view = view
        if view.failure == nil, view.index >= index { return }
        let key = state.withLock { $0.waiters.nextKey() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    if let failure = state.view.failure { return .failure(failure) }
                    if state.view.index >= index { return .success(()) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiters.add(continuation, key, until: index)
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            state.withLock { $0.waiters.remove(key) }?.resume(throwing: CancellationError())
        }
    }

    /// Calls `body` on the Raft thread after every change of state or status, with what changed; it must not block.
    /// The returned number ends it.
    func observe(_ body: @escaping @Sendable ([StateChange], View) -> Void) -> UInt64 {
        state.withLock { state in
            state.nextObserver += 1
            state.observers.append((state.nextObserver, body))
            return state.nextObserver
        }
    }

    func endObservation(_ observer: UInt64) {
        state.withLock { $0.observers.removeAll { $0.number == observer } }
    }
}

/// Who waits for what index: those that are due come out without a look at the others.
private struct IndexWaiters {
    typealias Continuation = CheckedContinuation<Void, any Error>

    private struct Due: Comparable {
        let index: LogIndex
        let key: UInt64

        static func < (a: Due, b: Due) -> Bool { (a.index, a.key) < (b.index, b.key) }
    }

    private var due = Heap<Due>()
    private var continuations: [UInt64: Continuation] = [:]
    private var lastKey: UInt64 = 0

    mutating func nextKey() -> UInt64 {
        lastKey += 1
        return lastKey
    }

    mutating func add(_ continuation: Continuation, _ key: UInt64, until index: LogIndex) {
        continuations[key] = continuation
        due.insert(Due(index: index, key: key))
    }

    /// Its place in the heap stays until its index comes.
    mutating func remove(_ key: UInt64) -> Continuation? { continuations.removeValue(forKey: key) }

    mutating func take(through index: LogIndex) -> [Continuation] {
        var taken: [Continuation] = []
        while let first = due.min, first.index <= index {
            due.removeMin()
            if let continuation = continuations.removeValue(forKey: first.key) { taken.append(continuation) }
        }
        return taken
    }
}
