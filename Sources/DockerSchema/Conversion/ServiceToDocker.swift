public import ClusterModel
import Primitives

extension Docker.Service {
    public init(_ service: ClusterModel.Service, status: Docker.ServiceStatus? = nil) {
        ID = service.id.description
        Version = Docker.ObjectVersion(Index: service.meta.specVersion)
        CreatedAt = service.meta.createdAt.rfc3339
        UpdatedAt = service.meta.updatedAt.rfc3339
        Spec = Docker.ServiceSpec(service.spec)
        PreviousSpec = service.previousSpec.map(Docker.ServiceSpec.init)
        Endpoint = Docker.Endpoint(
            Spec: Spec.EndpointSpec, Ports: service.ports.map(Docker.PortConfig.init).nonEmpty)
        UpdateStatus = service.update.map(Docker.UpdateStatus.init)
        ServiceStatus = status
    }
}

extension Docker.UpdateStatus {
    public init(_ update: ClusterModel.UpdateStatus) {
        State = update.state.dockerName
        StartedAt = update.startedAt.rfc3339
        CompletedAt = update.completedAt?.rfc3339
        Message = update.message
    }
}

extension Docker.ServiceSpec {
    /// The whole spec; ``ClusterModel/ServiceSpec`` reads it back without loss.
    public init(_ spec: ClusterModel.ServiceSpec) {
        Name = spec.name
        Labels = spec.labels
        TaskTemplate = Docker.TaskSpec(spec.task)
        switch spec.mode {
        case .replicated(let count): Mode = Docker.ServiceMode(Replicated: Docker.ReplicatedService(Replicas: count))
        case .global: Mode = Docker.ServiceMode(Global: Docker.Empty())
        }
        UpdateConfig = Docker.UpdateConfig(spec.update)
        RollbackConfig = Docker.UpdateConfig(spec.rollback)
        EndpointSpec = Docker.EndpointSpec(
            Mode: spec.endpointMode.dockerName, Ports: spec.ports.map(Docker.PortConfig.init).nonEmpty)
    }
}

extension Docker.UpdateConfig {
    public init(_ config: ClusterModel.UpdateConfig) {
        Parallelism = config.parallelism
        Delay = config.delay.nonZeroNanoseconds
        FailureAction = config.failureAction.dockerName
        Monitor = config.monitor.wholeNanoseconds
        MaxFailureRatio = config.maxFailureRatio
        Order = config.order.dockerName
    }
}

extension Docker.PortConfig {
    public init(_ port: ClusterModel.PortConfig) {
        Name = port.name.nonEmpty
        portProtocol = port.protocol.dockerName
        TargetPort = port.targetPort
        PublishedPort = port.publishedPort.nonZero
        PublishMode = port.mode.dockerName
        HostIP = port.hostAddress
    }
}

extension Docker.TaskSpec {
    public init(_ spec: ClusterModel.TaskSpec) {
        ContainerSpec = Docker.ContainerSpec(spec.container)
        Resources = Docker.ResourceRequirements(
            Limits: Docker.Resources(
                NanoCPUs: spec.limits.nanoCPUs.nonZero, MemoryBytes: spec.limits.memoryBytes.nonZero,
                Pids: spec.limits.pids.nonZero),
            Reservations: Docker.Resources(
                NanoCPUs: spec.reservations.nanoCPUs.nonZero, MemoryBytes: spec.reservations.memoryBytes.nonZero))
        RestartPolicy = Docker.RestartPolicy(spec.restart)
        Placement = Docker.Placement(spec.placement)
        Networks =
            spec.networks.map { attachment in
                Docker.NetworkAttachmentConfig(
                    Target: attachment.network.description, Aliases: attachment.aliases.nonEmpty)
            }.nonEmpty
        LogDriver = spec.logDriver.map { Docker.Driver(Name: $0.name, Options: $0.options.nonEmpty) }
        ForceUpdate = spec.forceUpdate
        Runtime = "container"
    }
}

extension Docker.RestartPolicy {
    public init(_ policy: ClusterModel.RestartPolicy) {
        Condition = policy.condition.dockerName
        Delay = policy.delay.wholeNanoseconds
        MaxAttempts = policy.maxAttempts
        Window = policy.window.nonZeroNanoseconds
    }
}

extension Docker.Placement {
    public init(_ placement: ClusterModel.Placement) {
        Constraints = placement.constraints.map(\.description).nonEmpty
        Preferences =
            placement.spread.map {
                Docker.PlacementPreference(Spread: Docker.SpreadPreference(SpreadDescriptor: $0))
            }.nonEmpty
        MaxReplicas = placement.maxReplicasPerNode.nonZero
    }
}

extension Docker.ContainerSpec {
    public init(_ spec: ClusterModel.ContainerSpec) {
        Image = spec.image
        Labels = spec.labels.nonEmpty
        Command = spec.command.nonEmpty
        Args = spec.arguments.nonEmpty
        Hostname = spec.hostname.nonEmpty
        Env = spec.environment.nonEmpty
        Dir = spec.workingDirectory.nonEmpty
        User = spec.user.nonEmpty
        Groups = spec.groups.nonEmpty
        Privileges = spec.noNewPrivileges ? Docker.Privileges(NoNewPrivileges: true) : nil
        Init = spec.initProcess.ifTrue
        StopSignal = spec.stopSignal.nonEmpty
        TTY = spec.terminal.ifTrue
        OpenStdin = spec.openStdin.ifTrue
        ReadOnly = spec.readOnly.ifTrue
        Mounts = spec.mounts.map(Docker.Mount.init).nonEmpty
        StopGracePeriod = spec.stopGracePeriod.wholeNanoseconds
        Healthcheck = spec.healthcheck.map(Docker.HealthConfig.init)
        Hosts = spec.hosts.nonEmpty
        DNSConfig = Docker.DNSConfig(spec.dns)
        Secrets =
            spec.secrets.map { secret in
                Docker.SecretReference(
                    File: Docker.FileTarget(secret), SecretID: secret.id.description, SecretName: secret.name)
            }.nonEmpty
        Configs =
            spec.configs.map { config in
                Docker.ConfigReference(
                    File: Docker.FileTarget(config), ConfigID: config.id.description, ConfigName: config.name)
            }.nonEmpty
        Sysctls = spec.sysctls.nonEmpty
        CapabilityAdd = spec.capabilitiesAdded.nonEmpty
        CapabilityDrop = spec.capabilitiesDropped.nonEmpty
        Ulimits = spec.ulimits.map { Docker.Ulimit(Name: $0.name, Soft: $0.soft, Hard: $0.hard) }.nonEmpty
        OomScoreAdj = spec.oomScoreAdjustment.nonZero
    }
}

extension Docker.FileTarget {
    fileprivate init<ID>(_ reference: FileReference<ID>) {
        self.init(
            Name: reference.target, UID: String(reference.uid), GID: String(reference.gid), Mode: reference.mode)
    }
}

extension Docker.DNSConfig {
    init?(_ config: ClusterModel.DNSConfig) {
        guard config != ClusterModel.DNSConfig() else { return nil }
        Nameservers = config.nameservers.nonEmpty
        Search = config.search.nonEmpty
        Options = config.options.nonEmpty
    }
}

extension Docker.HealthConfig {
    public init(_ check: ClusterModel.Healthcheck) {
        Test = check.test
        Interval = check.interval.nonZeroNanoseconds
        Timeout = check.timeout.nonZeroNanoseconds
        StartPeriod = check.startPeriod.nonZeroNanoseconds
        StartInterval = check.startInterval.nonZeroNanoseconds
        Retries = check.retries.nonZero
    }
}

extension Docker.Mount {
    init(_ mount: ClusterModel.Mount) {
        self.init(Target: mount.target, ReadOnly: mount.readOnly.ifTrue)
        switch mount.source {
        case .bind(let path, let propagation, let createsSource):
            mountType = "bind"
            Source = path
            if propagation != .rprivate || createsSource {
                BindOptions = Docker.BindOptions(
                    Propagation: propagation.dockerName, CreateMountpoint: createsSource.ifTrue)
            }
        case .volume(let name, let copiesImageContent):
            mountType = "volume"
            Source = name.nonEmpty
            if !copiesImageContent { VolumeOptions = Docker.VolumeOptions(NoCopy: true) }
        case .tmpfs(let size, let mode):
            mountType = "tmpfs"
            if size != 0 || mode != MountDefaults.tmpfsMode {
                TmpfsOptions = Docker.TmpfsOptions(SizeBytes: size.nonZero, Mode: mode)
            }
        }
    }
}
