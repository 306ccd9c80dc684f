internal import NIOCore
internal import Primitives

/// Waits for the first bytes of a connection: then it is a link, or gRPC's from its beginning on.
///
/// gRPC's handlers are behind it. They are not told that the connection is there until it is theirs; of a link they only
/// hear that it has ended.
final class LinkRecognizer: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    typealias MakeLink = (ChannelPipeline.SynchronousOperations) throws -> LinkHandler

    private let makeLink: MakeLink
    private var first = ByteBuffer()
    private var heldEvents: [Any] = []
    private var deadline: Scheduled<Void>?
    private var owner = Owner.unknown

    private enum Owner { case unknown, link, rpc }

    /// - Parameter makeLink: called when the connection turns out to be a link.
    init(_ makeLink: @escaping MakeLink) {
        self.makeLink = makeLink
    }

    func channelActive(context: ChannelHandlerContext) {
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: .init(WireLimits.firstBytes)) {
            context.value.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .unknown = owner else { return }
        first.writeImmutableBuffer(unwrapInboundIn(data))
        let count = LinkPreface.bytes.count
        guard let preface = first.getBytes(at: first.readerIndex, length: count) else { return }
        deadline?.cancel()
        if preface == LinkPreface.bytes {
            first.moveReaderIndex(forwardBy: count)
            beginLink(context)
        } else {
            leaveToRPC(context)
        }
    }

    private func beginLink(_ context: ChannelHandlerContext) {
        owner = .link
        heldEvents = []
        do {
            let pipeline = context.pipeline.syncOperations
            let link = try makeLink(pipeline)
            try pipeline.addHandlers([IdleStateHandler.ofLinks(), link], position: .before(self))
            let rest = first
            first = ByteBuffer()
            link.begin()
            link.take(rest)
        } catch { context.close(promise: nil) }
    }

    private func leaveToRPC(_ context: ChannelHandlerContext) {
        owner = .rpc
        context.fireChannelActive()
        for event in heldEvents { context.fireUserInboundEventTriggered(event) }
        context.fireChannelRead(wrapInboundOut(first))
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            context.close(promise: nil)
        } else if case .unknown = owner {
            heldEvents.append(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    // MARK: What gRPC hears and sends of a connection that is not its own

    /// Each of them starts its clock for a keepalive, whose ping would never be answered.
    func channelReadComplete(context: ChannelHandlerContext) {
        if case .rpc = owner { context.fireChannelReadComplete() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .rpc = owner { context.fireChannelWritabilityChanged() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .rpc = owner { context.fireErrorCaught(error) } else { context.close(promise: nil) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .rpc = owner {
            context.write(data, promise: promise)
        } else {
            promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    func flush(context: ChannelHandlerContext) {
        if case .rpc = owner { context.flush() }
    }
}
