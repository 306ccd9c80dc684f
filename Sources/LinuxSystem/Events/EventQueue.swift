import CLinux
import Glibc

/// epoll(7), level-triggered: each descriptor is watched under a token that its events carry.
public struct EventQueue: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    public struct Interest: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        public static let readable = Interest(rawValue: 0x1)
        public static let writable = Interest(rawValue: 0x4)
        /// Reported whether asked for or not.
        public static let failed = Interest(rawValue: 0x8)
        /// Reported whether asked for or not: the other end is gone.
        public static let hungUp = Interest(rawValue: 0x10)
    }

    public struct Event: Sendable {
        public var token: UInt64
        public var readiness: Interest
    }

    public init() throws(Errno) {
        descriptor = OwnedDescriptor(adopting: try checked(clinux_epoll_create()))
    }

    public func add(_ watched: borrowing OwnedDescriptor, token: UInt64, _ interest: Interest = .readable) throws(Errno)
    {
        try checked(clinux_epoll_ctl(descriptor.number, 1, watched.number, interest.rawValue, token))
    }

    public func change(_ watched: borrowing OwnedDescriptor, token: UInt64, _ interest: Interest) throws(Errno) {
        try checked(clinux_epoll_ctl(descriptor.number, 3, watched.number, interest.rawValue, token))
    }

    /// Needed only while another descriptor keeps the same file open: closing the last one removes it anyway.
    public func remove(_ watched: borrowing OwnedDescriptor) throws(Errno) {
        try checked(clinux_epoll_ctl(descriptor.number, 2, watched.number, 0, 0))
    }

    /// Waits for events, at most 64 at a time; none when the time is over. nil waits for ever.
    public func wait(timeoutMilliseconds: Int32?) throws(Errno) -> [Event] {
        let capacity = 64
        return try withUnsafeTemporaryAllocation(of: clinux_event.self, capacity: capacity) { buffer throws(Errno) in
            let count = clinux_epoll_wait(
                descriptor.number, buffer.baseAddress, Int32(capacity), timeoutMilliseconds ?? -1)
            if count == -1 {
                if Errno.current == .interrupted { return [] }
                throw Errno.current
            }
            return (0..<Int(count)).map {
                Event(token: buffer[$0].token, readiness: Interest(rawValue: buffer[$0].events))
            }
        }
    }
}

/// Signals as something to read instead of something that interrupts.
public struct SignalQueue: ~Copyable {
    public let descriptor: OwnedDescriptor

    /// Blocks the signals for the calling thread; they arrive here instead.
    public init(_ signals: [Int32]) throws(Errno) {
        descriptor = OwnedDescriptor(adopting: try checked(clinux_signalfd(signals, signals.count)))
    }

    /// The next signal that waits; nil when none does.
    public func next() throws(Errno) -> Int32? {
        let signal = try checked(clinux_signalfd_read(descriptor.number))
        return signal == 0 ? nil : signal
    }
}

/// An eventfd: any thread wakes the one that waits for it.
public struct WakeUp: ~Copyable, Sendable {
    public let descriptor: OwnedDescriptor

    public init() throws(Errno) {
        descriptor = OwnedDescriptor(adopting: try checked(clinux_eventfd(0, O_NONBLOCK)))
    }

    public func signal() {
        var one: UInt64 = 1
        // A full counter means that the wake-up is pending already.
        _ = write(descriptor.number, &one, 8)
    }

    public func clear() {
        var count: UInt64 = 0
        _ = read(descriptor.number, &count, 8)
    }
}

/// A counter that threads wait on: each signal lets one of them go on.
public struct Semaphore: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    public init() throws(Errno) {
        let semaphore: Int32 = 1
        descriptor = OwnedDescriptor(adopting: try checked(clinux_eventfd(0, semaphore)))
    }

    public func signal() {
        var one: UInt64 = 1
        _ = write(descriptor.number, &one, 8)
    }

    public func wait() throws(Errno) {
        var one: UInt64 = 0
        _ = try retrying { read(descriptor.number, &one, 8) }
    }
}
