public import ClusterIdentity
public import ClusterModel
public import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
public import X509

/// Who may call what. A method that is not in the table is denied to all.
public enum AuthorizationTable {
    public enum Caller: Hashable, Sendable {
        /// A machine with no certificate of the cluster.
        case stranger
        /// A member whose certificate does not count at this time: it may only ask to come back.
        case lapsed
        case worker
        case manager
    }

    public static let callers: [String: Set<Caller>] = [
        "swarm.v1.Identity/Join": [.stranger, .lapsed, .worker, .manager],
        "swarm.v1.Identity/Renew": [.worker, .manager],
        "swarm.v1.Dispatcher/Session": [.worker, .manager],
        AuthorizationTable.link: [.manager],
        "swarm.v1.Raft/InstallSnapshot": [.manager],
        "swarm.v1.Control/Leave": [.worker, .manager],
        "swarm.v1.Agent/Logs": [.manager],
    ]

    /// A link stands in the table like a method, though it is none of gRPC's.
    static let link = "swarm.v1.Link"

    public static func allows(_ caller: Caller, method: String) -> Bool {
        callers[method]?.contains(caller) ?? false
    }
}

/// What a certificate is worth in the present state, which may know more than the certificate does.
public enum Standing: Hashable, Sendable {
    case member(NodeRole)
    /// Its node was removed: the certificate counts no more.
    case revoked
}

extension ServerContext {
    /// The member at the other end; nil for a stranger. The handshake has verified the certificate.
    public var peer: PeerIdentity? { peerCertificate.flatMap(CallingMember.init)?.node }

    /// The certificate that the other end proved to hold the key of.
    public var peerCertificate: Certificate? {
        (transportSpecific as? HTTP2ServerTransport.Posix.Context)?.peerCertificate
    }
}
