public import ClusterModel
import Primitives
import SwiftProtobuf

extension AssignmentMessage {
    public init(wire: WireAssignments) throws(MessageError) {
        self.init(
            kind: try known("kind", wire.kind), sequence: wire.sequence, isLast: wire.isLast,
            updates: try list("updates", wire.updates, AssignmentItem.init(wire:)),
            removals: try list("removals", wire.removals, AssignmentKey.init(wire:)), managers: wire.managers,
            heartbeatPeriod: .nanoseconds(wire.heartbeatPeriod),
            role: try wire.wantedRole,
            trustDigest: Array(wire.trustDigest))
    }

    public var wire: WireAssignments {
        .with {
            $0.kind = wireEnum(kind)
            $0.sequence = sequence
            $0.isLast = isLast
            $0.updates = updates.map(\.wire)
            $0.removals = removals.map(\.wire)
            $0.managers = managers
            $0.heartbeatPeriod = heartbeatPeriod.wholeNanoseconds
            switch role {
            case .worker: $0.role = wireEnum(NodeRole.worker)
            case .manager(let raftID):
                $0.role = wireEnum(NodeRole.manager)
                if let raftID { $0.raftID = raftID }
            case nil: break
            }
            $0.trustDigest = wireBytes(trustDigest)
        }
    }
}

extension WireAssignments {
    fileprivate var wantedRole: WantedRole? {
        get throws(MessageError) {
            guard hasRole else { return nil }
            let role: NodeRole = try known("role", role)
            return switch role {
            case .worker: .worker
            case .manager: .manager(raftID: hasRaftID ? raftID : nil)
            }
        }
    }
}

extension AssignmentItem {
    public init(wire: WireAssignmentItem) throws(MessageError) {
        switch wire.item {
        case .task(let task): self = .task(try inField("task", ClusterTask(wire: task)))
        case .secret(let secret): self = .secret(try inField("secret", Secret(wire: secret)))
        case .config(let config): self = .config(try inField("config", Config(wire: config)))
        case .network(let network): self = .network(try inField("network", Network(wire: network)))
        case .endpoint(let endpoint): self = .endpoint(try inField("endpoint", NetworkEndpoint(wire: endpoint)))
        case .peer(let peer): self = .peer(try inField("peer", OverlayPeer(wire: peer)))
        case nil: throw MessageError("item", "missing or of an unknown kind")
        }
    }

    public var wire: WireAssignmentItem {
        .with {
            switch self {
            case .task(let task): $0.task = task.wire
            case .secret(let secret): $0.secret = secret.wire
            case .config(let config): $0.config = config.wire
            case .network(let network): $0.network = network.wire
            case .endpoint(let endpoint): $0.endpoint = endpoint.wire
            case .peer(let peer): $0.peer = peer.wire
            }
        }
    }
}

extension AssignmentKey {
    public init(wire: WireAssignmentKey) throws(MessageError) {
        switch wire.key {
        case .task(let id): self = .task(try TaskID(wire: id, field: "task"))
        case .secret(let id): self = .secret(try SecretID(wire: id, field: "secret"))
        case .config(let id): self = .config(try ConfigID(wire: id, field: "config"))
        case .network(let id): self = .network(try NetworkID(wire: id, field: "network"))
        case .endpoint(let endpoint):
            self = .endpoint(
                try NetworkID(wire: endpoint.network, field: "endpoint.network"),
                try TaskID(wire: endpoint.task, field: "endpoint.task"))
        case .peer(let id): self = .peer(try NodeID(wire: id, field: "peer"))
        case nil: throw MessageError("key", "missing or of an unknown kind")
        }
    }

    public var wire: WireAssignmentKey {
        .with {
            switch self {
            case .task(let id): $0.task = id.wire()
            case .secret(let id): $0.secret = id.wire()
            case .config(let id): $0.config = id.wire()
            case .network(let id): $0.network = id.wire()
            case .endpoint(let network, let task):
                $0.endpoint = .with {
                    $0.network = network.wire()
                    $0.task = task.wire()
                }
            case .peer(let id): $0.peer = id.wire()
            }
        }
    }
}

extension NetworkEndpoint {
    public init(wire: WireNetworkEndpoint) throws(MessageError) {
        self.init(
            network: try NetworkID(wire: wire.network, field: "network"),
            task: try TaskID(wire: wire.task, field: "task"), node: try NodeID(wire: wire.node, field: "node"),
            address: IPv4Address(value: wire.address), serviceName: wire.serviceName, taskName: wire.taskName,
            aliases: wire.aliases, isServing: wire.isServing,
            ports: try list("ports", wire.ports, PortConfig.init(wire:)))
    }

    public var wire: WireNetworkEndpoint {
        .with {
            $0.network = network.wire()
            $0.task = task.wire()
            $0.node = node.wire()
            $0.address = address.value
            $0.serviceName = serviceName
            $0.taskName = taskName
            $0.aliases = aliases
            $0.isServing = isServing
            $0.ports = ports.map(\.wire)
        }
    }
}

extension OverlayPeer {
    public init(wire: WireOverlayPeer) throws(MessageError) {
        self.init(node: try NodeID(wire: wire.node, field: "node"), key: Array(wire.key), endpoint: wire.endpoint)
    }

    public var wire: WireOverlayPeer {
        .with {
            $0.node = node.wire()
            $0.key = wireBytes(key)
            $0.endpoint = endpoint
        }
    }
}
