import ClusterState
import Synchronization

/// Changes on their way from the Raft thread to the leader's loops, and the bell that tells of them.
final class ChangeMailbox: Sendable {
    private struct State {
        /// nil: more than fits, look at everything.
        var changes: [StateChange]? = []
        var isSignalled = false
    }

    private let state = Mutex(State())
    let bell = Bell()

    func push(_ all: [StateChange]) {
        let changes = all.filter { !$0.isUnused }
        if changes.isEmpty { return }
        state.withLock { state in
            let isInstalled = changes.contains { $0.before == nil && $0.after == nil }
            let count = (state.changes?.count ?? 0) + changes.count
            if isInstalled || count > ManagerLimits.pendingChanges {
                state.changes = nil
            } else {
                state.changes?.append(contentsOf: changes)
            }
        }
        bell.ring()
    }

    func knock() { bell.ring() }

    /// nil: look at everything.
    func take() -> [StateChange]? {
        state.withLock { state in
            defer { state.changes = [] }
            return state.changes
        }
    }
}
