public import ClusterModel
import Primitives
import SwiftProtobuf

extension ClusterObject {
    public init(wire: WireClusterObject) throws(MessageError) {
        switch wire.object {
        case .cluster(let object): self = .cluster(try inField("cluster", Cluster(wire: object)))
        case .node(let object): self = .node(try inField("node", Node(wire: object)))
        case .service(let object): self = .service(try inField("service", Service(wire: object)))
        case .task(let object): self = .task(try inField("task", ClusterTask(wire: object)))
        case .network(let object): self = .network(try inField("network", Network(wire: object)))
        case .secret(let object): self = .secret(try inField("secret", Secret(wire: object)))
        case .config(let object): self = .config(try inField("config", Config(wire: object)))
        case nil: throw MessageError("object", "missing or of an unknown kind")
        }
    }

    public var wire: WireClusterObject {
        .with {
            switch self {
            case .cluster(let object): $0.cluster = object.wire
            case .node(let object): $0.node = object.wire
            case .service(let object): $0.service = object.wire
            case .task(let object): $0.task = object.wire
            case .network(let object): $0.network = object.wire
            case .secret(let object): $0.secret = object.wire
            case .config(let object): $0.config = object.wire
            }
        }
    }
}

extension ObjectKey {
    public init(wire: WireObjectKey) throws(MessageError) {
        switch wire.key {
        case .cluster(let id): self = .cluster(try ClusterID(wire: id, field: "cluster"))
        case .node(let id): self = .node(try NodeID(wire: id, field: "node"))
        case .service(let id): self = .service(try ServiceID(wire: id, field: "service"))
        case .task(let id): self = .task(try TaskID(wire: id, field: "task"))
        case .network(let id): self = .network(try NetworkID(wire: id, field: "network"))
        case .secret(let id): self = .secret(try SecretID(wire: id, field: "secret"))
        case .config(let id): self = .config(try ConfigID(wire: id, field: "config"))
        case nil: throw MessageError("key", "missing or of an unknown kind")
        }
    }

    public var wire: WireObjectKey {
        .with {
            switch self {
            case .cluster(let id): $0.cluster = id.wire()
            case .node(let id): $0.node = id.wire()
            case .service(let id): $0.service = id.wire()
            case .task(let id): $0.task = id.wire()
            case .network(let id): $0.network = id.wire()
            case .secret(let id): $0.secret = id.wire()
            case .config(let id): $0.config = id.wire()
            }
        }
    }
}
