public import ClusterIdentity
public import GRPCCore
public import GRPCNIOTransportHTTP2Posix
public import Primitives
internal import X509

/// The gRPC listener of a node: TLS 1.3 with certificates on both sides, and an authorization table before every call.
public struct NodeListener: Sendable {
    public typealias Server = GRPCServer<HTTP2ServerTransport.Posix>

    /// - Parameters:
    ///   - listener: a bound TCP socket, which the server owns from now on.
    ///   - acceptsJoiners: managers answer machines that have no certificate of the cluster yet; asked at each handshake,
    ///     as a node's role may change.
    ///   - standing: what the state says of a member.
    ///   - onRefusal: hears why a peer was refused during the handshake.
    ///   - links: what managers' links lead to.
    public static func server(
        listener: Int32, credentials: CredentialStore, acceptsJoiners: @escaping @Sendable () -> Bool,
        standing: @escaping @Sendable (PeerIdentity) -> Standing,
        onRefusal: @escaping @Sendable (String) -> Void,
        services: [any RegistrableRPCService], links: any LinkService
    ) throws -> Server {
        let security = try HTTP2ServerTransport.Posix.TransportSecurity.mTLS(
            certificateReloader: PresentCertificate(credentials: credentials)
        ) { tls in
            tls.requireALPN = true
            // Nothing but the callback decides; the machine's own authorities need not even be there.
            tls.trustRoots = .certificates([])
            tls.customVerificationCallback = { presented, promise in
                let now = credentials.current
                let verification: PeerVerification =
                    acceptsJoiners()
                    ? .membersAndJoiners(roots: now.roots, cluster: now.identity.cluster)
                    : .members(roots: now.roots, cluster: now.identity.cluster)
                let onVerdict = { @Sendable (verdict: PeerVerdict) in
                    if case .refused(let reason) = verdict { onRefusal(reason) }
                }
                verification.callback(clock: credentials.clock, onVerdict: onVerdict)(presented, promise)
            }
        }
        let authorization = Authorization(clock: credentials.clock, standing: standing)
        let linkListener = LinkListener(links, authorization)
        let transport = HTTP2ServerTransport.Posix(
            listeningSocketDescriptor: Int(listener), transportSecurity: security,
            config: .defaults { config in
                config.http2.targetWindowSize = WireLimits.windowBytes
                config.rpc.maxRequestPayloadSize = WireLimits.messageBytes
                config.connection.keepalive.time = WireLimits.keepaliveTime
                config.connection.keepalive.timeout = WireLimits.keepaliveTimeout
                config.connection.keepalive.clientBehavior.allowWithoutCalls = true
                config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(1)
                // Meant for debugging, and the one way to a connection before it is gRPC's.
                config.channelDebuggingCallbacks.onAcceptTCPConnection = { linkListener.watch($0) }
            })
        return GRPCServer(
            transport: transport, services: services,
            interceptors: [authorization])
    }
}

/// `HOST:PORT`.
public enum HostPort {
    /// - Throws: ``Failure`` `invalidArgument` naming the text.
    public static func split(_ text: String) throws(Failure) -> (host: String, port: Int) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port), colon != text.startIndex
        else { throw Failure(.invalidArgument, "\"\(text)\" is not an address of the form HOST:PORT") }
        return (String(text[..<colon]), port)
    }
}
