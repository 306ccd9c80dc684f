public import ClusterModel
import Primitives
import SwiftProtobuf

extension Node {
    public init(wire: WireNode) throws(MessageError) {
        self.init(
            id: try NodeID(wire: wire.id, field: "id"),
            meta: try required("meta", wire.hasMeta, Meta(wire: wire.meta)),
            spec: try required("spec", wire.hasSpec, NodeSpec(wire: wire.spec)),
            description: try optional("machine", wire.hasMachine, NodeDescription(wire: wire.machine)),
            status: try required("status", wire.hasStatus, NodeStatus(wire: wire.status)),
            manager: wire.hasManager ? ManagerStatus(wire: wire.manager) : nil)
    }

    public var wire: WireNode {
        .with {
            $0.id = id.wire()
            $0.meta = meta.wire
            $0.spec = spec.wire
            if let description { $0.machine = description.wire }
            $0.status = status.wire
            if let manager { $0.manager = manager.wire }
        }
    }
}

extension NodeSpec {
    public init(wire: WireNodeSpec) throws(MessageError) {
        self.init(
            labels: try dictionary("labels", wire.labels), role: try known("role", wire.role),
            availability: try known("availability", wire.availability))
    }

    public var wire: WireNodeSpec {
        .with {
            $0.labels = wirePairs(labels)
            $0.role = wireEnum(role)
            $0.availability = wireEnum(availability)
        }
    }
}

extension NodeDescription {
    public init(wire: WireNodeDescription) throws(MessageError) {
        self.init(
            hostname: wire.hostname, os: wire.os, architecture: wire.architecture,
            resources: try required("resources", wire.hasResources, Resources(wire: wire.resources)),
            engineVersion: wire.engineVersion, engineLabels: try dictionary("engine_labels", wire.engineLabels),
            overlayKey: Array(wire.overlayKey), overlayEndpoint: wire.overlayEndpoint,
            certificate: wire.hasCertificate ? CertificateInfo(wire: wire.certificate) : nil)
    }

    public var wire: WireNodeDescription {
        .with {
            $0.hostname = hostname
            $0.os = os
            $0.architecture = architecture
            $0.resources = resources.wire
            $0.engineVersion = engineVersion
            $0.engineLabels = wirePairs(engineLabels)
            $0.overlayKey = wireBytes(overlayKey)
            $0.overlayEndpoint = overlayEndpoint
            if let certificate { $0.certificate = certificate.wire }
        }
    }
}

extension NodeStatus {
    public init(wire: WireNodeStatus) throws(MessageError) {
        self.init(
            state: try known("state", wire.state), message: wire.message, address: wire.address,
            since: Timestamp(nanoseconds: wire.since))
    }

    public var wire: WireNodeStatus {
        .with {
            $0.state = wireEnum(state)
            $0.message = message
            $0.address = address
            $0.since = since.nanoseconds
        }
    }
}

extension ManagerStatus {
    public init(wire: WireManagerStatus) {
        self.init(raftID: wire.raftID, address: wire.address)
    }

    public var wire: WireManagerStatus {
        .with {
            $0.raftID = raftID
            $0.address = address
        }
    }
}
