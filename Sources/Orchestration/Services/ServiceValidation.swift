public import ClusterModel
public import ClusterState
public import Primitives

/// What a service's spec must fulfil before it is proposed. Texts are Docker's where it has one.
public enum ServiceValidation {
    /// Checks a spec by itself and against what is in the cluster.
    ///
    /// - Parameter existing: the service that the spec is for, nil for a new one.
    /// - Throws: `invalidArgument`; `unimplemented` for a change that no service can make.
    public static func validate(
        _ spec: ServiceSpec, existing: Service? = nil, in tables: ClusterTables
    ) throws(Failure) {
        try checkName(spec.name)
        try checkMode(spec)
        try checkChange(spec, existing)
        try checkContainer(spec.task.container)
        try checkSize(spec)
        try checkResources(spec.task)
        try checkRestart(spec.task.restart)
        try checkUpdate(spec.update, "update")
        try checkUpdate(spec.rollback, "rollback")
        try checkPlacement(spec.task.placement)
        try checkPorts(spec, existing, tables)
        try checkReferences(spec, tables)
    }

    private static func refuse(_ text: String) -> Failure { Failure(.invalidArgument, text) }

    /// RFC 1123 section 2.1: letters, digits and hyphens, neither first nor last a hyphen. Docker admits `_` too.
    private static func checkName(_ name: String) throws(Failure) {
        if name.isEmpty { throw refuse("meta: name must be provided") }
        let isValid = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        func isEdge(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") }
        guard isValid, !isEdge(name.utf8.first), !isEdge(name.utf8.last) else {
            throw refuse("name must be valid as a DNS name component")
        }
        if name.utf8.count > OrchestrationLimits.serviceNameBytes {
            throw refuse("name must be \(OrchestrationLimits.serviceNameBytes) characters or fewer")
        }
    }

    private static func checkMode(_ spec: ServiceSpec) throws(Failure) {
        let limit = OrchestrationLimits.replicasPerService
        if case .replicated(let replicas) = spec.mode, replicas > limit {
            throw refuse("service \"\(spec.name)\": \(replicas) replicas are above the limit of \(limit)")
        }
    }

    /// A spec that is too large would be accepted, and its tasks never made.
    private static func checkSize(_ spec: ServiceSpec) throws(Failure) {
        let bytes = spec.task.estimatedBytes
        let limit = OrchestrationLimits.taskSpecBytes
        if bytes > limit {
            throw refuse(
                "service \"\(spec.name)\": its tasks' spec takes about \(bytes) bytes, the limit is \(limit): "
                    + "use configs for large data")
        }
    }

    private static func checkChange(_ spec: ServiceSpec, _ existing: Service?) throws(Failure) {
        guard let existing else { return }
        if spec.name != existing.spec.name {
            throw Failure(.unimplemented, "renaming services is not supported")
        }
        if (spec.mode == .global) != existing.isGlobal {
            throw Failure(.unimplemented, "service mode change is not allowed")
        }
    }

    private static func checkContainer(_ container: ContainerSpec) throws(Failure) {
        if container.image.isEmpty { throw refuse("ContainerSpec: image reference must be provided") }
        if container.stopGracePeriod < .zero { throw refuse("ContainerSpec: stop-grace-period cannot be negative") }
        var targets: Set<String> = []
        for mount in container.mounts {
            guard mount.target.hasPrefix("/") else {
                throw refuse("ContainerSpec: mount target must be an absolute path: \(mount.target)")
            }
            guard targets.insert(normalized(mount.target)).inserted else {
                throw refuse("ContainerSpec: duplicate mount point: \(mount.target)")
            }
        }
        for name in container.sysctls.keys.sorted() {
            // Its dots are slashes below /proc/sys, its slashes dots (sysctl(8)).
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            if parts.contains(where: { ["", "/", "//"].contains($0) }) {
                throw refuse("ContainerSpec: \"\(name)\" is no name of a kernel parameter")
            }
        }
        try checkTargets(container.secrets, "secret")
        try checkTargets(container.configs, "config")
    }

    private static func checkTargets<ID>(_ references: [FileReference<ID>], _ kind: String) throws(Failure) {
        var names: [String: String] = [:]
        for reference in references {
            if reference.target.isEmpty { throw refuse("\(kind) reference '\(reference.name)' has no target") }
            if let other = names.updateValue(reference.name, forKey: normalized(reference.target)) {
                throw refuse(
                    "\(kind) references '\(other)' and '\(reference.name)' have a conflicting target: "
                        + "'\(reference.target)'")
            }
        }
    }

    /// The path without doubled and trailing slashes.
    private static func normalized(_ path: String) -> String {
        (path.hasPrefix("/") ? "/" : "") + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    private static func checkResources(_ task: TaskSpec) throws(Failure) {
        for memory in [task.limits.memoryBytes, task.reservations.memoryBytes]
        where memory != 0 && memory < OrchestrationLimits.memoryMinimumBytes {
            throw refuse("invalid memory value \(memory): Must be at least 4MiB")
        }
        for cpu in [task.limits.nanoCPUs, task.reservations.nanoCPUs]
        where cpu != 0 && cpu < OrchestrationLimits.cpuMinimumNanoCPUs {
            throw refuse("invalid cpu value \(Double(cpu) / 1e9): Must be at least 0.001")
        }
        if task.limits.pids < -1 { throw refuse("invalid pids limit \(task.limits.pids): Must not be negative") }
        let pairs = [
            ("memory", task.reservations.memoryBytes, task.limits.memoryBytes),
            ("cpu", task.reservations.nanoCPUs, task.limits.nanoCPUs),
        ]
        for (what, reserved, limit) in pairs where limit > 0 && reserved > limit {
            throw refuse("\(what) reservation \(reserved) is above the \(what) limit \(limit)")
        }
    }

    private static func checkRestart(_ policy: RestartPolicy) throws(Failure) {
        if policy.delay < .zero { throw refuse("TaskSpec: restart-delay cannot be negative") }
        if policy.window < .zero { throw refuse("TaskSpec: restart-window cannot be negative") }
    }

    private static func checkUpdate(_ config: UpdateConfig, _ kind: String) throws(Failure) {
        if config.delay < .zero { throw refuse("TaskSpec: \(kind)-delay cannot be negative") }
        if config.monitor < .zero { throw refuse("TaskSpec: \(kind)-monitor cannot be negative") }
        guard config.maxFailureRatio >= 0, config.maxFailureRatio <= 1 else {
            throw refuse("TaskSpec: \(kind)-maxfailureratio cannot be less than 0 or bigger than 1")
        }
        if kind == "rollback", config.failureAction == .rollback {
            throw refuse("TaskSpec: rollback-failure-action cannot be rollback: use pause or continue")
        }
    }

    private static func checkPlacement(_ placement: Placement) throws(Failure) {
        for preference in placement.spread {
            guard preference.hasPrefix("node.labels.") || preference.hasPrefix("engine.labels.") else {
                throw refuse(
                    "placement preference \"\(preference)\" is neither node.labels.NAME nor engine.labels.NAME")
            }
        }
    }

    private static func checkPorts(
        _ spec: ServiceSpec, _ existing: Service?, _ tables: ClusterTables
    ) throws(Failure) {
        let book = PublishedPorts.Book(tables.services.sorted.map(\.withAskedPorts))
        for (index, port) in spec.ports.enumerated() {
            if port.targetPort == 0 { throw refuse("EndpointSpec: target port must be provided") }
            if port.publishedPort == 0 { continue }
            for other in spec.ports[..<index]
            where other.publishedPort == port.publishedPort && other.protocol == port.protocol {
                let isOnOtherAddress =
                    port.mode == .host && other.mode == .host && port.hostAddress != nil && other.hostAddress != nil
                    && port.hostAddress != other.hostAddress
                if !isOnOtherAddress {
                    throw refuse("EndpointSpec: duplicate published ports provided: \(port.publishedPort)")
                }
            }
            if let conflict = book.conflict(of: port, for: existing?.id) { throw refuse(conflict) }
        }
        let needsIngress = spec.ports.contains { $0.mode == .ingress }
        if needsIngress, !tables.networks.sorted.contains(where: \.spec.isIngress) {
            throw refuse(
                "service \"\(spec.name)\" publishes ports, but there is no ingress network: create one or publish in "
                    + "host mode")
        }
    }

    private static func checkReferences(_ spec: ServiceSpec, _ tables: ClusterTables) throws(Failure) {
        let secrets = spec.task.container.secrets.filter { tables.secrets[$0.id] == nil }.map(\.name)
        if !secrets.isEmpty { throw refuse("secret\(plural(secrets)) not found: \(secrets.joined(separator: ", "))") }
        let configs = spec.task.container.configs.filter { tables.configs[$0.id] == nil }.map(\.name)
        if !configs.isEmpty { throw refuse("config\(plural(configs)) not found: \(configs.joined(separator: ", "))") }
        var seen: Set<NetworkID> = []
        for attachment in spec.task.networks {
            guard let network = tables.networks[attachment.network] else {
                throw refuse("network \(attachment.network) not found")
            }
            if network.spec.isIngress {
                throw refuse("Service cannot be explicitly attached to the ingress network \"\(network.spec.name)\"")
            }
            guard seen.insert(attachment.network).inserted else {
                throw refuse("network \"\(network.spec.name)\" is attached twice")
            }
        }
    }

    private static func plural(_ names: [String]) -> String { names.count == 1 ? "" : "s" }
}

extension Service {
    /// With the numbers that were asked for where none were chosen yet: the port is promised.
    fileprivate var withAskedPorts: Service {
        var copy = self
        if !PublishedPorts.isChoice(ports, for: spec.ports) { copy.ports = spec.ports }
        return copy
    }
}
