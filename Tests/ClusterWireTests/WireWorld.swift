import ClusterIdentity
import ClusterMessages
import ClusterModel
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import LinuxSystem
import Primitives
import Synchronization
import X509

@testable import ClusterWire

/// Wall clocks that a test moves.
final class TestClock: Sendable {
    private let time: Mutex<Timestamp>
    init(_ time: Timestamp) { self.time = Mutex(time) }
    var now: Timestamp { time.withLock { $0 } }
    func move(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// A manager's listener on the loopback, and what its callers need.
struct WireWorld {
    private static let begin = Timestamp(nanoseconds: 1_800_000_000_000_000_000)

    var server: NodeListener.Server
    var address: String
    /// Of node 2, a worker.
    var worker: CredentialStore
    let clock: TestClock
    private let cluster: Cluster

    init(
        validity: Duration, services: [any RegistrableRPCService], links: any LinkService = NoLinks(),
        standing: @escaping @Sendable (PeerIdentity) -> Standing = { .member($0.role) }
    ) throws {
        let id = ClusterID(value: 5)
        let root = try CertificateAuthority(generatingFor: id, at: WireWorld.begin)
        let authority = Authority(rootCertificate: try root.certificatePEM(), signingKey: try root.keyPEM())
        var cluster = Cluster(id: id, authority: authority, addressPools: [])
        let clock = TestClock(WireWorld.begin)
        let manager = CredentialStore(try WireWorld.member(cluster, 1, .manager, at: clock.now)) { clock.now }
        cluster.spec.certificateValidity = validity
        worker = CredentialStore(try WireWorld.member(cluster, 2, .worker, at: clock.now)) { clock.now }
        let socket = try InternetSocket.listenTCP("127.0.0.1", port: 0)
        address = "127.0.0.1:\(try InternetSocket.port(of: socket))"
        server = try NodeListener.server(
            listener: socket.release(), credentials: manager, acceptsJoiners: { true }, standing: standing,
            onRefusal: { _ in },
            services: services, links: links)
        self.clock = clock
        self.cluster = cluster
    }

    /// Credentials of now.
    func member(_ node: UInt128, _ role: NodeRole) throws -> Credentials {
        try WireWorld.member(cluster, node, role, at: clock.now)
    }

    func store(_ credentials: Credentials) -> CredentialStore { CredentialStore(credentials) { [clock] in clock.now } }

    private static func member(_ cluster: Cluster, _ node: UInt128, _ role: NodeRole, at now: Timestamp) throws
        -> Credentials
    {
        let joiner = try JoinerCredentials(at: now)
        let identity = PeerIdentity(node: NodeID(value: node), role: role, cluster: cluster.id)
        return try Credentials(
            certificatePEM: cluster.issue(joiner.certificate.publicKey, to: identity, at: now).pem(),
            keyPEM: joiner.keyPEM(), rootsPEM: cluster.authority.trusted)
    }
}

struct NoLinks: LinkService {
    func open(_ hello: WireLinkHello, from peer: PeerIdentity, _ bell: LinkBell) throws -> LinkUse {
        throw Failure(.unimplemented, "no links here")
    }
}
