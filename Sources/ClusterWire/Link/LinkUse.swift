public import ClusterMessages
internal import NIOCore
internal import Synchronization

/// What one end of a link does with it. All is called on the link's event loop and must not block.
public struct LinkUse: Sendable {
    /// The next frame to send; nil while nothing waits. Asked as long as the other end keeps up, and after each ring of the
    /// link's bell: what came in between travels together.
    public var next: @Sendable () -> WireLinkFrame?
    /// A frame has come; none that is empty. An error ends the link, and the other end is told of it.
    public var receive: @Sendable (WireLinkFrame) throws -> Void
    /// The link is over; called once.
    public var end: @Sendable () -> Void

    public init(
        next: @escaping @Sendable () -> WireLinkFrame? = { nil },
        receive: @escaping @Sendable (WireLinkFrame) throws -> Void = { _ in },
        end: @escaping @Sendable () -> Void = {}
    ) {
        self.next = next
        self.receive = receive
        self.end = end
    }
}

/// Tells a link that something waits to be sent. It may be rung by any thread, before the link is there and after its end.
public final class LinkBell: Sendable {
    private struct Listener {
        let number: UInt64
        let loop: any EventLoop
        let send: @Sendable () -> Void
    }

    private struct State {
        var listener: Listener?
        var listeners: UInt64 = 0
        /// One ring is enough until the link looks.
        var isRinging = false
    }

    private let state = Mutex(State())

    public init() {}

    public func ring() {
        let rung = state.withLock { state -> Listener? in
            guard let listener = state.listener, !state.isRinging else { return nil }
            state.isRinging = true
            return listener
        }
        guard let rung else { return }
        rung.loop.execute { [self] in
            // A ring that comes late, to a link that is over, is none of the next one's.
            let isHeard = state.withLock { state in
                guard state.listener?.number == rung.number else { return false }
                state.isRinging = false
                return true
            }
            if isHeard { rung.send() }
        }
    }

    /// What was rung for before is the link's to look for.
    ///
    /// - Returns: what ``disconnect(_:)`` takes.
    func connect(_ loop: any EventLoop, _ send: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLock { state in
            state.listeners += 1
            state.isRinging = false
            state.listener = Listener(number: state.listeners, loop: loop, send: send)
            return state.listeners
        }
    }

    /// Another link's connection stays.
    func disconnect(_ number: UInt64) {
        state.withLock { state in
            guard state.listener?.number == number else { return }
            state.listener = nil
            state.isRinging = false
        }
    }
}
