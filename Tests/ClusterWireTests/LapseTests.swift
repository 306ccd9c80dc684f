import ClusterIdentity
import ClusterMessages
import ClusterModel
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Primitives
import SwiftProtobuf
import Testing

@testable import ClusterWire

/// R26: over real connections, with clocks of the test's own.
@Suite struct LapseTests {
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
        _ world: WireWorld, _ body: @escaping @Sendable (NodeConnections) async throws -> Void
    ) async throws {
        let connections = NodeConnections(credentials: world.worker)
        defer { connections.close() }
        // Ends with the process: one that is ended while a connection of the client's is being accepted trips a
        // precondition of NIO's (NIOAsyncWriter, 2.101).
        Task { try await world.server.serve() }
        try await body(connections)
    }

    @Test func aMemberWhoseCertificateRanOutIsToldWhatToDoAndARenewalOpensTheDoor() async throws {
        let world = try WireWorld(validity: .seconds(3600), services: [Counting()])
        try await running(world) { connections in
            #expect(try await ask(connections, world.address) == 1)
            world.clock.move(by: .seconds(3601))
            let refusal = await #expect(throws: RPCError.self) { try await ask(connections, world.address) }
            #expect(refusal?.code == .unauthenticated)
            #expect(refusal?.message.contains("expired at") == true)
            #expect(refusal?.message.contains("swarmctl join --renew TOKEN") == true)
            world.worker.replace(with: try world.member(2, .worker))
            // The connection of before still is of the old certificate.
            await #expect(throws: RPCError.self) { try await ask(connections, world.address) }
            connections.close()
            #expect(try await ask(connections, world.address) == 1)
        }
    }

    /// A stream that was begun in time takes no message after that.
    @Test func aStreamEndsWithItsCertificate() async throws {
        let world = try WireWorld(validity: .seconds(3600), services: [Counting()])
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
        let world = try WireWorld(validity: .seconds(400 * 86_400), services: [Counting()])
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
        let world = try WireWorld(validity: .seconds(3600), services: [Counting()])
        try await running(world) { connections in
            world.clock.move(by: .seconds(-86_400))
            await #expect(throws: RPCError.self) { try await ask(connections, world.address) }
            let problem = try #require(connections.problem(at: world.address))
            #expect(problem.contains("is valid from") && problem.contains(world.clock.now.rfc3339.prefix(16)))
        }
    }
}
