import ClusterIdentity
import ClusterMessages
import ClusterModel
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Glibc
import LinuxSystem
import Primitives
import SwiftProtobuf
import Synchronization
import Testing
import X509

@testable import ClusterWire

/// R26: over real connections, with clocks of the test's own.
@Suite struct LapseTests {
    private let begin = Timestamp(nanoseconds: 1_800_000_000_000_000_000)
    private let cluster = ClusterID(value: 5)

    /// Wall clocks that a test moves.
    private final class TestClock: Sendable {
        private let time: Mutex<Timestamp>
        init(_ time: Timestamp) { self.time = Mutex(time) }
        var now: Timestamp { time.withLock { $0 } }
        func move(by duration: Duration) { time.withLock { $0 = $0 + duration } }
    }

    /// Answers each message of a session with the number of messages so far.
    private struct Counting: WireDispatcher.SimpleServiceProtocol {
        func session(
            request: RPCAsyncSequence<WireAgentMessage, any Error>, response: RPCWriter<WireManagerMessage>,
            context: ServerContext
        ) async throws {
            var count: UInt64 = 0
            for try await _ in request {
                count += 1
                try await response.write(.with { $0.assignments = .with { $0.sequence = count } })
            }
        }
    }

    private struct World {
        var server: NodeListener.Server
        var address: String
        var worker: CredentialStore
        var clock: TestClock
        var cluster: Cluster
    }

    private func member(_ cluster: Cluster, _ node: UInt128, _ role: NodeRole, at now: Timestamp) throws -> Credentials
    {
        let joiner = try JoinerCredentials(at: now)
        let identity = PeerIdentity(node: NodeID(value: node), role: role, cluster: cluster.id)
        return try Credentials(
            certificatePEM: cluster.issue(joiner.certificate.publicKey, to: identity, at: now).pem(),
            keyPEM: joiner.keyPEM(), rootsPEM: cluster.authority.trusted)
    }

    private func world(validity: Duration) throws -> World {
        let root = try CertificateAuthority(generatingFor: cluster, at: begin)
        let authority = Authority(rootCertificate: try root.certificatePEM(), signingKey: try root.keyPEM())
        var cluster = Cluster(id: cluster, authority: authority, addressPools: [])
        let clock = TestClock(begin)
        let manager = CredentialStore(try member(cluster, 1, .manager, at: begin)) { clock.now }
        cluster.spec.certificateValidity = validity
        let worker = CredentialStore(try member(cluster, 2, .worker, at: begin)) { clock.now }
        let socket = try InternetSocket.listenTCP("127.0.0.1", port: 0).release()
        let server = try NodeListener.server(
            listener: socket, credentials: manager, acceptsJoiners: { true },
            standing: { .member($0.role) }, onRefusal: { _ in }, services: [Counting()])
        return World(
            server: server, address: "127.0.0.1:\(port(of: socket))", worker: worker, clock: clock, cluster: cluster)
    }

    private func port(of socket: Int32) -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(socket, $0, &length) }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    /// One message, or the refusal of it.
    private func ask(_ connections: NodeConnections, _ address: String) async throws -> UInt64 {
        let client = WireDispatcher.Client(wrapping: try connections.client(to: address))
        var options = CallOptions.defaults
        // Other tests block every thread for a while.
        options.timeout = .seconds(300)
        return try await client.session(
            request: StreamingClientRequest { try await $0.write(WireAgentMessage()) }, options: options
        ) { response in
            var last: UInt64 = 0
            for try await message in response.messages { last = message.assignments.sequence }
            return last
        }
    }

    private func running(
        _ world: World, _ body: @escaping @Sendable (NodeConnections) async throws -> Void
    ) async throws {
        let connections = NodeConnections(credentials: world.worker)
        defer { connections.close() }
        // Ends with the process: one that is ended while a connection of the client's is being accepted trips a
        // precondition of NIO's (NIOAsyncWriter, 2.101).
        Task { try await world.server.serve() }
        try await body(connections)
    }

    @Test func aMemberWhoseCertificateRanOutIsToldWhatToDoAndARenewalOpensTheDoor() async throws {
        let world = try world(validity: .seconds(3600))
        try await running(world) { connections in
            #expect(try await ask(connections, world.address) == 1)
            world.clock.move(by: .seconds(3601))
            let refusal = await #expect(throws: RPCError.self) { try await ask(connections, world.address) }
            #expect(refusal?.code == .unauthenticated)
            #expect(refusal?.message.contains("expired at") == true)
            #expect(refusal?.message.contains("swarmctl join --renew TOKEN") == true)
            world.worker.replace(with: try member(world.cluster, 2, .worker, at: world.clock.now))
            // The connection of before still is of the old certificate.
            await #expect(throws: RPCError.self) { try await ask(connections, world.address) }
            connections.close()
            #expect(try await ask(connections, world.address) == 1)
        }
    }

    /// A stream that was begun in time takes no message after that.
    @Test func aStreamEndsWithItsCertificate() async throws {
        let world = try world(validity: .seconds(3600))
        try await running(world) { connections in
            let client = WireDispatcher.Client(wrapping: try connections.client(to: world.address))
            let (turns, next) = AsyncStream.makeStream(of: Void.self)
            next.yield()
            let refusal = await #expect(throws: RPCError.self) {
                try await client.session(
                    request: StreamingClientRequest { writer in
                        for await _ in turns { try await writer.write(WireAgentMessage()) }
                    }
                ) { response in
                    for try await message in response.messages {
                        #expect(message.assignments.sequence == 1)
                        world.clock.move(by: .seconds(3601))
                        next.yield()
                        next.finish()
                    }
                }
            }
            #expect(refusal?.code == .unauthenticated && refusal?.message.contains("node \(NodeID(value: 2))") == true)
        }
    }

    /// The worker has renewed its certificate, the manager has not: it is shown what is presented now.
    @Test func aConnectionToAnExpiredPeerIsNotKept() async throws {
        let world = try world(validity: .seconds(400 * 86_400))
        try await running(world) { connections in
            #expect(try await ask(connections, world.address) == 1)
            world.clock.move(by: .seconds(91 * 86_400))
            #expect(try await ask(connections, world.address) == 1)
            connections.dropExpired()
            await #expect(throws: RPCError.self) { try await ask(connections, world.address) }
            let problem = try #require(connections.problem(at: world.address))
            #expect(problem.contains("certificate of node \(NodeID(value: 1)) expired at"))
        }
    }

    /// R27: the other end's certificate is of a time that has not come here.
    @Test func aManagerFromTheFutureIsNamedWithBothClocks() async throws {
        let world = try world(validity: .seconds(3600))
        try await running(world) { connections in
            world.clock.move(by: .seconds(-86_400))
            await #expect(throws: RPCError.self) { try await ask(connections, world.address) }
            let problem = try #require(connections.problem(at: world.address))
            #expect(problem.contains("is valid from") && problem.contains(world.clock.now.rfc3339.prefix(16)))
        }
    }
}
