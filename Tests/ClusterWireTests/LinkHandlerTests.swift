import ClusterMessages
import NIOCore
import NIOEmbedded
import Primitives
import SwiftProtobuf
import Synchronization
import Testing

@testable import ClusterWire

/// The called end of a link without a network: its loop and its clock are the test's.
@Suite struct LinkHandlerTests {
    private final class Books: Sendable {
        let received = Mutex<[UInt64]>([])
        let unsent = Mutex<[WireLinkFrame]>([])
        let ends = Mutex(0)
        let reason = Mutex<Failure?>(nil)
    }

    private let books = Books()
    private let bell = LinkBell()

    private func channel() throws -> EmbeddedChannel {
        let books = books
        let admission = LinkHandler.Admission(
            admit: { _ in
                LinkUse(
                    next: { books.unsent.withLock { $0.isEmpty ? nil : $0.removeFirst() } },
                    receive: { frame in books.received.withLock { $0 += frame.proposals.proposals.map(\.number) } },
                    end: { books.ends.withLock { $0 += 1 } })
            }, check: {})
        let handler = LinkHandler(
            .called(admission), bell: bell, onEnd: { failure in books.reason.withLock { $0 = failure } })
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
        handler.begin()
        return channel
    }

    private func bytes(_ frame: WireLinkFrame) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        try frame.write(to: &buffer)
        return buffer
    }

    private func proposal(_ number: UInt64, bytes: Int = 0) -> WireLinkFrame {
        .with {
            $0.proposals.proposals = [
                .with {
                    $0.number = number
                    $0.transaction = wireBytes([UInt8](repeating: 1, count: bytes))
                }
            ]
        }
    }

    private let hello = WireLinkFrame.with { $0.hello = .with { $0.lane = .proposals } }

    private func sent(_ channel: EmbeddedChannel) throws -> [WireLinkFrame] {
        var frames: [WireLinkFrame] = []
        while var buffer = try channel.readOutbound(as: ByteBuffer.self) {
            let decoder = LinkFrameDecoder(limit: WireLimits.messageBytes)
            while let frame = try decoder.decode(buffer: &buffer) { frames.append(frame) }
        }
        return frames
    }

    private var reason: Failure? { books.reason.withLock { $0 } }

    @Test func framesAreTakenHoweverTheyAreCut() throws {
        let channel = try channel()
        var all = try bytes(hello)
        var rest = [try bytes(proposal(1)), try bytes(WireLinkFrame()), try bytes(proposal(2, bytes: 5000))]
        for index in rest.indices { all.writeBuffer(&rest[index]) }
        while let byte = all.readSlice(length: 1) { try channel.writeInbound(byte) }
        #expect(books.received.withLock { $0 } == [1, 2])
        #expect(try sent(channel) == [.with { $0.welcome = WireLinkWelcome() }])
    }

    /// Who calls is not known before the hello: nothing else is taken, and nothing large is even read.
    @Test(arguments: [0, 1, 2]) func nothingComesBeforeTheHello(_ wrong: Int) throws {
        let channel = try channel()
        let large = proposal(1, bytes: WireLimits.helloBytes)
        try channel.writeInbound(try bytes([WireLinkFrame(), proposal(1), large][wrong]))
        #expect(reason?.code == .invalidArgument)
        #expect(reason?.message.contains(wrong == 2 ? "the limit is 1024" : "begins with a hello") == true)
        #expect(try sent(channel).map(\.refusal.code) == ["invalid argument"])
        #expect(books.ends.withLock { $0 } == 0)
    }

    @Test func aCallerThatSaysNothingIsSentAway() throws {
        let channel = try channel()
        channel.embeddedEventLoop.advanceTime(by: .init(WireLimits.firstBytes) - .milliseconds(1))
        #expect(reason == nil)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(reason != nil)
    }

    @Test func aRestingLinkCarriesEmptyFramesAndASilentOneEnds() throws {
        let channel = try channel()
        try channel.writeInbound(try bytes(hello))
        _ = try sent(channel)
        // NIO's handler tells of both by the machine's own clock.
        channel.pipeline.fireUserInboundEventTriggered(IdleStateHandler.IdleStateEvent.write)
        #expect(try sent(channel) == [WireLinkFrame()] && reason == nil)
        channel.pipeline.fireUserInboundEventTriggered(IdleStateHandler.IdleStateEvent.read)
        #expect(reason?.message.contains("silent") == true)
        #expect(books.ends.withLock { $0 } == 1)
    }

    /// A burst waits in its outbox, where it can still be taken back, not in the channel.
    @Test func whatTheOtherEndDoesNotTakeIsNotTakenOut() throws {
        let channel = try channel()
        try channel.writeInbound(try bytes(hello))
        channel.isWritable = false
        books.unsent.withLock { $0 = [proposal(1), proposal(2)] }
        bell.ring()
        channel.embeddedEventLoop.run()
        #expect(books.unsent.withLock { $0.count } == 2)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(books.unsent.withLock { $0.isEmpty })
    }

    @Test func nothingIsTakenAfterTheEnd() throws {
        let channel = try channel()
        try channel.writeInbound(try bytes(hello))
        var both = try bytes(.with { $0.refusal = .with { $0.message = "enough" } })
        var late = try bytes(proposal(9))
        both.writeBuffer(&late)
        try channel.writeInbound(both)
        #expect(reason?.message == "enough")
        #expect(books.received.withLock { $0.isEmpty } && books.ends.withLock { $0 } == 1)
    }

    // MARK: The bell

    @Test func ringsOfAFormerLinkNeitherReachNorSilenceTheNext() throws {
        let (former, next) = (EmbeddedEventLoop(), EmbeddedEventLoop())
        let looks = Mutex<[String]>([])
        let first = bell.connect(former) { looks.withLock { $0.append("former") } }
        bell.ring()
        let second = bell.connect(next) { looks.withLock { $0.append("next") } }
        bell.disconnect(first)
        bell.ring()
        former.run()
        bell.ring()
        next.run()
        #expect(looks.withLock { $0 } == ["next"])
        bell.disconnect(second)
        bell.ring()
        next.run()
        #expect(looks.withLock { $0.count } == 1)
    }

    @Test func manyRingsAreOne() throws {
        let loop = EmbeddedEventLoop()
        let looks = Mutex(0)
        _ = bell.connect(loop) { looks.withLock { $0 += 1 } }
        for _ in 0..<10 { bell.ring() }
        loop.run()
        bell.ring()
        loop.run()
        #expect(looks.withLock { $0 } == 2)
    }
}
