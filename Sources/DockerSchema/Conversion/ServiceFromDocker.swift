public import ClusterModel
public import Primitives

extension ClusterModel.ServiceSpec {
    /// Reads a request's spec; what it leaves out gets Docker's default.
    ///
    /// - Parameter warnings: gets a line for everything that is done otherwise than asked for.
    /// - Throws: ``Failure`` with code `invalidArgument`, naming the field; `unimplemented` for job modes.
    public init(
        _ docker: Docker.ServiceSpec, resolving references: References, warnings: inout [String]
    ) throws(Failure) {
        guard let template = docker.TaskTemplate else {
            throw Failure(.invalidArgument, "TaskTemplate is missing")
        }
        var task = try TaskSpec(template, resolving: references)
        if task.networks.isEmpty {
            task.networks = try TaskSpec.networks(docker.Networks, field: "Networks", resolving: references)
        }
        let endpoint = docker.EndpointSpec
        var ports: [PortConfig] = []
        for (index, port) in (endpoint?.Ports ?? []).enumerated() {
            ports.append(try PortConfig(port, field: "EndpointSpec.Ports[\(index)]"))
        }
        self.init(
            name: docker.Name ?? "", labels: docker.Labels ?? [:], task: task, mode: try ServiceMode(docker.Mode),
            update: try UpdateConfig(docker.UpdateConfig, field: "UpdateConfig"),
            rollback: try UpdateConfig(docker.RollbackConfig, field: "RollbackConfig"),
            endpointMode: try EndpointMode(
                dockerName: endpoint?.Mode, default: .dnsrr, field: "EndpointSpec.Mode"),
            ports: ports)
        if endpointMode == .vip {
            warnings.append(
                "EndpointSpec.Mode: the name is answered by DNS round robin (dnsrr) instead of a virtual IP")
        }
    }
}

extension ClusterModel.ServiceMode {
    init(_ docker: Docker.ServiceMode?) throws(Failure) {
        guard let docker else {
            self = .replicated(1)
            return
        }
        if docker.ReplicatedJob != nil || docker.GlobalJob != nil {
            throw Failure(
                .unimplemented, "Mode: jobs are not supported; use Replicated with restart condition on-failure")
        }
        if docker.Replicated != nil, docker.Global != nil {
            throw Failure(.invalidArgument, "Mode: both Replicated and Global are set")
        }
        self = docker.Global != nil ? .global : .replicated(docker.Replicated?.Replicas ?? 1)
    }
}

extension ClusterModel.UpdateConfig {
    init(_ docker: Docker.UpdateConfig?, field: String) throws(Failure) {
        guard let docker else {
            self.init()
            return
        }
        let ratio = docker.MaxFailureRatio ?? 0
        guard (0...1).contains(ratio) else {
            throw Failure(.invalidArgument, "\(field).MaxFailureRatio: \(ratio) is not between 0 and 1")
        }
        let monitor = try Field.duration(docker.Monitor, default: .zero, "\(field).Monitor")
        self.init(
            parallelism: docker.Parallelism ?? 0,
            delay: try Field.duration(docker.Delay, default: .zero, "\(field).Delay"),
            failureAction: try UpdateFailureAction(
                dockerName: docker.FailureAction, default: .pause, field: "\(field).FailureAction"),
            monitor: monitor == .zero ? ClusterModel.UpdateConfig().monitor : monitor, maxFailureRatio: ratio,
            order: try UpdateOrder(dockerName: docker.Order, default: .stopFirst, field: "\(field).Order"))
    }
}

extension ClusterModel.PortConfig {
    init(_ docker: Docker.PortConfig, field: String) throws(Failure) {
        guard let target = docker.TargetPort, target > 0 else {
            throw Failure(.invalidArgument, "\(field).TargetPort is missing")
        }
        self.init(
            name: docker.Name ?? "",
            protocol: try PortProtocol(dockerName: docker.portProtocol, default: .tcp, field: "\(field).Protocol"),
            targetPort: target, publishedPort: docker.PublishedPort ?? 0,
            mode: try PublishMode(dockerName: docker.PublishMode, default: .ingress, field: "\(field).PublishMode"),
            hostAddress: docker.HostIP?.nonEmpty)
    }
}

extension ClusterModel.TaskSpec {
    init(_ docker: Docker.TaskSpec, resolving references: References) throws(Failure) {
        let field = "TaskTemplate"
        if let runtime = docker.Runtime?.nonEmpty, runtime != "container" {
            throw Failure(.unimplemented, "\(field).Runtime: \"\(runtime)\" is not supported; use container")
        }
        guard let container = docker.ContainerSpec else {
            throw Failure(.invalidArgument, "\(field).ContainerSpec is missing")
        }
        self.init(
            container: try ContainerSpec(container, field: "\(field).ContainerSpec", resolving: references),
            limits: try ResourceLimits(docker.Resources?.Limits, field: "\(field).Resources.Limits"),
            reservations: try Resources(docker.Resources?.Reservations, field: "\(field).Resources.Reservations"),
            restart: try RestartPolicy(docker.RestartPolicy, field: "\(field).RestartPolicy"),
            placement: try Placement(docker.Placement, field: "\(field).Placement"),
            networks: try Self.networks(docker.Networks, field: "\(field).Networks", resolving: references),
            logDriver: docker.LogDriver.flatMap { driver in
                driver.Name?.nonEmpty.map { LogDriver(name: $0, options: driver.Options ?? [:]) }
            },
            forceUpdate: docker.ForceUpdate ?? 0)
    }

    static func networks(
        _ docker: [Docker.NetworkAttachmentConfig]?, field: String, resolving references: References
    ) throws(Failure) -> [NetworkAttachmentSpec] {
        var networks: [NetworkAttachmentSpec] = []
        for (index, network) in (docker ?? []).enumerated() {
            guard let target = network.Target?.nonEmpty else {
                throw Failure(.invalidArgument, "\(field)[\(index)].Target is missing")
            }
            networks.append(
                NetworkAttachmentSpec(network: try references.network(target), aliases: network.Aliases ?? []))
        }
        return networks
    }
}

extension ClusterModel.ResourceLimits {
    init(_ docker: Docker.Resources?, field: String) throws(Failure) {
        self.init(
            nanoCPUs: try Field.notNegative(docker?.NanoCPUs, "\(field).NanoCPUs"),
            memoryBytes: try Field.notNegative(docker?.MemoryBytes, "\(field).MemoryBytes"),
            // Docker writes -1 as well as 0 for: no limit.
            pids: max(0, docker?.Pids ?? 0))
    }
}

extension ClusterModel.Resources {
    init(_ docker: Docker.Resources?, field: String) throws(Failure) {
        self.init(
            nanoCPUs: try Field.notNegative(docker?.NanoCPUs, "\(field).NanoCPUs"),
            memoryBytes: try Field.notNegative(docker?.MemoryBytes, "\(field).MemoryBytes"))
    }
}

extension ClusterModel.RestartPolicy {
    init(_ docker: Docker.RestartPolicy?, field: String) throws(Failure) {
        let defaults = ClusterModel.RestartPolicy()
        self.init(
            condition: try RestartCondition(
                dockerName: docker?.Condition, default: defaults.condition, field: "\(field).Condition"),
            delay: try Field.duration(docker?.Delay, default: defaults.delay, "\(field).Delay"),
            maxAttempts: docker?.MaxAttempts ?? defaults.maxAttempts,
            window: try Field.duration(docker?.Window, default: defaults.window, "\(field).Window"))
    }
}

extension ClusterModel.Placement {
    init(_ docker: Docker.Placement?, field: String) throws(Failure) {
        var constraints: [Constraint] = []
        for text in docker?.Constraints ?? [] { constraints.append(try Constraint(parsing: text)) }
        var spread: [String] = []
        for (index, preference) in (docker?.Preferences ?? []).enumerated() {
            guard let descriptor = preference.Spread?.SpreadDescriptor.nonEmpty else {
                throw Failure(.invalidArgument, "\(field).Preferences[\(index)].Spread.SpreadDescriptor is missing")
            }
            spread.append(descriptor)
        }
        self.init(constraints: constraints, spread: spread, maxReplicasPerNode: docker?.MaxReplicas ?? 0)
    }
}
