public import ClusterModel
import Primitives
import SwiftProtobuf

extension TaskSpec {
    public init(wire: WireTaskSpec) throws(MessageError) {
        self.init(
            container: try required("container", wire.hasContainer, ContainerSpec(wire: wire.container)),
            limits: try required("limits", wire.hasLimits, ResourceLimits(wire: wire.limits)),
            reservations: try required("reservations", wire.hasReservations, Resources(wire: wire.reservations)),
            restart: try required("restart", wire.hasRestart, RestartPolicy(wire: wire.restart)),
            placement: try required("placement", wire.hasPlacement, Placement(wire: wire.placement)),
            networks: try list("networks", wire.networks, NetworkAttachmentSpec.init(wire:)),
            logDriver: try optional("log_driver", wire.hasLogDriver, LogDriver(wire: wire.logDriver)),
            forceUpdate: wire.forceUpdate)
    }

    public var wire: WireTaskSpec {
        .with {
            $0.container = container.wire
            $0.limits = limits.wire
            $0.reservations = reservations.wire
            $0.restart = restart.wire
            $0.placement = placement.wire
            $0.networks = networks.map(\.wire)
            if let logDriver { $0.logDriver = logDriver.wire }
            $0.forceUpdate = forceUpdate
        }
    }
}

extension LogDriver {
    public init(wire: WireLogDriver) throws(MessageError) {
        self.init(name: wire.name, options: try dictionary("options", wire.options))
    }

    public var wire: WireLogDriver {
        .with {
            $0.name = name
            $0.options = wirePairs(options)
        }
    }
}

extension ResourceLimits {
    public init(wire: WireResourceLimits) {
        self.init(nanoCPUs: wire.nanoCpus, memoryBytes: wire.memoryBytes, pids: wire.pids)
    }

    public var wire: WireResourceLimits {
        .with {
            $0.nanoCpus = nanoCPUs
            $0.memoryBytes = memoryBytes
            $0.pids = pids
        }
    }
}

extension Resources {
    public init(wire: WireResources) {
        self.init(nanoCPUs: wire.nanoCpus, memoryBytes: wire.memoryBytes)
    }

    public var wire: WireResources {
        .with {
            $0.nanoCpus = nanoCPUs
            $0.memoryBytes = memoryBytes
        }
    }
}

extension RestartPolicy {
    public init(wire: WireRestartPolicy) throws(MessageError) {
        self.init(
            condition: try known("condition", wire.condition), delay: .nanoseconds(wire.delay),
            maxAttempts: wire.maxAttempts, window: .nanoseconds(wire.window))
    }

    public var wire: WireRestartPolicy {
        .with {
            $0.condition = wireEnum(condition)
            $0.delay = delay.wholeNanoseconds
            $0.maxAttempts = maxAttempts
            $0.window = window.wholeNanoseconds
        }
    }
}

extension Placement {
    public init(wire: WirePlacement) throws(MessageError) {
        self.init(
            constraints: try list("constraints", wire.constraints, Constraint.init(wire:)), spread: wire.spread,
            maxReplicasPerNode: wire.maxReplicasPerNode)
    }

    public var wire: WirePlacement {
        .with {
            $0.constraints = constraints.map(\.wire)
            $0.spread = spread
            $0.maxReplicasPerNode = maxReplicasPerNode
        }
    }
}

extension Constraint {
    public init(wire: WireConstraint) throws(MessageError) {
        let key: Key
        switch wire.subject {
        case .nodeID: key = .nodeID
        case .hostname: key = .hostname
        case .address: key = .address
        case .role: key = .role
        case .os: key = .os
        case .architecture: key = .architecture
        case .nodeLabel: key = .nodeLabel(wire.label)
        case .engineLabel: key = .engineLabel(wire.label)
        case .UNRECOGNIZED(let number): throw MessageError("subject", "\(number) is not a known constraint subject")
        }
        self.init(key: key, operator: wire.negated ? .notEqual : .equal, value: wire.value)
    }

    public var wire: WireConstraint {
        .with {
            switch key {
            case .nodeID: $0.subject = .nodeID
            case .hostname: $0.subject = .hostname
            case .address: $0.subject = .address
            case .role: $0.subject = .role
            case .os: $0.subject = .os
            case .architecture: $0.subject = .architecture
            case .nodeLabel(let label):
                $0.subject = .nodeLabel
                $0.label = label
            case .engineLabel(let label):
                $0.subject = .engineLabel
                $0.label = label
            }
            $0.negated = `operator` == .notEqual
            $0.value = value
        }
    }
}

extension NetworkAttachmentSpec {
    public init(wire: WireNetworkAttachmentSpec) throws(MessageError) {
        self.init(network: try NetworkID(wire: wire.network, field: "network"), aliases: wire.aliases)
    }

    public var wire: WireNetworkAttachmentSpec {
        .with {
            $0.network = network.wire()
            $0.aliases = aliases
        }
    }
}
