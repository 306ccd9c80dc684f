import ClusterIdentity
import ClusterMessages
import ClusterModel
import GRPCCore
import Primitives
import SwiftProtobuf
import Synchronization
import Testing

@testable import ClusterWire

/// Links between managers, over real connections to a real listener.
@Suite struct LinkTests {
    /// Answers each proposal with an outcome of its number, many at once where they come at once.
    private final class Answering: LinkService {
        let ended = Mutex(0)
        private let waiting = Mutex<[UInt64]>([])

        func open(_ hello: WireLinkHello, from peer: PeerIdentity, _ bell: LinkBell) throws -> LinkUse {
            guard hello.lane == .proposals else { throw Failure(.alreadyExists, "node \(peer.node) is here already") }
            return LinkUse(
                next: { [self] in
                    let numbers = waiting.withLock { waiting in
                        defer { waiting = [] }
                        return waiting
                    }
                    if numbers.isEmpty { return nil }
                    return .with {
                        $0.outcomes = .with {
                            $0.outcomes = numbers.map { number in .with { $0.number = number } }
                        }
                    }
                },
                receive: { [self] frame in
                    waiting.withLock { $0 += frame.proposals.proposals.map(\.number) }
                    bell.ring()
                },
                end: { [self] in ended.withLock { $0 += 1 } })
        }
    }

    /// The calling end: sends what it is given, and tells what comes.
    private final class Caller: Sendable {
        let bell = LinkBell()
        private struct State {
            var proposals: [WireProposal] = []
            var sent = 0
            var isWelcome = false
        }

        private let state = Mutex(State())
        let frames: AsyncStream<WireLinkFrame>
        private let incoming: AsyncStream<WireLinkFrame>.Continuation

        init() { (frames, incoming) = AsyncStream.makeStream(of: WireLinkFrame.self) }

        func send(_ number: UInt64, bytes: Int = 0) {
            state.withLock {
                $0.proposals.append(
                    .with {
                        $0.number = number
                        $0.transaction = wireBytes([UInt8](repeating: 7, count: bytes))
                    })
            }
            bell.ring()
        }

        var use: LinkUse {
            LinkUse(
                next: { [self] in
                    let proposals = state.withLock { state in
                        defer { state.sent = state.proposals.count }
                        return Array(state.proposals[state.sent...])
                    }
                    return proposals.isEmpty ? nil : .with { $0.proposals = .with { $0.proposals = proposals } }
                },
                receive: { [self] frame in
                    if case .welcome = frame.frame { state.withLock { $0.isWelcome = true } }
                    incoming.yield(frame)
                },
                end: { [self] in
                    // A link that was never welcome is called for again, and everything is sent anew.
                    let isOver = state.withLock { state in
                        state.sent = 0
                        return state.isWelcome
                    }
                    if isOver { incoming.finish() }
                })
        }
    }

    private let service = Answering()

    private func world(validity: Duration = .seconds(3600)) throws -> WireWorld {
        let world = try WireWorld(validity: validity, services: [], links: service)
        // Ends with the process, as in LapseTests.
        Task { try await world.server.serve() }
        return world
    }

    /// Calls until the other end has said something of the matter: other tests block every thread for so long that a
    /// handshake runs out of its time.
    private func keep(
        _ connections: NodeConnections, _ address: String, _ hello: WireLinkHello, _ bell: LinkBell, _ use: LinkUse
    ) async throws {
        let isWelcome = Atomic(false)
        var watched = use
        watched.receive = { frame in
            if case .welcome = frame.frame { isWelcome.store(true, ordering: .relaxed) }
            try use.receive(frame)
        }
        while true {
            do {
                try await connections.link(to: address, hello, bell, watched)
            } catch let failure as Failure
                where failure.code == .unavailable && !failure.message.contains("certificate")
            {
                if isWelcome.load(ordering: .relaxed) || Task.isCancelled { throw failure }
            }
        }
    }

    private let proposals = WireLinkHello.with { $0.lane = .proposals }

    @Test func framesGoBothWaysWhateverTheirSize() async throws {
        let world = try world()
        let connections = NodeConnections(credentials: world.store(try world.member(3, .manager)))
        let caller = Caller()
        // What waits before there is a link is the first to go.
        for number in 1...50 { caller.send(UInt64(number), bytes: number * 997) }
        let link = Task { try await keep(connections, world.address, proposals, caller.bell, caller.use) }
        var isWelcome = false
        var answered: [UInt64] = []
        for await frame in caller.frames {
            if case .welcome = frame.frame { isWelcome = true }
            answered += frame.outcomes.outcomes.map(\.number)
            if answered.count == 50 { caller.send(51, bytes: WireLimits.messageBytes / 2) }
            if answered.count == 51 { break }
        }
        #expect(isWelcome && answered == Array(1...51))
        #expect(service.ended.withLock { $0 } == 0)
        connections.close()
        let failure = await #expect(throws: Failure.self) { try await link.value }
        #expect(failure?.code == .unavailable)
        while service.ended.withLock({ $0 }) == 0 { await Task.yield() }
    }

    /// The reason of a refusal reaches the caller, whoever refuses.
    @Test func aRefusedCallerIsToldWhy() async throws {
        let world = try world()
        let caller = Caller()
        let worker = NodeConnections(credentials: world.worker)
        let notAManager = await #expect(throws: Failure.self) {
            try await keep(worker, world.address, proposals, caller.bell, caller.use)
        }
        #expect(notAManager?.code == .permissionDenied && notAManager?.message == "a worker may not call swarm.v1.Link")
        let manager = NodeConnections(credentials: world.store(try world.member(3, .manager)))
        let refused = await #expect(throws: Failure.self) {
            try await keep(manager, world.address, .with { $0.lane = .messages }, LinkBell(), LinkUse())
        }
        #expect(refused?.code == .alreadyExists && refused?.message.contains("is here already") == true)
    }

    /// A removed node's certificate is good to the handshake, and to nobody who looks into the state.
    @Test func aRemovedNodeIsRefused() async throws {
        let world = try WireWorld(validity: .seconds(3600), services: [], links: service, standing: { _ in .revoked })
        Task { try await world.server.serve() }
        let connections = NodeConnections(credentials: world.store(try world.member(3, .manager)))
        let failure = await #expect(throws: Failure.self) {
            try await keep(connections, world.address, proposals, LinkBell(), LinkUse())
        }
        #expect(failure?.code == .unauthenticated && failure?.message.contains("was removed") == true)
    }

    /// R26: a link takes nothing once the caller's certificate has run out.
    @Test func aLinkEndsWithItsCallersCertificate() async throws {
        let world = try world()
        let connections = NodeConnections(credentials: world.store(try world.member(3, .manager)))
        let caller = Caller()
        let link = Task { try await keep(connections, world.address, proposals, caller.bell, caller.use) }
        caller.send(1)
        for await frame in caller.frames where frame.outcomes.outcomes.map(\.number) == [1] {
            world.clock.move(by: .seconds(3601))
            caller.send(2)
        }
        let failure = await #expect(throws: Failure.self) { try await link.value }
        #expect(failure?.code == .unauthenticated && failure?.message.contains("expired at") == true)
    }

    @Test func aFrameAboveTheLimitEndsTheLink() async throws {
        let world = try world()
        let connections = NodeConnections(credentials: world.store(try world.member(3, .manager)))
        let caller = Caller()
        caller.send(1, bytes: WireLimits.messageBytes + 1)
        let failure = await #expect(throws: Failure.self) {
            try await keep(connections, world.address, proposals, caller.bell, caller.use)
        }
        #expect(failure?.message.contains("the limit is \(WireLimits.messageBytes)") == true)
    }

    /// The listener's end waits for all that it has accepted.
    @Test func aListenerEndsItsLinksAndThenItself() async throws {
        let world = try WireWorld(validity: .seconds(3600), services: [], links: service)
        let serving = Task { try await world.server.serve() }
        let connections = NodeConnections(credentials: world.store(try world.member(3, .manager)))
        // One that is over leaves nothing behind that would be waited for.
        await #expect(throws: Failure.self) {
            try await keep(connections, world.address, .with { $0.lane = .messages }, LinkBell(), LinkUse())
        }
        let caller = Caller()
        let link = Task { try await keep(connections, world.address, proposals, caller.bell, caller.use) }
        caller.send(1)
        for await frame in caller.frames where !frame.outcomes.outcomes.isEmpty { world.server.beginGracefulShutdown() }
        await #expect(throws: Failure.self) { try await link.value }
        try await serving.value
        #expect(service.ended.withLock { $0 } == 1)
    }

    /// Whoever answers is judged as by every other connection.
    @Test func aStrangersListenerIsRefused() async throws {
        let (world, other) = (try world(), try world())
        let connections = NodeConnections(credentials: other.store(try other.member(3, .manager)))
        let failure = await #expect(throws: Failure.self) {
            try await keep(connections, world.address, proposals, LinkBell(), LinkUse())
        }
        #expect(failure?.message == "its certificate is not of this cluster")
    }
}
