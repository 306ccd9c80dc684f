import NIOCore
import NIOHPACK
import NIOHTTP2

/// A client that puts one key after the other: etcdserverpb.KV/Put, gRPC over HTTP/2.
enum KeyWriter {
    static func connect(
        _ settings: ClientSettings, _ connector: Connector
    ) async throws -> EventLoopFuture<ClientReport> {
        let (streams, loop) = try await connector.connect(client: settings.number) { channel in
            let handler = NIOHTTP2Handler(
                mode: .client, eventLoop: channel.eventLoop, streamDelegate: nil,
                inboundStreamInitializer: { $0.eventLoop.makeSucceededVoidFuture() })
            try channel.pipeline.syncOperations.addHandler(handler)
            return (try handler.syncMultiplexer(), channel.eventLoop)
        }
        return loop.flatSubmit { () -> EventLoopFuture<ClientReport> in
            let done = loop.makePromise(of: ClientReport.self)
            KeyLoop(settings, streams, done).send()
            return done.futureResult
        }
    }
}

/// Lives on its connection's event loop.
private final class KeyLoop {
    private let settings: ClientSettings
    private let streams: NIOHTTP2Handler.StreamMultiplexer
    private let done: EventLoopPromise<ClientReport>
    private var journal: ClientJournal
    private let value: [UInt8]

    init(
        _ settings: ClientSettings, _ streams: NIOHTTP2Handler.StreamMultiplexer, _ done: EventLoopPromise<ClientReport>
    ) {
        self.settings = settings
        self.streams = streams
        self.done = done
        journal = ClientJournal(settings.run)
        value = settings.value
    }

    func send() {
        let message = KeyLoop.put(key: Array(settings.name(journal.sends()).utf8), value: value)
        let loop = NIOLoopBound(self, eventLoop: done.futureResult.eventLoop)
        streams.createStreamChannel(promise: nil) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(PutStream(message) { loop.value.answered($0) })
            }
        }
    }

    private func answered(_ failure: String?) {
        if journal.answered(failure: failure) { send() } else { done.succeed(journal.report) }
    }

    /// PutRequest: bytes key = 1, bytes value = 2; gRPC puts a flag and the length before it.
    private static func put(key: [UInt8], value: [UInt8]) -> [UInt8] {
        func varint(_ number: Int) -> [UInt8] {
            var rest = number
            var bytes: [UInt8] = []
            while rest >= 0x80 {
                bytes.append(UInt8(rest & 0x7f | 0x80))
                rest >>= 7
            }
            return bytes + [UInt8(rest)]
        }
        let message = [0x0a] + varint(key.count) + key + [0x12] + varint(value.count) + value
        let length = UInt32(message.count)
        return [0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32($0))) } + message
    }
}

/// One call.
private final class PutStream: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let message: [UInt8]
    private var answer: ((String?) -> Void)?

    init(_ message: [UInt8], _ answer: @escaping (String?) -> Void) {
        self.message = message
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers: HPACKHeaders = [
            ":method": "POST", ":scheme": "https", ":path": "/etcdserverpb.KV/Put", ":authority": "etcd",
            "content-type": "application/grpc", "te": "trailers",
        ]
        context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        let data = context.channel.allocator.buffer(bytes: message)
        context.writeAndFlush(wrapOutboundOut(.data(.init(data: .byteBuffer(data), endStream: true))), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .headers(let trailers) = unwrapInboundIn(data), trailers.endStream else { return }
        let status = trailers.headers.first(name: "grpc-status")
        finish(
            status == "0" ? nil : "grpc-status \(status ?? "-"): \(trailers.headers.first(name: "grpc-message") ?? "")")
    }

    private func finish(_ failure: String?) {
        answer?(failure)
        answer = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish("\(error)")
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { finish("the stream has ended") }
}
