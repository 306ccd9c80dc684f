import ClusterModel
public import Primitives

/// A change of the state in people's terms: what happened to which object, and what of it is worth knowing.
///
/// It holds names and states, never the content of a secret or a config.
public struct ClusterEvent: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case service, node, secret, config, network, task
    }

    public enum Action: String, Hashable, Sendable, CaseIterable {
        case create, update, remove
    }

    public var kind: Kind
    public var action: Action
    private var object: UInt128
    private var name: String
    private var details: [String: String] = [:]
    public var labels: [String: String]
    /// When it was applied, by the clock of the manager that tells of it.
    public var time: Timestamp

    /// - Parameter roster: as it is after the change.
    /// - Returns: nil for what only the managers and agents have to know.
    public init?(_ change: StateChange, in roster: Roster, at time: Timestamp) {
        guard let object = change.after ?? change.before, let subject = Subject(object) else { return nil }
        (kind, self.object, name, labels) = (subject.kind, subject.id, subject.name, subject.labels)
        self.time = time
        if case .task(let task) = object { details = ClusterEvent.place(of: task, in: roster) }
        switch (change.before, change.after) {
        case (nil, _): action = .create
        case (_, nil): action = .remove
        case (let before?, let after?):
            action = .update
            let differences = ClusterEvent.differences(before, after)
            // Observations and allocations that show in no attribute are no news.
            if differences.isEmpty, before.meta.specVersion == after.meta.specVersion { return nil }
            details.merge(differences) { $1 }
        }
        if case .task(let task) = object, action != .update { details["state"] = task.status.state.name }
    }

    // Written out for readers only: most events of a busy cluster have none.

    public var id: String { Identifier<Never>(value: object).description }
    /// `name`, and `X.old` with `X.new` of what an update changed.
    public var attributes: [String: String] { details.merging(["name": name]) { $1 } }

    private struct Subject {
        var kind: Kind
        var id: UInt128
        var name: String
        var labels: [String: String]

        init?(_ object: ClusterObject) {
            switch object {
            case .cluster: return nil
            case .node(let node): self.init(.node, node.id.value, node.hostname, node.spec.labels)
            case .service(let it): self.init(.service, it.id.value, it.spec.name, it.spec.labels)
            case .task(let task): self.init(.task, task.id.value, task.name, task.spec.container.labels)
            case .network(let it): self.init(.network, it.id.value, it.spec.name, it.spec.labels)
            case .secret(let secret): self.init(.secret, secret.id.value, secret.name, secret.labels)
            case .config(let config): self.init(.config, config.id.value, config.name, config.labels)
            }
        }

        private init(_ kind: Kind, _ id: UInt128, _ name: String, _ labels: [String: String]) {
            (self.kind, self.id, self.name, self.labels) = (kind, id, name, labels)
        }
    }

    private static func place(of task: ClusterTask, in roster: Roster) -> [String: String] {
        var place = ["service": task.serviceName, "serviceid": task.serviceID.description]
        if let node = task.nodeID {
            place["nodeid"] = node.description
            place["node"] = roster.nodes[node]?.hostname ?? ""
        }
        return place
    }

    private static func differences(_ before: ClusterObject, _ after: ClusterObject) -> [String: String] {
        var found: [String: String] = [:]
        func compare(_ name: String, _ old: String, _ new: String) {
            if old != new { (found["\(name).old"], found["\(name).new"]) = (old, new) }
        }
        switch (before, after) {
        case (.service(let old), .service(let new)):
            compare("image", old.spec.task.container.image, new.spec.task.container.image)
            compare("replicas", old.spec.mode.replicas, new.spec.mode.replicas)
            compare("updatestate", old.update?.state.eventName ?? "", new.update?.state.eventName ?? "")
        case (.node(let old), .node(let new)):
            compare("availability", "\(old.spec.availability)", "\(new.spec.availability)")
            compare("role", "\(old.spec.role)", "\(new.spec.role)")
            compare("state", "\(old.status.state)", "\(new.status.state)")
            if old.status.state == new.status.state { compare("message", old.status.message, new.status.message) }
            compare("manager", old.manager?.address ?? "", new.manager?.address ?? "")
        case (.task(let old), .task(let new)):
            compare("state", old.status.state.name, new.status.state.name)
            compare("desiredstate", old.desiredState.name, new.desiredState.name)
            compare("serving", "\(old.status.isServing)", "\(new.status.isServing)")
            if let code = new.status.container?.exitCode, !found.isEmpty { found["exitcode"] = "\(code)" }
            if !new.status.error.isEmpty, !found.isEmpty { found["error"] = new.status.error }
        default: break
        }
        return found
    }
}

extension ServiceMode {
    fileprivate var replicas: String {
        if case .replicated(let count) = self { return "\(count)" }
        return ""
    }
}

extension UpdateState {
    /// As Docker's API writes it.
    fileprivate var eventName: String {
        switch self {
        case .updating: "updating"
        case .paused: "paused"
        case .completed: "completed"
        case .rollbackStarted: "rollback_started"
        case .rollbackPaused: "rollback_paused"
        case .rollbackCompleted: "rollback_completed"
        }
    }
}
