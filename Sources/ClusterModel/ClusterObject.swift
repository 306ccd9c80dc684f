/// Any object of the store, in a box: objects are handed on in many places, and a copy is then one count of references.
public indirect enum ClusterObject: Hashable, Sendable {
    case cluster(Cluster)
    case node(Node)
    case service(Service)
    case task(ClusterTask)
    case network(Network)
    case secret(Secret)
    case config(Config)

    public var key: ObjectKey {
        switch self {
        case .cluster(let object): .cluster(object.id)
        case .node(let object): .node(object.id)
        case .service(let object): .service(object.id)
        case .task(let object): .task(object.id)
        case .network(let object): .network(object.id)
        case .secret(let object): .secret(object.id)
        case .config(let object): .config(object.id)
        }
    }

    public var meta: Meta {
        get {
            switch self {
            case .cluster(let object): object.meta
            case .node(let object): object.meta
            case .service(let object): object.meta
            case .task(let object): object.meta
            case .network(let object): object.meta
            case .secret(let object): object.meta
            case .config(let object): object.meta
            }
        }
        set {
            switch self {
            case .cluster(var object):
                object.meta = newValue
                self = .cluster(object)
            case .node(var object):
                object.meta = newValue
                self = .node(object)
            case .service(var object):
                object.meta = newValue
                self = .service(object)
            case .task(var object):
                object.meta = newValue
                self = .task(object)
            case .network(var object):
                object.meta = newValue
                self = .network(object)
            case .secret(var object):
                object.meta = newValue
                self = .secret(object)
            case .config(var object):
                object.meta = newValue
                self = .config(object)
            }
        }
    }
}

/// Which object of the store.
public enum ObjectKey: Hashable, Sendable {
    case cluster(ClusterID)
    case node(NodeID)
    case service(ServiceID)
    case task(TaskID)
    case network(NetworkID)
    case secret(SecretID)
    case config(ConfigID)
}
