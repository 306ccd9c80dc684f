public import ClusterModel
public import Primitives
import SwiftProtobuf

extension ContainerSpec {
    public init(wire: WireContainerSpec) throws(MessageError) {
        self.init(image: wire.image)
        labels = try dictionary("labels", wire.labels)
        command = wire.command
        arguments = wire.arguments
        hostname = wire.hostname
        environment = wire.environment
        workingDirectory = wire.workingDirectory
        user = wire.user
        groups = wire.groups
        capabilitiesAdded = wire.capabilitiesAdded
        capabilitiesDropped = wire.capabilitiesDropped
        sysctls = try dictionary("sysctls", wire.sysctls)
        ulimits = wire.ulimits.map(Ulimit.init(wire:))
        noNewPrivileges = wire.noNewPrivileges
        initProcess = wire.initProcess
        terminal = wire.terminal
        openStdin = wire.openStdin
        readOnly = wire.readOnly
        stopSignal = wire.stopSignal
        stopGracePeriod = .nanoseconds(wire.stopGracePeriod)
        healthcheck = try optional("healthcheck", wire.hasHealthcheck, Healthcheck(wire: wire.healthcheck))
        mounts = try list("mounts", wire.mounts, Mount.init(wire:))
        secrets = try list("secrets", wire.secrets, FileReference.init(wire:))
        configs = try list("configs", wire.configs, FileReference.init(wire:))
        hosts = wire.hosts
        dns = try required("dns", wire.hasDns, DNSConfig(wire: wire.dns))
        oomScoreAdjustment = try narrowed("oom_score_adjustment", wire.oomScoreAdjustment)
        if wire.hasRegistryAuth {
            registryAuth = RegistryAuth(username: wire.registryAuth.username, password: wire.registryAuth.password)
        }
    }

    public var wire: WireContainerSpec {
        .with {
            $0.image = image
            $0.labels = wirePairs(labels)
            $0.command = command
            $0.arguments = arguments
            $0.hostname = hostname
            $0.environment = environment
            $0.workingDirectory = workingDirectory
            $0.user = user
            $0.groups = groups
            $0.capabilitiesAdded = capabilitiesAdded
            $0.capabilitiesDropped = capabilitiesDropped
            $0.sysctls = wirePairs(sysctls)
            $0.ulimits = ulimits.map(\.wire)
            $0.noNewPrivileges = noNewPrivileges
            $0.initProcess = initProcess
            $0.terminal = terminal
            $0.openStdin = openStdin
            $0.readOnly = readOnly
            $0.stopSignal = stopSignal
            $0.stopGracePeriod = stopGracePeriod.wholeNanoseconds
            if let healthcheck { $0.healthcheck = healthcheck.wire }
            $0.mounts = mounts.map(\.wire)
            $0.secrets = secrets.map { $0.wire() }
            $0.configs = configs.map { $0.wire() }
            $0.hosts = hosts
            $0.dns = dns.wire
            $0.oomScoreAdjustment = Int64(oomScoreAdjustment)
            if let registryAuth {
                $0.registryAuth = .with {
                    $0.username = registryAuth.username
                    $0.password = registryAuth.password
                }
            }
        }
    }
}

extension Ulimit {
    public init(wire: WireUlimit) {
        self.init(name: wire.name, soft: wire.soft, hard: wire.hard)
    }

    public var wire: WireUlimit {
        .with {
            $0.name = name
            $0.soft = soft
            $0.hard = hard
        }
    }
}

extension Healthcheck {
    public init(wire: WireHealthcheck) throws(MessageError) {
        self.init(
            test: wire.test, interval: .nanoseconds(wire.interval), timeout: .nanoseconds(wire.timeout),
            startPeriod: .nanoseconds(wire.startPeriod), startInterval: .nanoseconds(wire.startInterval),
            retries: try narrowed("retries", wire.retries))
    }

    public var wire: WireHealthcheck {
        .with {
            $0.test = test
            $0.interval = interval.wholeNanoseconds
            $0.timeout = timeout.wholeNanoseconds
            $0.startPeriod = startPeriod.wholeNanoseconds
            $0.startInterval = startInterval.wholeNanoseconds
            $0.retries = Int64(retries)
        }
    }
}

extension DNSConfig {
    public init(wire: WireDNSConfig) {
        self.init(nameservers: wire.nameservers, search: wire.search, options: wire.options)
    }

    public var wire: WireDNSConfig {
        .with {
            $0.nameservers = nameservers
            $0.search = search
            $0.options = options
        }
    }
}

extension Mount {
    public init(wire: WireMount) throws(MessageError) {
        let source: Source
        switch wire.source {
        case .bind(let bind):
            source = .bind(
                path: bind.path, propagation: try known("bind.propagation", bind.propagation),
                createsSource: bind.createsSource)
        case .volume(let volume):
            source = .volume(name: volume.name, copiesImageContent: volume.copiesImageContent)
        case .tmpfs(let tmpfs):
            source = .tmpfs(sizeBytes: tmpfs.sizeBytes, mode: tmpfs.mode)
        case nil:
            throw MessageError("source", "missing or of an unknown kind")
        }
        self.init(source: source, target: wire.target, readOnly: wire.readOnly)
    }

    public var wire: WireMount {
        .with {
            switch source {
            case .bind(let path, let propagation, let createsSource):
                $0.bind = .with {
                    $0.path = path
                    $0.propagation = wireEnum(propagation)
                    $0.createsSource = createsSource
                }
            case .volume(let name, let copiesImageContent):
                $0.volume = .with {
                    $0.name = name
                    $0.copiesImageContent = copiesImageContent
                }
            case .tmpfs(let sizeBytes, let mode):
                $0.tmpfs = .with {
                    $0.sizeBytes = sizeBytes
                    $0.mode = mode
                }
            }
            $0.target = target
            $0.readOnly = readOnly
        }
    }
}

extension FileReference {
    public init<Tag>(wire: WireFileReference) throws(MessageError) where ID == Identifier<Tag> {
        self.init(
            id: try Identifier(wire: wire.id, field: "id"), name: wire.name, target: wire.target, uid: wire.uid,
            gid: wire.gid, mode: wire.mode)
    }

    public func wire<Tag>() -> WireFileReference where ID == Identifier<Tag> {
        .with {
            $0.id = id.wire()
            $0.name = name
            $0.target = target
            $0.uid = uid
            $0.gid = gid
            $0.mode = mode
        }
    }
}
