public import ClusterModel
import Primitives
import SwiftProtobuf

extension Cluster {
    public init(wire: WireCluster) throws(MessageError) {
        self.init(
            id: try ClusterID(wire: wire.id, field: "id"),
            meta: try required("meta", wire.hasMeta, Meta(wire: wire.meta)),
            spec: try required("spec", wire.hasSpec, ClusterSpec(wire: wire.spec)),
            authority: try required("authority", wire.hasAuthority, Authority(wire: wire.authority)),
            tokens: try required("tokens", wire.hasTokens, JoinTokens(wire: wire.tokens)),
            addressPools: try list("address_pools", wire.addressPools, IPv4Network.init(wire:)),
            subnetPrefixLength: try narrowed("subnet_prefix_length", wire.subnetPrefixLength),
            dataPathPort: try narrowed("data_path_port", wire.dataPathPort),
            revocations: try list("revocations", wire.revocations, Revocation.init(wire:)),
            unlockKey: try UnlockKey(wire: wire.unlockKey))
    }

    public var wire: WireCluster {
        .with {
            $0.id = id.wire()
            $0.meta = meta.wire
            $0.spec = spec.wire
            $0.authority = authority.wire
            $0.tokens = tokens.wire
            $0.addressPools = addressPools.map(\.wire)
            $0.subnetPrefixLength = UInt32(subnetPrefixLength)
            $0.dataPathPort = UInt32(dataPathPort)
            $0.revocations = revocations.map(\.wire)
            $0.unlockKey = wireBytes(unlockKey?.bytes ?? [])
        }
    }
}

extension UnlockKey {
    /// Nil for no bytes at all.
    fileprivate init?(wire: some Collection<UInt8>) throws(MessageError) {
        if wire.isEmpty { return nil }
        self.init(bytes: wire)
        if wire.count != UnlockKey.byteCount {
            throw MessageError("unlock_key", "\(wire.count) bytes instead of \(UnlockKey.byteCount)")
        }
    }
}

extension Revocation {
    public init(wire: WireRevocation) throws(MessageError) {
        switch wire.revoked {
        case .node(let node): self = .node(try NodeID(wire: node, field: "node"))
        case .raftID(let id): self = .member(id)
        case nil: throw MessageError("revoked", "missing or of an unknown kind")
        }
    }

    public var wire: WireRevocation {
        .with {
            switch self {
            case .node(let node): $0.node = node.wire()
            case .member(let id): $0.raftID = id
            }
        }
    }
}

extension ClusterSpec {
    public init(wire: WireClusterSpec) throws(MessageError) {
        self.init(
            labels: try dictionary("labels", wire.labels), taskHistoryLimit: wire.taskHistoryLimit,
            heartbeatPeriod: .nanoseconds(wire.heartbeatPeriod),
            certificateValidity: .nanoseconds(wire.certificateValidity), forceRotate: wire.forceRotate)
    }

    public var wire: WireClusterSpec {
        .with {
            $0.labels = wirePairs(labels)
            $0.taskHistoryLimit = taskHistoryLimit
            $0.heartbeatPeriod = heartbeatPeriod.wholeNanoseconds
            $0.certificateValidity = certificateValidity.wholeNanoseconds
            $0.forceRotate = forceRotate
        }
    }
}

extension JoinTokens {
    public init(wire: WireJoinTokens) {
        self.init(workerSecret: wire.workerSecret, managerSecret: wire.managerSecret)
    }

    public var wire: WireJoinTokens {
        .with {
            $0.workerSecret = workerSecret
            $0.managerSecret = managerSecret
        }
    }
}

extension Secret {
    public init(wire: WireSecret) throws(MessageError) {
        self.init(
            id: try SecretID(wire: wire.id, field: "id"),
            meta: try required("meta", wire.hasMeta, Meta(wire: wire.meta)), name: wire.name,
            labels: try dictionary("labels", wire.labels), data: Array(wire.data))
    }

    public var wire: WireSecret {
        .with {
            $0.id = id.wire()
            $0.meta = meta.wire
            $0.name = name
            $0.labels = wirePairs(labels)
            $0.data = wireBytes(data)
        }
    }
}

extension Config {
    public init(wire: WireConfig) throws(MessageError) {
        self.init(
            id: try ConfigID(wire: wire.id, field: "id"),
            meta: try required("meta", wire.hasMeta, Meta(wire: wire.meta)), name: wire.name,
            labels: try dictionary("labels", wire.labels), data: Array(wire.data))
    }

    public var wire: WireConfig {
        .with {
            $0.id = id.wire()
            $0.meta = meta.wire
            $0.name = name
            $0.labels = wirePairs(labels)
            $0.data = wireBytes(data)
        }
    }
}
