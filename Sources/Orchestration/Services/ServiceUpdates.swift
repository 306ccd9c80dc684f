public import ClusterModel
public import Primitives

/// What a change of a service's spec does to the service object: pure functions for whoever proposes the change.
public enum ServiceUpdates {
    /// Whether tasks made for `old` are outdated under `new`. Labels of the service, the number of replicas and the
    /// way of updating are not part of a task.
    public static func taskVersionChanges(_ old: ServiceSpec, _ new: ServiceSpec) -> Bool {
        !old.task.makesSameTask(as: new.task) || old.endpointMode != new.endpointMode || old.ports != new.ports
    }

    /// The service with a new spec, to be proposed as `.update(_, bySpec: true)`.
    ///
    /// A new task spec supersedes an update that is under way and starts afresh; the same spec again, or a new update
    /// configuration, resumes a paused one. Scaling during an update leaves the update and what it would roll back to.
    public static func updated(_ service: Service, to spec: ServiceSpec, now: Timestamp) -> Service {
        var result = service
        result.spec = spec
        if taskVersionChanges(service.spec, spec) {
            result.taskVersion = nextTaskVersion(service)
            result.update = nil
            result.previousSpec = service.spec
            return result
        }
        let isUnfinished =
            switch service.update?.state {
            case .updating, .paused, .rollbackStarted, .rollbackPaused: true
            case .completed, .rollbackCompleted, nil: false
            }
        if isUnfinished {
            result.previousSpec?.mode = spec.mode
        } else if spec != service.spec {
            result.previousSpec = service.spec
        }
        if spec.mode == service.spec.mode {
            switch service.update?.state {
            case .paused: result.update = nil
            case .rollbackPaused:
                result.update?.state = .rollbackStarted
                result.update?.startedAt = now
            default: break
            }
        }
        return result
    }

    /// The service going back to its previous spec, nil when there is none: a second rollback has nothing to return to.
    public static func rolledBack(
        _ service: Service, now: Timestamp, message: String = "manually requested rollback"
    ) -> Service? {
        guard let previous = service.previousSpec else { return nil }
        var result = service
        result.spec = previous
        result.previousSpec = nil
        if taskVersionChanges(service.spec, previous) { result.taskVersion = nextTaskVersion(service) }
        result.update = UpdateStatus(state: .rollbackStarted, startedAt: now, message: message)
        return result
    }

    /// Grows with every change; the raft index at which it is applied is not known to the proposer.
    private static func nextTaskVersion(_ service: Service) -> UInt64 {
        max(service.taskVersion, service.meta.version) + 1
    }
}
