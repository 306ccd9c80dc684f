import ClusterMessages
import NIOCore
import NIOEmbedded
import SwiftProtobuf
import Testing

@testable import ClusterWire

/// What stands behind a recognizer hears of its own connections alone, and from their beginning on.
@Suite struct LinkRecognizerTests {
    /// In gRPC's place.
    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private(set) var heard: [String] = []

        func channelActive(context: ChannelHandlerContext) {
            heard.append("active")
            // As HTTP/2 does.
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "settings")), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            heard.append(String(buffer: unwrapInboundIn(data)))
        }

        func channelReadComplete(context: ChannelHandlerContext) { heard.append("complete") }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { heard.append("\(event)") }

        func channelWritabilityChanged(context: ChannelHandlerContext) { heard.append("writability") }

        func channelInactive(context: ChannelHandlerContext) { heard.append("inactive") }
    }

    private let listener = Listener()

    private func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        let recognizer = LinkRecognizer { _ in
            LinkHandler(.called(.init(admit: { _ in LinkUse() }, check: {})), bell: LinkBell())
        }
        try channel.pipeline.syncOperations.addHandlers([recognizer, listener])
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
        channel.pipeline.fireUserInboundEventTriggered("handshake")
        return channel
    }

    @Test func gRPCHearsOfItsConnectionFromTheBeginning() throws {
        let channel = try channel()
        for piece in ["PRI ", "* HTTP/2.0"] { try channel.writeInbound(ByteBuffer(string: piece)) }
        #expect(listener.heard == ["active", "handshake", "PRI * HTTP/2.0", "complete"])
        #expect(try channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(string: "settings"))
        try channel.writeInbound(ByteBuffer(string: "more"))
        #expect(listener.heard.suffix(2) == ["more", "complete"])
    }

    /// Even a hint that something was read starts gRPC's keepalive, which would end the link a few seconds later.
    @Test func gRPCHearsOfALinksEndAlone() throws {
        let channel = try channel()
        var bytes = ByteBuffer(bytes: LinkPreface.bytes)
        try WireLinkFrame.with { $0.hello = .with { $0.lane = .messages } }.write(to: &bytes)
        while let piece = bytes.readSlice(length: min(5, bytes.readableBytes)), piece.readableBytes > 0 {
            try channel.writeInbound(piece)
        }
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(listener.heard.isEmpty)
        var welcome = try #require(try channel.readOutbound(as: ByteBuffer.self))
        let frame = try LinkFrameDecoder(limit: 100).decode(buffer: &welcome)
        #expect(frame == .with { $0.welcome = WireLinkWelcome() })
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        _ = try channel.finish()
        #expect(listener.heard == ["inactive"])
    }

    @Test func aConnectionWithoutAByteIsClosed() throws {
        let channel = try channel()
        try channel.writeInbound(ByteBuffer(string: "PRI"))
        channel.embeddedEventLoop.advanceTime(by: .init(WireLimits.firstBytes))
        #expect(!channel.isActive && listener.heard == ["inactive"])
    }
}
