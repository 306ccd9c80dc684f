import ClusterModel
import Primitives

extension ServiceReader {
    mutating func readDeploy(_ deploy: Field) throws(ComposeError) {
        try readMode(deploy)
        for field in try deploy.members() where !field.element.isNull {
            switch field.key {
            case "mode", "replicas": break
            case "labels": spec.labels = try field.labels()
            case "endpoint_mode": try readEndpointMode(field)
            case "placement": try readPlacement(field)
            case "resources": try readResources(field)
            case "restart_policy": spec.task.restart = try restartPolicy(of: field)
            case "update_config": spec.update = try updateConfig(field)
            case "rollback_config": spec.rollback = try updateConfig(field)
            default: stack.diagnostics.unsupported(field)
            }
        }
    }

    private mutating func readMode(_ deploy: Field) throws(ComposeError) {
        var replicas: UInt64?
        if let field = deploy["replicas"], !field.element.isNull {
            replicas = try field.integer(in: 0...UInt64(Int64.max))
        }
        guard let field = deploy["mode"], !field.element.isNull else {
            spec.mode = .replicated(replicas ?? 1)
            return
        }
        switch try field.text() {
        case "replicated": spec.mode = .replicated(replicas ?? 1)
        case "global":
            guard replicas == nil else {
                throw ComposeError(
                    "\(deploy.path).replicas can only be used with mode replicated",
                    at: deploy["replicas"]?.place ?? field.place)
            }
            spec.mode = .global
        case let text where text.hasSuffix("-job"):
            throw field.error("\(text) is not supported; use mode replicated with restart_policy.condition on-failure")
        case let text: throw field.error("must be one of replicated, global, not \"\(text)\"")
        }
    }

    private mutating func readEndpointMode(_ field: Field) throws(ComposeError) {
        let mode = try field.choice(["vip": EndpointMode.vip, "dnsrr": EndpointMode.dnsrr])
        if mode == .vip {
            stack.diagnostics.warn(
                "\(field.path) vip: the name is answered by DNS round robin (dnsrr) instead of a virtual IP",
                at: field.keyPlace)
        }
        spec.endpointMode = .dnsrr
    }

    private mutating func readPlacement(_ placement: Field) throws(ComposeError) {
        for field in try placement.members() where !field.element.isNull {
            switch field.key {
            case "constraints": spec.task.placement.constraints = try constraints(field)
            case "preferences":
                for item in try field.items() {
                    for member in try item.members() {
                        guard member.key == "spread" else {
                            stack.diagnostics.unsupported(member)
                            continue
                        }
                        spec.task.placement.spread.append(try member.nonEmptyText())
                    }
                }
            case "max_replicas_per_node":
                spec.task.placement.maxReplicasPerNode = try field.integer(in: 0...UInt64(Int64.max))
            default: stack.diagnostics.unsupported(field)
            }
        }
    }

    private func constraints(_ field: Field) throws(ComposeError) -> [Constraint] {
        var constraints: [Constraint] = []
        for item in try field.items() {
            let text = try item.text()
            do {
                constraints.append(try Constraint(parsing: text))
            } catch {
                throw ComposeError("\(item.path): \(error.message)", at: item.place)
            }
        }
        return constraints
    }

    private mutating func readResources(_ resources: Field) throws(ComposeError) {
        for part in try resources.members() where !part.element.isNull {
            guard ["limits", "reservations"].contains(part.key) else {
                stack.diagnostics.unsupported(part)
                continue
            }
            let isLimit = part.key == "limits"
            for field in try part.members() where !field.element.isNull {
                switch (field.key, isLimit) {
                case ("cpus", true): spec.task.limits.nanoCPUs = try field.nanoCPUs()
                case ("cpus", false): spec.task.reservations.nanoCPUs = try field.nanoCPUs()
                case ("memory", true): spec.task.limits.memoryBytes = try field.bytes()
                case ("memory", false): spec.task.reservations.memoryBytes = try field.bytes()
                // -1 is without limit, as 0 is.
                case ("pids", true): spec.task.limits.pids = max(0, try field.integer(in: -1...Int64.max))
                default: stack.diagnostics.unsupported(field)
                }
            }
        }
    }

    private mutating func restartPolicy(of policy: Field) throws(ComposeError) -> RestartPolicy {
        var result = RestartPolicy()
        for field in try policy.members() where !field.element.isNull {
            switch field.key {
            case "condition":
                result.condition = try field.choice([
                    "none": RestartCondition.none, "on-failure": .onFailure, "any": .any,
                ])
            case "delay": result.delay = try field.duration()
            case "max_attempts": result.maxAttempts = try field.integer(in: 0...UInt64(Int64.max))
            case "window": result.window = try field.duration()
            default: stack.diagnostics.unsupported(field)
            }
        }
        return result
    }

    private mutating func updateConfig(_ config: Field) throws(ComposeError) -> UpdateConfig {
        var result = UpdateConfig()
        for field in try config.members() where !field.element.isNull {
            switch field.key {
            case "parallelism": result.parallelism = try field.integer(in: 0...UInt64(Int64.max))
            case "delay": result.delay = try field.duration()
            case "failure_action":
                result.failureAction = try field.choice([
                    "pause": UpdateFailureAction.pause, "continue": .continue, "rollback": .rollback,
                ])
            case "monitor":
                let monitor = try field.duration()
                // 0 is Docker's way to say: the default.
                if monitor != .zero { result.monitor = monitor }
            case "max_failure_ratio": result.maxFailureRatio = try field.number(in: 0...1)
            case "order":
                result.order = try field.choice(["stop-first": UpdateOrder.stopFirst, "start-first": .startFirst])
            default: stack.diagnostics.unsupported(field)
            }
        }
        return result
    }
}
