import DockerSchema

/// How far a service is from what was asked: pure, from one look at it.
struct ServiceProgress: Hashable {
    enum Verdict: Hashable {
        case working
        case converged
        /// Nothing will change by waiting.
        case failed(String)
    }

    var verdict: Verdict
    /// `3/5 running`, for a progress line.
    var summary: String
    /// What is wrong with tasks that do not run, `web.3: no suitable node …`; the newest for each slot, ordered.
    var problems: [String]
    /// The running tasks, for telling where they are.
    var running: [Docker.Task]

    /// - Parameters:
    ///   - tasks: all tasks of the service.
    ///   - current: the ids of those that are made for its newest spec.
    ///   - expectsRollback: a rollback is what the user asked for.
    init(_ service: Docker.Service, tasks: [Docker.Task], current: Set<String>, expectsRollback: Bool = false) {
        let wanted = tasks.filter { $0.DesiredState == "running" || $0.DesiredState == "ready" }
        let fresh = wanted.filter { current.contains($0.ID) }
        running = fresh.filter { $0.Status.State == "running" }
            .sorted { ($0.Slot ?? 0, $0.NodeID ?? "", $0.ID) < ($1.Slot ?? 0, $1.NodeID ?? "", $1.ID) }
        let ended = tasks.filter { current.contains($0.ID) && $0.Status.State == "complete" }
        let goal = service.Spec.Mode?.Replicated.map { Int($0.Replicas ?? 1) } ?? max(1, fresh.count)
        let outdated = wanted.count - fresh.count
        problems = ServiceProgress.problems(of: service, tasks: tasks, current: current, running: running)
        summary = "\(running.count)/\(goal) running"
        if outdated > 0 { summary += ", \(outdated) to replace" }
        let isOnce = service.Spec.TaskTemplate?.RestartPolicy?.Condition ?? "any" != "any"
        let isDone =
            running.count == goal && wanted.count == goal
            || isOnce && wanted.count == running.count && running.count + ended.count >= goal
        verdict = isDone ? .converged : .working
        if isOnce, !isDone, let failure = ServiceProgress.finalFailure(service, tasks, wanted, problems) {
            verdict = .failed(failure)
        }
        judgeUpdate(service.UpdateStatus, expectsRollback)
    }

    private mutating func judgeUpdate(_ update: Docker.UpdateStatus?, _ expectsRollback: Bool) {
        guard let update, let state = update.State, state != "completed" else { return }
        let reason = ([update.Message ?? ""] + problems.prefix(1)).filter { !$0.isEmpty }.joined(separator: "; ")
        switch state {
        case "updating":
            summary += ", updating"
            verdict = .working
        case "rollback_started":
            summary += ", rolling back"
            verdict = .working
        case "rollback_completed" where expectsRollback: break
        case "rollback_completed": verdict = .failed("the update was rolled back: \(reason)")
        case "rollback_paused": verdict = .failed("the rollback is paused: \(reason)")
        case "paused": verdict = .failed("the update is paused: \(reason)")
        default: break
        }
    }

    /// A task that is not restarted, and nothing else that may still come up.
    private static func finalFailure(
        _ service: Docker.Service, _ tasks: [Docker.Task], _ wanted: [Docker.Task], _ problems: [String]
    ) -> String? {
        let isFinal = service.Spec.TaskTemplate?.RestartPolicy?.Condition == "none"
        let pending = wanted.contains { !["failed", "rejected", "complete", "running"].contains($0.Status.State) }
        guard isFinal, !pending, !tasks.isEmpty, let problem = problems.first else { return nil }
        return problem
    }

    private static func problems(
        of service: Docker.Service, tasks: [Docker.Task], current: Set<String>, running: [Docker.Task]
    ) -> [String] {
        let served = Set(running.map { placeKey($0) })
        var newest: [String: Docker.Task] = [:]
        for task in tasks where current.contains(task.ID) && !served.contains(placeKey(task)) {
            guard task.Status.Err?.isEmpty == false else { continue }
            let key = placeKey(task)
            if let other = newest[key], other.CreatedAt >= task.CreatedAt { continue }
            newest[key] = task
        }
        return newest.sorted { $0.key < $1.key }.map { _, task in
            let place = task.Slot.map { String($0) } ?? task.NodeID ?? "?"
            return "\(service.Spec.Name ?? "").\(place): \(task.Status.Err ?? "")"
        }
    }

    private static func placeKey(_ task: Docker.Task) -> String {
        guard let slot = task.Slot else { return task.NodeID ?? "" }
        let digits = String(slot)
        return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}
