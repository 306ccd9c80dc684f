internal import ClusterMessages
internal import NIOCore
internal import NIOTLS
internal import Primitives
internal import SwiftProtobuf

/// One end of a link in its channel: sends what its use has, as fast as the other end takes it, and hands over what comes.
final class LinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Which end it is.
    enum Role {
        /// ``begin()`` sends the preface and the hello.
        case caller(WireLinkHello, LinkUse)
        case called(Admission)
    }

    /// Who may call.
    struct Admission {
        /// Judges the hello.
        var admit: (WireLinkHello) throws -> LinkUse
        /// Looks with each frame whether the caller still counts.
        var check: () throws -> Void
    }

    private enum State {
        case waiting
        /// With what the bell is let go by.
        case open(bell: UInt64)
        case ended
    }

    private let role: Role
    private let bell: LinkBell
    private let onEnd: (Failure) -> Void
    /// As long as it is in its channel.
    private var context: ChannelHandlerContext?
    private var state = State.waiting
    /// nil at the end that was called, until its caller is let in.
    private var use: LinkUse?
    private var isSecured: Bool
    private let decoder: LinkFrameDecoder
    private var reader: NIOSingleStepByteToMessageProcessor<LinkFrameDecoder>
    private var deadline: Scheduled<Void>?

    /// - Parameter onEnd: hears why it is over; called once.
    init(_ role: Role, bell: LinkBell, onEnd: @escaping (Failure) -> Void = { _ in }) {
        self.role = role
        self.bell = bell
        self.onEnd = onEnd
        switch role {
        case .caller(_, let use):
            self.use = use
            isSecured = false
            decoder = LinkFrameDecoder(limit: WireLimits.messageBytes)
        case .called:
            isSecured = true
            decoder = LinkFrameDecoder(limit: WireLimits.helloBytes)
        }
        reader = NIOSingleStepByteToMessageProcessor(decoder)
    }

    // MARK: Begin and end

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    /// The connection is there, and is the one that is kept: of those to a name's addresses others may have come and gone.
    func begin() {
        guard case .waiting = state, let context else { return }
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        switch role {
        case .caller(let hello, _):
            var buffer = context.channel.allocator.buffer(bytes: LinkPreface.bytes)
            do {
                try WireLinkFrame.with { $0.hello = hello }.write(to: &buffer)
            } catch { return finish(Failure(.internal, "\(error)")) }
            context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        case .called:
            deadline = context.eventLoop.scheduleTask(in: .init(WireLimits.firstBytes)) {
                here.value.end(Failure(.deadlineExceeded, "no hello came"))
            }
        }
        state = .open(bell: bell.connect(context.eventLoop) { here.value.send() })
        // Something may have come before.
        send()
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(Failure(.unavailable, "the connection was closed"))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(Failure(.unavailable, "the connection was closed"))
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(error as? Failure ?? Failure(.unavailable, "\(error)"))
    }

    /// Over for whoever uses it; the connection may take a while to close where the other end does not answer.
    private func end(_ failure: Failure) {
        finish(failure)
        context?.close(promise: nil)
    }

    private func finish(_ failure: Failure) {
        let former = state
        state = .ended
        deadline?.cancel()
        switch former {
        case .ended: return
        case .waiting: break
        case .open(let number):
            bell.disconnect(number)
            use?.end()
        }
        use = nil
        onEnd(failure)
    }

    private var openContext: ChannelHandlerContext? { if case .open = state { context } else { nil } }

    // MARK: Frames

    private func send() {
        guard let context = openContext, isSecured, let use else { return }
        var unflushed = 0
        // TLS takes what is not flushed without a limit.
        while context.channel.isWritable, let frame = use.next() {
            unflushed += write(frame, context)
            if unflushed >= WireLimits.linkFlushBytes {
                context.flush()
                unflushed = 0
            }
        }
        if unflushed > 0 { context.flush() }
    }

    /// - Returns: how many bytes.
    @discardableResult
    private func write(_ frame: WireLinkFrame, _ context: ChannelHandlerContext) -> Int {
        var buffer = context.channel.allocator.buffer(capacity: 512)
        do {
            try frame.write(to: &buffer)
            context.write(wrapOutboundOut(buffer), promise: nil)
        } catch { end(Failure(.internal, "a frame cannot be written: \(error)")) }
        return buffer.readableBytes
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        send()
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { take(unwrapInboundIn(data)) }

    func take(_ buffer: ByteBuffer) {
        guard let context = openContext else { return }
        do {
            try reader.process(buffer: buffer) { frame in
                if openContext != nil { try take(frame, context) }
            }
        } catch { refuse(error, context) }
    }

    private func take(_ frame: WireLinkFrame, _ context: ChannelHandlerContext) throws {
        if case .called(let admission) = role {
            try admission.check()
            if use == nil { return try admit(frame, admission, context) }
        }
        switch frame.frame {
        case nil: break
        case .refusal(let refusal): end(Failure(refusal))
        case .some: try use?.receive(frame)
        }
    }

    private func admit(_ frame: WireLinkFrame, _ admission: Admission, _ context: ChannelHandlerContext) throws {
        guard case .hello(let hello) = frame.frame else {
            throw Failure(.invalidArgument, "a link begins with a hello")
        }
        use = try admission.admit(hello)
        deadline?.cancel()
        decoder.limit = WireLimits.messageBytes
        write(.with { $0.welcome = WireLinkWelcome() }, context)
        context.flush()
        send()
    }

    /// Ends the link and says why.
    private func refuse(_ error: any Error, _ context: ChannelHandlerContext) {
        guard case .open = state else { return }
        let failure = Failure(told: error)
        write(.with { $0.refusal = WireRefusal(failure) }, context)
        context.flush()
        end(failure)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted:
            isSecured = true
            send()
        case IdleStateHandler.IdleStateEvent.write:
            guard case .open = state else { return }
            write(WireLinkFrame(), context)
            context.flush()
        case IdleStateHandler.IdleStateEvent.read:
            end(Failure(.unavailable, "the other end was silent for \(WireLimits.linkSilence)"))
        case is ChannelShouldQuiesceEvent: end(Failure(.unavailable, "this node's listener ends"))
        default: context.fireUserInboundEventTriggered(event)
        }
    }
}
