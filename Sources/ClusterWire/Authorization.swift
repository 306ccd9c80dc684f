public import ClusterIdentity
import ClusterModel
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
        "swarm.v1.Dispatcher/Session": [.worker, .manager],
        "swarm.v1.Raft/Messages": [.manager],
        "swarm.v1.Raft/Heartbeats": [.manager],
        "swarm.v1.Raft/InstallSnapshot": [.manager],
        "swarm.v1.Control/Propose": [.manager],
        "swarm.v1.Agent/Logs": [.manager],
    ]

    public static func allows(_ caller: Caller, method: String) -> Bool {
        callers[method]?.contains(caller) ?? false
    }
}

struct Authorization: ServerInterceptor {
    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next:
            @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let method = context.descriptor.fullyQualifiedMethod
        guard AuthorizationTable.allows(context.caller, method: method) else {
            throw RPCError(code: .permissionDenied, message: "a \(context.caller) may not call \(method)")
        }
        return try await next(request, context)
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

    var caller: AuthorizationTable.Caller {
        switch peer?.role {
        case .manager: .manager
        case .worker: .worker
        case nil: .stranger
        }
    }
}
