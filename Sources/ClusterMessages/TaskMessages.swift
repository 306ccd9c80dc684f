public import ClusterModel
import Primitives
import SwiftProtobuf

extension ClusterTask {
    public init(wire: WireTask) throws(MessageError) {
        self.init(
            id: try TaskID(wire: wire.id, field: "id"),
            meta: try required("meta", wire.hasMeta, Meta(wire: wire.meta)),
            serviceID: try ServiceID(wire: wire.serviceID, field: "service_id"), slot: wire.slot,
            nodeID: wire.hasNodeID ? try NodeID(wire: wire.nodeID, field: "node_id") : nil, name: wire.name,
            serviceName: wire.serviceName, serviceVersion: wire.serviceVersion,
            spec: try required("spec", wire.hasSpec, TaskSpec(wire: wire.spec)),
            endpointMode: try known("endpoint_mode", wire.endpointMode),
            ports: try list("ports", wire.ports, PortConfig.init(wire:)),
            networks: try list("networks", wire.networks, NetworkAttachment.init(wire:)),
            desiredState: try known("desired_state", wire.desiredState),
            status: try required("status", wire.hasStatus, TaskStatus(wire: wire.status)),
            notBefore: wire.hasNotBefore ? Timestamp(nanoseconds: wire.notBefore) : nil)
    }

    public var wire: WireTask {
        .with {
            $0.id = id.wire()
            $0.meta = meta.wire
            $0.serviceID = serviceID.wire()
            $0.slot = slot
            if let nodeID { $0.nodeID = nodeID.wire() }
            $0.name = name
            $0.serviceName = serviceName
            $0.serviceVersion = serviceVersion
            $0.spec = spec.wire
            $0.endpointMode = wireEnum(endpointMode)
            $0.ports = ports.map(\.wire)
            $0.networks = networks.map(\.wire)
            $0.desiredState = wireEnum(desiredState)
            $0.status = status.wire
            if let notBefore { $0.notBefore = notBefore.nanoseconds }
        }
    }
}

extension TaskStatus {
    public init(wire: WireTaskStatus) throws(MessageError) {
        self.init(
            state: try known("state", wire.state), timestamp: Timestamp(nanoseconds: wire.timestamp),
            message: wire.message, error: wire.error,
            container: try optional("container", wire.hasContainer, ContainerStatus(wire: wire.container)),
            isServing: wire.isServing)
    }

    public var wire: WireTaskStatus {
        .with {
            $0.state = wireEnum(state)
            $0.timestamp = timestamp.nanoseconds
            $0.message = message
            $0.error = error
            if let container { $0.container = container.wire }
            $0.isServing = isServing
        }
    }
}

extension ContainerStatus {
    public init(wire: WireContainerStatus) throws(MessageError) {
        self.init(
            containerID: wire.containerID, pid: wire.pid, exitCode: wire.hasExitCode ? wire.exitCode : nil,
            health: try known("health", wire.health))
    }

    public var wire: WireContainerStatus {
        .with {
            $0.containerID = containerID
            $0.pid = pid
            if let exitCode { $0.exitCode = exitCode }
            $0.health = wireEnum(health)
        }
    }
}

extension NetworkAttachment {
    public init(wire: WireNetworkAttachment) throws(MessageError) {
        self.init(
            network: try NetworkID(wire: wire.network, field: "network"), address: IPv4Address(value: wire.address),
            aliases: wire.aliases)
    }

    public var wire: WireNetworkAttachment {
        .with {
            $0.network = network.wire()
            $0.address = address.value
            $0.aliases = aliases
        }
    }
}
