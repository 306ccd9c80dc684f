public import ClusterModel
import Primitives
import SwiftProtobuf

extension Service {
    public init(wire: WireService) throws(MessageError) {
        self.init(
            id: try ServiceID(wire: wire.id, field: "id"),
            meta: try required("meta", wire.hasMeta, Meta(wire: wire.meta)),
            spec: try required("spec", wire.hasSpec, ServiceSpec(wire: wire.spec)), taskVersion: wire.taskVersion,
            previousSpec: try optional("previous_spec", wire.hasPreviousSpec, ServiceSpec(wire: wire.previousSpec)),
            update: try optional("update", wire.hasUpdate, UpdateStatus(wire: wire.update)),
            ports: try list("ports", wire.ports, PortConfig.init(wire:)))
    }

    public var wire: WireService {
        .with {
            $0.id = id.wire()
            $0.meta = meta.wire
            $0.spec = spec.wire
            $0.taskVersion = taskVersion
            if let previousSpec { $0.previousSpec = previousSpec.wire }
            if let update { $0.update = update.wire }
            $0.ports = ports.map(\.wire)
        }
    }
}

extension ServiceSpec {
    public init(wire: WireServiceSpec) throws(MessageError) {
        self.init(
            name: wire.name, labels: try dictionary("labels", wire.labels),
            task: try required("task", wire.hasTask, TaskSpec(wire: wire.task)),
            mode: try required("mode", wire.hasMode, ServiceMode(wire: wire.mode)),
            update: try required("update", wire.hasUpdate, UpdateConfig(wire: wire.update)),
            rollback: try required("rollback", wire.hasRollback, UpdateConfig(wire: wire.rollback)),
            endpointMode: try known("endpoint_mode", wire.endpointMode),
            ports: try list("ports", wire.ports, PortConfig.init(wire:)))
    }

    public var wire: WireServiceSpec {
        .with {
            $0.name = name
            $0.labels = wirePairs(labels)
            $0.task = task.wire
            $0.mode = mode.wire
            $0.update = update.wire
            $0.rollback = rollback.wire
            $0.endpointMode = wireEnum(endpointMode)
            $0.ports = ports.map(\.wire)
        }
    }
}

extension ServiceMode {
    public init(wire: WireServiceMode) throws(MessageError) {
        switch wire.mode {
        case .replicated(let replicated): self = .replicated(replicated.replicas)
        case .global: self = .global
        case nil: throw MessageError("", "missing or of an unknown kind")
        }
    }

    public var wire: WireServiceMode {
        .with {
            switch self {
            case .replicated(let replicas): $0.replicated = .with { $0.replicas = replicas }
            case .global: $0.global = WireServiceMode.Global()
            }
        }
    }
}

extension UpdateConfig {
    public init(wire: WireUpdateConfig) throws(MessageError) {
        self.init(
            parallelism: wire.parallelism, delay: .nanoseconds(wire.delay),
            failureAction: try known("failure_action", wire.failureAction), monitor: .nanoseconds(wire.monitor),
            maxFailureRatio: wire.maxFailureRatio, order: try known("order", wire.order))
    }

    public var wire: WireUpdateConfig {
        .with {
            $0.parallelism = parallelism
            $0.delay = delay.wholeNanoseconds
            $0.failureAction = wireEnum(failureAction)
            $0.monitor = monitor.wholeNanoseconds
            $0.maxFailureRatio = maxFailureRatio
            $0.order = wireEnum(order)
        }
    }
}

extension UpdateStatus {
    public init(wire: WireUpdateStatus) throws(MessageError) {
        self.init(
            state: try known("state", wire.state), startedAt: Timestamp(nanoseconds: wire.startedAt),
            completedAt: wire.hasCompletedAt ? Timestamp(nanoseconds: wire.completedAt) : nil, message: wire.message)
    }

    public var wire: WireUpdateStatus {
        .with {
            $0.state = wireEnum(state)
            $0.startedAt = startedAt.nanoseconds
            if let completedAt { $0.completedAt = completedAt.nanoseconds }
            $0.message = message
        }
    }
}

extension PortConfig {
    public init(wire: WirePortConfig) throws(MessageError) {
        self.init(
            name: wire.name, protocol: try known("protocol", wire.protocol),
            targetPort: try narrowed("target_port", wire.targetPort),
            publishedPort: try narrowed("published_port", wire.publishedPort), mode: try known("mode", wire.mode),
            hostAddress: wire.hasHostAddress ? wire.hostAddress : nil)
    }

    public var wire: WirePortConfig {
        .with {
            $0.name = name
            $0.protocol = wireEnum(`protocol`)
            $0.targetPort = UInt32(targetPort)
            $0.publishedPort = UInt32(publishedPort)
            $0.mode = wireEnum(mode)
            if let hostAddress { $0.hostAddress = hostAddress }
        }
    }
}
