import NIOCore
import NIOHTTP1

/// A client that makes one config after the other (POST /configs/create), or asks for nothing at all (GET /_ping).
final class ConfigWriter: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let settings: ClientSettings
    private let done: EventLoopPromise<ClientReport>
    private var journal: ClientJournal
    private let value: String
    private let isPing: Bool
    private var status = HTTPResponseStatus.ok
    private var text = ""

    private init(_ settings: ClientSettings, isPing: Bool, _ done: EventLoopPromise<ClientReport>) {
        self.settings = settings
        self.isPing = isPing
        self.done = done
        journal = ClientJournal(settings.run)
        value = Base64.encode(settings.value)
    }

    static func connect(
        _ settings: ClientSettings, isPing: Bool = false, _ connector: Connector
    ) async throws -> EventLoopFuture<ClientReport> {
        try await connector.connect(client: settings.number) { channel in
            let done = channel.eventLoop.makePromise(of: ClientReport.self)
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(ConfigWriter(settings, isPing: isPing, done))
            return done.futureResult
        }
    }

    func channelActive(context: ChannelHandlerContext) { send(context) }

    private func send(_ context: ChannelHandlerContext) {
        let name = settings.name(journal.sends())
        if isPing {
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/_ping", headers: ["Host": "swarm"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
        var body = context.channel.allocator.buffer(capacity: value.utf8.count + 128)
        body.writeString("{\"Name\":\"\(name)\",\"Data\":\"\(value)\"}")
        let headers: HTTPHeaders = [
            "Host": "swarm", "Content-Type": "application/json", "Content-Length": "\(body.readableBytes)",
        ]
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/v1.47/configs/create", headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            status = head.status
            text = ""
        case .body(let buffer): if !isExpected { text += String(buffer: buffer) }
        case .end:
            if journal.answered(failure: isExpected ? nil : "\(status.code) \(text)") {
                send(context)
            } else {
                done.succeed(journal.report)
                context.close(promise: nil)
            }
        }
    }

    private var isExpected: Bool { status == (isPing ? .ok : .created) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        done.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { done.fail(ChannelError.eof) }
}

enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// RFC 4648 §4.
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
            for position in 0..<4 {
                text.append(
                    position <= group.count
                        ? alphabet[Int(bits >> (18 - 6 * UInt32(position)) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
