public import ClusterIdentity
public import GRPCCore
public import GRPCNIOTransportHTTP2Posix
public import Primitives
internal import Synchronization

/// Clients to other nodes, one an address, shared by all who call it and kept until ``close()``.
public final class NodeConnections: Sendable {
    public typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    private struct Connection {
        let client: Client
        let running: Task<Void, Never>
    }

    let credentials: CredentialStore
    let links = LinkCalls()
    private let connections = Mutex<[String: Connection]>([:])
    private let verdicts = PeerVerdicts()

    public init(credentials: CredentialStore) {
        self.credentials = credentials
    }

    /// The client for `HOST:PORT`; it connects by itself and again after a loss.
    public func client(to address: String) throws -> Client {
        if let known = connections.withLock({ $0[address]?.client }) { return known }
        let security = try HTTP2ClientTransport.Posix.TransportSecurity.mTLS(
            certificateReloader: PresentCertificate(credentials: credentials)
        ) { NodeConnections.verify(&$0, verification(of: address)) }
        let client = try NodeConnections.client(to: address, security)
        return connections.withLock { connections in
            if let other = connections[address]?.client { return other }
            // Owned by this pool: ends with `close()`.
            let running = Task { _ = try? await client.runConnections() }
            connections[address] = Connection(client: client, running: running)
            return client
        }
    }

    /// Changes whenever this node ends its connections to an address by itself.
    public func generation(of address: String) -> ConnectionGeneration { links.generation(of: address) }

    /// Ends the client for an address that is not used any more, or that should connect anew at once.
    public func drop(_ address: String) {
        links.end(to: address)
        guard let connection = connections.withLock({ $0.removeValue(forKey: address) }) else { return }
        connection.client.beginGracefulShutdown()
        connection.running.cancel()
    }

    /// Ends connections to peers whose certificate has run out under them: the next one is made with what they present then.
    public func dropExpired() {
        for address in verdicts.expired(at: credentials.clock()) {
            verdicts.set(nil, at: address)
            drop(address)
        }
    }

    /// Ends all connections: later calls make new ones, and present what the node's certificate is then.
    public func close() {
        links.end()
        let all = connections.withLock { connections in
            defer { connections = [:] }
            return Array(connections.values)
        }
        for connection in all {
            connection.client.beginGracefulShutdown()
            connection.running.cancel()
        }
    }

    /// Why the certificate of whoever answers at an address was refused when it was last seen; nil where it was not.
    public func problem(at address: String) -> String? { verdicts.problem(at: address) }

    /// Judges whoever answers at an address, at each handshake by what this node trusts then.
    func verification(of address: String) -> PeerVerification.Callback {
        { [credentials, verdicts] presented, promise in
            let now = credentials.current
            let verification = PeerVerification.members(roots: now.roots, cluster: now.identity.cluster)
            verification.callback(clock: credentials.clock, onVerdict: { verdicts.set($0, at: address) })(
                presented, promise)
        }
    }

    /// One call's worth of connection that trusts the token's root only: of a machine that is not a member, or of one that
    /// comes back.
    ///
    /// - Throws: ``Failure`` `unavailable` where the other end's certificate was refused; what `body` throws.
    public static func withJoiner<Result: Sendable>(
        to address: String, credentials: JoinerCredentials, rootDigest: String,
        clock: @escaping @Sendable () -> Timestamp, _ body: @Sendable (Client) async throws -> Result
    ) async throws -> Result {
        let verdicts = PeerVerdicts()
        let security = HTTP2ClientTransport.Posix.TransportSecurity.mTLS(
            certificateChain: [.bytes(Array(try credentials.certificatePEM().utf8), format: .pem)],
            privateKey: .bytes(Array(try credentials.keyPEM().utf8), format: .pem)
        ) {
            let verification = PeerVerification.managerUnder(rootDigest: rootDigest)
            verify(&$0, verification.callback(clock: clock, onVerdict: { verdicts.set($0, at: address) }))
        }
        let client = try client(to: address, security)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.runConnections() }
            defer { client.beginGracefulShutdown() }
            do {
                return try await body(client)
            } catch let error as RPCError {
                guard let problem = verdicts.problem(at: address) else { throw error }
                throw Failure(.unavailable, problem)
            }
        }
    }

    private static func verify(
        _ tls: inout HTTP2ClientTransport.Posix.TransportSecurity.TLS, _ callback: @escaping PeerVerification.Callback
    ) {
        // The name in a certificate is the node's id, not its address: who it is, is checked by the callback.
        tls.serverCertificateVerification = .noHostnameVerification
        tls.trustRoots = .certificates([])
        tls.customVerificationCallback = callback
    }

    private static func client(
        to address: String, _ security: HTTP2ClientTransport.Posix.TransportSecurity
    ) throws -> Client {
        let (host, port) = try HostPort.split(address)
        let config = HTTP2ClientTransport.Posix.Config.defaults { config in
            config.http2.targetWindowSize = WireLimits.windowBytes
            config.backoff.initial = WireLimits.connectBackoffFirst
            config.backoff.max = WireLimits.connectBackoffLast
            config.connection.keepalive = .init(
                time: WireLimits.keepaliveTime, timeout: WireLimits.keepaliveTimeout, allowWithoutCalls: true)
        }
        let target: any ResolvableTarget =
            IPv4Address(host) == nil ? .dns(host: host, port: port) : .ipv4(address: host, port: port)
        return GRPCClient(
            transport: try HTTP2ClientTransport.Posix(target: target, transportSecurity: security, config: config))
    }
}

/// How often a node has ended its connections: all of them, and those to one address.
public struct ConnectionGeneration: Hashable, Sendable {
    let all: UInt64
    let own: UInt64
}

/// What became of peers when they were last seen, by address.
private final class PeerVerdicts: Sendable {
    private let known = Mutex<[String: PeerVerdict]>([:])

    func problem(at address: String) -> String? {
        guard case .refused(let reason) = known.withLock({ $0[address] }) else { return nil }
        return reason
    }

    /// Addresses whose peer was let in with a certificate that has expired since.
    func expired(at now: Timestamp) -> [String] {
        known.withLock { known in
            known.filter { if case .accepted(let end) = $0.value { end < now } else { false } }.keys.sorted()
        }
    }

    func set(_ verdict: PeerVerdict?, at address: String) {
        known.withLock { known in
            // There may be connections of before: the first end of a certificate ends them all.
            if case .accepted(let end) = verdict, case .accepted(let earlier) = known[address], earlier < end { return }
            known[address] = verdict
        }
    }
}
