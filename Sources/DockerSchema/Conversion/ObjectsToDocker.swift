public import ClusterModel
public import Primitives

extension Docker.Node {
    /// - Parameters:
    ///   - manager: the node's place in Raft, where it is a manager.
    ///   - authority: the cluster's; nil leaves out what is known of the node's certificate.
    ///   - now: by which a certificate has expired or not.
    public init(
        _ node: ClusterModel.Node, manager: Docker.ManagerStatus?, authority: Authority?, now: Primitives.Timestamp
    ) {
        ID = node.id.description
        Version = Docker.ObjectVersion(Index: node.meta.specVersion)
        CreatedAt = node.meta.createdAt.rfc3339
        UpdatedAt = node.meta.updatedAt.rfc3339
        Spec = Docker.NodeSpec(
            Labels: node.spec.labels, Role: node.spec.role.dockerName, Availability: node.spec.availability.dockerName)
        Description = node.description.map { Docker.NodeDescription($0, authority: authority) }
        Status = Docker.NodeStatus(
            State: node.status.state.dockerName, Message: Docker.NodeStatus.message(of: node, now: now).nonEmpty,
            Addr: node.status.address.nonEmpty)
        ManagerStatus = manager
    }
}

extension Docker.ManagerStatus {
    public init(address: String, isLeader: Bool, isReachable: Bool?) {
        Leader = isLeader.ifTrue
        Reachability = isReachable.map { $0 ? "reachable" : "unreachable" } ?? "unknown"
        Addr = address
    }
}

extension Docker.NodeDescription {
    init(_ description: ClusterModel.NodeDescription, authority: Authority?) {
        Hostname = description.hostname
        Platform = Docker.Platform(Architecture: description.architecture, OS: description.os)
        Resources = Docker.Resources(
            NanoCPUs: description.resources.nanoCPUs, MemoryBytes: description.resources.memoryBytes)
        Engine = Docker.EngineDescription(
            EngineVersion: description.engineVersion, Labels: description.engineLabels.nonEmpty)
        TLSInfo = authority.flatMap { Docker.TLSInfo(description.certificate, $0) }
    }
}

extension Docker.NodeStatus {
    /// What the managers saw, and where the node's certificate ran out meanwhile, how it comes back.
    static func message(of node: ClusterModel.Node, now: Primitives.Timestamp) -> String {
        guard node.status.state != .ready, let end = node.description?.certificate?.expiresAt, end != .zero, end < now
        else { return node.status.message }
        let lapse =
            "its certificate expired at \(end.rfc3339): `swarmctl join --renew TOKEN` on it, unless it is a manager with "
            + "its state, brings it back"
        return node.status.message.isEmpty ? lapse : "\(node.status.message); \(lapse)"
    }
}

extension Docker.TLSInfo {
    /// Of the cluster: the root that all nodes trust, and the issuer of the certificates that they get now.
    init(_ authority: Authority, issuer: CertificateInfo?) {
        self.init(
            TrustRoot: authority.commonRoot, CertIssuerSubject: issuer.map { DockerJSON.base64($0.issuerSubject) },
            CertIssuerPublicKey: issuer.map { DockerJSON.base64($0.issuerPublicKey) })
    }

    /// Of a node. What it trusts is known where it is what it is to trust.
    init?(_ info: CertificateInfo?, _ authority: Authority) {
        guard let root = authority.rootCertificate.nonEmpty else { return nil }
        let roots = ([authority.rootCertificate] + authority.earlier.map(\.certificate)).joined()
        // Told nothing: no root was ever replaced.
        let isCurrent = authority.trustDigest.isEmpty || info?.trustDigest == authority.trustDigest
        self.init(
            TrustRoot: isCurrent ? (authority.isRotating ? roots : root) : "",
            CertIssuerSubject: info.map { DockerJSON.base64($0.issuerSubject) },
            CertIssuerPublicKey: info.map { DockerJSON.base64($0.issuerPublicKey) })
    }
}

extension Docker.Task {
    /// - Parameter network: the network of an attachment, for its name and prefix length.
    public init(_ task: ClusterModel.ClusterTask, network: (NetworkID) -> ClusterModel.Network?) {
        ID = task.id.description
        Version = Docker.ObjectVersion(Index: task.meta.version)
        CreatedAt = task.meta.createdAt.rfc3339
        UpdatedAt = task.meta.updatedAt.rfc3339
        Name = task.name
        Labels = [:]
        Spec = Docker.TaskSpec(task.spec)
        ServiceID = task.serviceID.description
        Slot = task.slot.nonZero
        NodeID = task.nodeID?.description
        Status = Docker.TaskStatus(task)
        DesiredState = task.desiredState.dockerName
        NetworksAttachments = task.networks.map { Docker.NetworkAttachment($0, in: network($0.network)) }.nonEmpty
    }
}

extension Docker.NetworkAttachment {
    init(_ attachment: ClusterModel.NetworkAttachment, in network: ClusterModel.Network?) {
        Network = Docker.AttachedNetwork(
            ID: attachment.network.description,
            Spec: network.map { Docker.AttachedNetworkSpec(Name: $0.spec.name, Ingress: $0.spec.isIngress.ifTrue) })
        let prefixLength = network?.allocation?.subnet.prefixLength ?? 32
        Addresses = ["\(attachment.address)/\(prefixLength)"]
    }
}

extension Docker.TaskStatus {
    init(_ task: ClusterModel.ClusterTask) {
        let status = task.status
        Timestamp = status.timestamp.rfc3339
        State = status.state.dockerName
        Message = status.message.nonEmpty
        Err = status.error.nonEmpty
        ContainerStatus = status.container.map { container in
            Docker.ContainerStatus(
                ContainerID: container.containerID, PID: container.pid, ExitCode: container.exitCode ?? 0,
                Health: container.health == .none ? nil : container.health.dockerName)
        }
        let hostPorts = task.ports.filter { $0.mode == .host }
        PortStatus = Docker.PortStatus(Ports: hostPorts.map(Docker.PortConfig.init).nonEmpty)
    }
}

extension Docker.Payload {
    /// A secret's bytes are never written.
    public init(_ secret: ClusterModel.Secret) {
        self.init(
            id: secret.id.description, meta: secret.meta,
            spec: Docker.PayloadSpec(Name: secret.name, Labels: secret.labels))
    }

    public init(_ config: ClusterModel.Config) {
        self.init(
            id: config.id.description, meta: config.meta,
            spec: Docker.PayloadSpec(
                Name: config.name, Labels: config.labels, Data: DockerJSON.base64(config.data)))
    }

    private init(id: String, meta: Meta, spec: Docker.PayloadSpec) {
        ID = id
        Version = Docker.ObjectVersion(Index: meta.specVersion)
        CreatedAt = meta.createdAt.rfc3339
        UpdatedAt = meta.updatedAt.rfc3339
        Spec = spec
    }
}

extension Docker.Network {
    public init(_ network: ClusterModel.Network) {
        let spec = network.spec
        Name = spec.name
        Id = network.id.description
        Created = network.meta.createdAt.rfc3339
        Scope = "swarm"
        Driver = "overlay"
        EnableIPv4 = true
        EnableIPv6 = false
        let subnet = network.allocation?.subnet ?? spec.subnet
        let gateway = network.allocation?.gateway ?? spec.gateway
        IPAM = Docker.IPAM(
            Driver: "default",
            Config: subnet.map { [Docker.IPAMConfig(Subnet: $0.description, Gateway: gateway?.description)] } ?? [])
        Internal = spec.isInternal
        Attachable = spec.isAttachable
        Ingress = spec.isIngress
        ConfigFrom = Docker.ConfigSource(Network: "")
        ConfigOnly = false
        Containers = [:]
        Options = spec.driverOptions
        if let vni = network.allocation?.vni { Options["com.docker.network.driver.overlay.vxlanid_list"] = "\(vni)" }
        Labels = spec.labels
    }
}

extension Docker.Swarm {
    /// - Parameters:
    ///   - issuer: of the certificates that nodes get now.
    ///   - tokens: the join tokens, where the caller may see them.
    public init(_ cluster: ClusterModel.Cluster, issuer: CertificateInfo?, tokens: Docker.JoinTokens?) {
        ID = cluster.id.description
        Version = Docker.ObjectVersion(Index: cluster.meta.specVersion)
        CreatedAt = cluster.meta.createdAt.rfc3339
        UpdatedAt = cluster.meta.updatedAt.rfc3339
        Spec = Docker.SwarmSpec(cluster.spec)
        Spec.EncryptionConfig = Docker.EncryptionConfig(AutoLockManagers: cluster.unlockKey != nil)
        TLSInfo = Docker.TLSInfo(cluster.authority, issuer: issuer)
        RootRotationInProgress = cluster.authority.isRotating
        DefaultAddrPool = cluster.addressPools.map(\.description)
        SubnetSize = cluster.subnetPrefixLength
        DataPathPort = cluster.dataPathPort
        JoinTokens = tokens
    }
}

extension Docker.SwarmSpec {
    public init(_ spec: ClusterModel.ClusterSpec) {
        Name = "default"
        Labels = spec.labels
        Orchestration = Docker.OrchestrationConfig(TaskHistoryRetentionLimit: spec.taskHistoryLimit)
        Dispatcher = Docker.DispatcherConfig(HeartbeatPeriod: spec.heartbeatPeriod.wholeNanoseconds)
        CAConfig = Docker.CAConfig(
            NodeCertExpiry: spec.certificateValidity.wholeNanoseconds, ForceRotate: spec.forceRotate.nonZero)
    }
}
