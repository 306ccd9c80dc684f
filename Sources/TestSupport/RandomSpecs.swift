public import ClusterModel
public import Primitives

extension RandomObjects {
    public mutating func taskSpec() -> TaskSpec {
        TaskSpec(
            container: containerSpec(),
            limits: ResourceLimits(nanoCPUs: number(), memoryBytes: number(), pids: number()),
            reservations: resources(),
            restart: RestartPolicy(condition: pick(), delay: duration(), maxAttempts: number(), window: duration()),
            placement: Placement(
                constraints: list { $0.constraint() }, spread: texts(), maxReplicasPerNode: number()),
            networks: list { NetworkAttachmentSpec(network: $0.id(), aliases: $0.texts()) },
            logDriver: maybe { LogDriver(name: $0.text(), options: $0.pairs()) }, forceUpdate: number())
    }

    public mutating func containerSpec() -> ContainerSpec {
        var spec = ContainerSpec(image: text())
        spec.labels = pairs()
        spec.command = texts()
        spec.arguments = texts()
        spec.hostname = text()
        spec.environment = texts()
        spec.workingDirectory = text()
        spec.user = text()
        spec.groups = texts()
        spec.capabilitiesAdded = texts()
        spec.capabilitiesDropped = texts()
        spec.sysctls = pairs()
        spec.ulimits = list { Ulimit(name: $0.text(), soft: $0.number(), hard: $0.number()) }
        spec.noNewPrivileges = flag()
        spec.initProcess = flag()
        spec.terminal = flag()
        spec.openStdin = flag()
        spec.readOnly = flag()
        spec.stopSignal = text()
        spec.stopGracePeriod = duration()
        spec.healthcheck = maybe {
            Healthcheck(
                test: $0.texts(), interval: $0.duration(), timeout: $0.duration(), startPeriod: $0.duration(),
                startInterval: $0.duration(), retries: $0.number())
        }
        spec.mounts = list { $0.mount() }
        spec.secrets = list { $0.fileReference(id: $0.id()) }
        spec.configs = list { $0.fileReference(id: $0.id()) }
        spec.hosts = texts()
        spec.dns = DNSConfig(nameservers: texts(), search: texts(), options: texts())
        spec.oomScoreAdjustment = number()
        spec.registryAuth = maybe { RegistryAuth(username: $0.text(), password: $0.text()) }
        return spec
    }

    public mutating func mount() -> Mount {
        let source: Mount.Source =
            switch Int.random(in: 0..<3, using: &random) {
            case 0: .bind(path: text(), propagation: pick(), createsSource: flag())
            case 1: .volume(name: text(), copiesImageContent: flag())
            default: .tmpfs(sizeBytes: number(), mode: number())
            }
        return Mount(source: source, target: text(), readOnly: flag())
    }

    public mutating func fileReference<ID>(id: ID) -> FileReference<ID> {
        FileReference(id: id, name: text(), target: text(), uid: number(), gid: number(), mode: number())
    }

    public mutating func constraint() -> Constraint {
        let key: Constraint.Key =
            switch Int.random(in: 0..<8, using: &random) {
            case 0: .nodeID
            case 1: .hostname
            case 2: .address
            case 3: .role
            case 4: .os
            case 5: .architecture
            case 6: .nodeLabel(text())
            default: .engineLabel(text())
            }
        return Constraint(key: key, operator: flag() ? .equal : .notEqual, value: text())
    }

    public mutating func updateConfig() -> UpdateConfig {
        UpdateConfig(
            parallelism: number(), delay: duration(), failureAction: pick(), monitor: duration(),
            maxFailureRatio: Double.random(in: 0...1, using: &random), order: pick())
    }

    public mutating func updateStatus() -> UpdateStatus {
        UpdateStatus(
            state: pick(), startedAt: timestamp(), completedAt: maybe { $0.timestamp() }, message: text())
    }

    public mutating func port() -> PortConfig {
        PortConfig(
            name: text(), protocol: pick(), targetPort: number(), publishedPort: number(), mode: pick(),
            hostAddress: maybe { $0.text() })
    }

    public mutating func resources() -> Resources {
        Resources(nanoCPUs: number(), memoryBytes: number())
    }

    public mutating func meta() -> Meta {
        Meta(version: number(), specVersion: number(), createdAt: timestamp(), updatedAt: timestamp())
    }
}

// MARK: - Values

extension RandomObjects {
    public mutating func id<Entity>() -> Identifier<Entity> { Identifier(using: &random) }

    public mutating func flag() -> Bool { Bool.random(using: &random) }

    public mutating func timestamp() -> Timestamp { Timestamp(nanoseconds: number()) }

    public mutating func duration() -> Duration { .nanoseconds(number() as Int64) }

    public mutating func address() -> IPv4Address { IPv4Address(value: number()) }

    public mutating func subnet() -> IPv4Network {
        let address = address()
        let length = UInt8.random(in: 0...32, using: &random)
        guard let network = IPv4Network(address: address, prefixLength: length) else {
            preconditionFailure("prefix length \(length) is at most 32")
        }
        return network
    }

    /// A bound of the type, a small number, or any.
    public mutating func number<Number: FixedWidthInteger>() -> Number {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: Bool.random(using: &random) ? .min : .max
        case 1: 0
        case 2: Number(truncatingIfNeeded: Int.random(in: 1...100, using: &random))
        default: Number(truncatingIfNeeded: random.next())
        }
    }

    public mutating func pick<Value: CaseIterable>() -> Value {
        guard let value = Value.allCases.randomElement(using: &random) else {
            preconditionFailure("\(Value.self) has no cases")
        }
        return value
    }

    public mutating func maybe<Value>(_ make: (inout Self) -> Value) -> Value? { flag() ? make(&self) : nil }

    public mutating func list<Value>(_ make: (inout Self) -> Value) -> [Value] {
        let count = Int.random(in: 0...3, using: &random)
        return (0..<count).map { _ in make(&self) }
    }

    public mutating func text() -> String {
        let alphabet = ["a", "z", "0", "-", ".", "/", " ", "=", "\u{0}", "\"", "é", "e\u{301}", "語", "🐋"]
        let count = Int.random(in: 0...8, using: &random)
        return (0..<count).map { _ in alphabet.randomElement(using: &random) ?? "" }.joined()
    }

    public mutating func texts() -> [String] { list { $0.text() } }

    public mutating func pairs() -> [String: String] {
        Dictionary(list { ($0.text(), $0.text()) }, uniquingKeysWith: { first, _ in first })
    }

    public mutating func bytes(count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    public mutating func someBytes() -> [UInt8] {
        let count = Int.random(in: 0...64, using: &random)
        return bytes(count: count)
    }
}
