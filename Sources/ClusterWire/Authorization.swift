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
        case worker
        case manager
    }

    public static let callers: [String: Set<Caller>] = [
        "swarm.v1.Identity/Join": [.stranger],
        "swarm.v1.Identity/Renew": [.worker, .manager],
        "swarm.v1.Dispatcher/Session": [.worker, .manager],
        "swarm.v1.Raft/Messages": [.manager],
        "swarm.v1.Raft/Heartbeats": [.manager],
        "swarm.v1.Raft/InstallSnapshot": [.manager],
        "swarm.v1.Control/Propose": [.manager],
        "swarm.v1.Control/Leave": [.worker, .manager],
        "swarm.v1.Agent/Logs": [.manager],
    ]

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

struct Authorization: ServerInterceptor {
    /// What the state says of a member whose certificate is in order; on a node without the state, its certificate's role.
    let standing: @Sendable (PeerIdentity) -> Standing

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next:
            @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let method = context.descriptor.fullyQualifiedMethod
        let caller = try caller(of: context.peer)
        guard AuthorizationTable.allows(caller, method: method) else {
            throw RPCError(code: .permissionDenied, message: "a \(caller) may not call \(method)")
        }
        return try await next(request, context)
    }

    private func caller(of peer: PeerIdentity?) throws -> AuthorizationTable.Caller {
        guard let peer else { return .stranger }
        switch standing(peer) {
        case .member(.manager): return .manager
        case .member(.worker): return .worker
        case .revoked:
            // Not `permissionDenied`: it is for good, and the node is to know.
            throw RPCError(
                code: .unauthenticated,
                message:
                    "node \(peer.node) was removed from the cluster: `swarmctl leave --force` on it, then join again")
        }
    }
}

extension ServerContext {
    /// The member at the other end; nil for a stranger. The handshake has verified the certificate.
    public var peer: PeerIdentity? {
        guard let certificate = peerCertificate, !certificate.isSelfSigned else { return nil }
        return PeerIdentity(certificate)
    }

    /// The certificate that the other end proved to hold the key of.
    public var peerCertificate: Certificate? {
        (transportSpecific as? HTTP2ServerTransport.Posix.Context)?.peerCertificate
    }
}
