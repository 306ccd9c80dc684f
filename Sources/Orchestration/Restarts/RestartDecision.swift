import ClusterModel
import Primitives

/// What the restart policy says about a task that ended by itself.
enum RestartDecision: Hashable {
    /// The slot stays as it is until the spec changes.
    case rest
    /// A successor, not to be started before the given time.
    case restart(notBefore: Timestamp?)

    /// - Parameter slot: every task of the slot that is still known, the ended one included.
    init(for task: ClusterTask, in slot: [ClusterTask], policy: RestartPolicy, now: Timestamp) {
        switch policy.condition {
        case .none:
            self = .rest
            return
        case .onFailure where task.status.state == .complete:
            self = .rest
            return
        case .onFailure, .any: break
        }
        let ended = slot.filter { $0.serviceVersion == task.serviceVersion && $0.endedOnItsOwnAccount }
        if policy.maxAttempts > 0, RestartDecision.restarts(ended, policy) >= policy.maxAttempts {
            self = .rest
            return
        }
        let delay = RestartDecision.delay(ended, policy)
        let earliest = max(now + delay, task.meta.createdAt + OrchestrationLimits.restartIntervalMinimum)
        self = .restart(notBefore: earliest > now ? earliest : nil)
    }

    /// Restarts so far, within the policy's window if it has one.
    ///
    /// The window is measured in time in which a task was meant to run: the pauses between restarts do not count, so
    /// a window below the delay still ends the restarts (swarmkit issue 2936).
    private static func restarts(_ ended: [ClusterTask], _ policy: RestartPolicy) -> UInt64 {
        // Tasks come oldest first; the first one was not a restart.
        guard policy.window > .zero else { return UInt64(max(0, ended.count - 1)) }
        var count: UInt64 = 0
        var age = Duration.zero
        for task in ended.dropFirst().reversed() {
            age += task.runningTime
            if age > policy.window { break }
            count += 1
        }
        return count
    }

    /// The policy's delay, doubled for each failure beyond the first few in a row: a crash loop must not fill the log.
    private static func delay(_ ended: [ClusterTask], _ policy: RestartPolicy) -> Duration {
        let recent = failuresInARow(ended)
        let excess = recent - OrchestrationLimits.failuresBeforeBackoff
        guard excess > 0 else { return policy.delay }
        let base = max(policy.delay, OrchestrationLimits.backoffBase)
        let ceiling = max(policy.delay, OrchestrationLimits.backoffCeiling)
        return min(base * (1 << min(excess, OrchestrationLimits.backoffDoublings)), ceiling)
    }

    /// Failures within the window of time in which a task was meant to run: the pauses between restarts do not count,
    /// or a long pause would end the row that made it long.
    private static func failuresInARow(_ ended: [ClusterTask]) -> Int {
        var count = 0
        var age = Duration.zero
        for task in ended.reversed() {
            if age > OrchestrationLimits.failureWindow { break }
            if task.status.state != .complete { count += 1 }
            age += task.runningTime
        }
        return count
    }
}

extension ClusterTask {
    /// From when an ended task might start to its end.
    fileprivate var runningTime: Duration {
        max(.zero, status.timestamp - max(meta.createdAt, notBefore ?? meta.createdAt))
    }

    /// Completed, failed or was rejected: neither stopped by us nor lost with its node.
    fileprivate var endedOnItsOwnAccount: Bool {
        switch status.state {
        case .complete, .failed, .rejected: true
        case .shutdown: isActive
        default: false
        }
    }
}
