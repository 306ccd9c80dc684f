/// Roughly the bytes that something takes in a message: enough to keep messages and transactions below a limit. What
/// varies is texts and data; the rest is a fixed share.
enum SizeEstimate {
    static func of(_ texts: [String]) -> Int { texts.reduce(0) { $0 + $1.utf8.count + 4 } }
    static func of(_ texts: [String: String]) -> Int {
        texts.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 8 }
    }
}

extension ContainerSpec {
    public var estimatedBytes: Int {
        let mountBytes = mounts.reduce(0) { $0 + $1.estimatedBytes }
        return SizeEstimate.of([image, hostname, workingDirectory, user]) + SizeEstimate.of(command)
            + SizeEstimate.of(arguments) + SizeEstimate.of(environment) + SizeEstimate.of(labels)
            + SizeEstimate.of(groups) + SizeEstimate.of(sysctls) + SizeEstimate.of(hosts)
            + SizeEstimate.of(healthcheck?.test ?? []) + mountBytes
            + secrets.reduce(0) { $0 + 128 + $1.target.utf8.count }
            + configs.reduce(0) { $0 + 128 + $1.target.utf8.count }
    }
}

extension Mount {
    fileprivate var estimatedBytes: Int {
        switch source {
        case .bind(let path, _, _): 128 + target.utf8.count + path.utf8.count
        case .volume(let name, _): 128 + target.utf8.count + name.utf8.count
        case .tmpfs: 128 + target.utf8.count
        }
    }
}

extension TaskSpec {
    public var estimatedBytes: Int {
        container.estimatedBytes + networks.reduce(0) { $0 + 32 + SizeEstimate.of($1.aliases) }
            + SizeEstimate.of(logDriver?.options ?? [:]) + SizeEstimate.of(placement.spread)
            + 64 * placement.constraints.count
    }
}

extension TaskStatus {
    public var estimatedBytes: Int {
        64 + message.utf8.count + error.utf8.count + (container.map { 16 + $0.containerID.utf8.count } ?? 0)
    }
}

extension NodeDescription {
    public var estimatedBytes: Int {
        256 + hostname.utf8.count + engineVersion.utf8.count + overlayKey.count + overlayEndpoint.utf8.count
            + (certificate == nil ? 0 : 256)
            + SizeEstimate.of(engineLabels)
    }
}

extension ClusterTask {
    public var estimatedBytes: Int {
        512 + spec.estimatedBytes + status.estimatedBytes + 32 * ports.count
            + networks.reduce(0) { $0 + 32 + SizeEstimate.of($1.aliases) }
    }
}

extension Network {
    public var estimatedBytes: Int {
        256 + SizeEstimate.of(spec.labels) + SizeEstimate.of(spec.driverOptions)
            + 32 * (allocation?.nodeAddresses.count ?? 0)
    }
}

extension Secret {
    public var estimatedBytes: Int { 128 + name.utf8.count + data.count + SizeEstimate.of(labels) }
}

extension Config {
    public var estimatedBytes: Int { 128 + name.utf8.count + data.count + SizeEstimate.of(labels) }
}

extension AssignmentItem {
    public var estimatedBytes: Int {
        switch self {
        case .task(let task): task.estimatedBytes
        case .secret(let secret): secret.estimatedBytes
        case .config(let config): config.estimatedBytes
        case .network(let network): network.estimatedBytes
        case .endpoint(let endpoint):
            96 + endpoint.serviceName.utf8.count + endpoint.taskName.utf8.count + SizeEstimate.of(endpoint.aliases)
                + 32 * endpoint.ports.count
        case .peer(let peer): 48 + peer.key.count + peer.endpoint.utf8.count
        }
    }
}

extension Change {
    /// What the change takes in the log.
    public var estimatedBytes: Int {
        switch self {
        case .create(let object), .update(let object, _): object.estimatedBytes
        case .delete: 128
        case .observeTask(_, let status): 64 + status.estimatedBytes
        case .observeNode(_, let status, let description):
            128 + status.message.utf8.count + status.address.utf8.count + (description?.estimatedBytes ?? 0)
        }
    }
}

extension ClusterObject {
    public var estimatedBytes: Int {
        switch self {
        case .task(let task): task.estimatedBytes
        case .service(let service):
            512 + service.spec.task.estimatedBytes + (service.previousSpec?.task.estimatedBytes ?? 0)
        case .network(let network): network.estimatedBytes
        case .secret(let secret): secret.estimatedBytes
        case .config(let config): config.estimatedBytes
        case .node(let node): 512 + SizeEstimate.of(node.spec.labels) + (node.description?.estimatedBytes ?? 0)
        case .cluster(let cluster):
            8192 + 32 * cluster.revocations.count + 4096 * cluster.authority.earlier.count
        }
    }
}
