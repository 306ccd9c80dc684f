import CLinux
import Glibc
public import Primitives

/// UDP and TCP sockets by numeric address, all non-blocking, made in the calling thread's network namespace.
public enum InternetSocket {
    private static let stream: Int32 = 1
    private static let datagram: Int32 = 2

    /// `address`: IPv4 or IPv6 without brackets; `port` 0 takes a free one.
    public static func bindUDP(_ address: String, port: UInt16) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try checked(clinux_inet_bind(address, port, datagram)))
    }

    public static func listenTCP(_ address: String, port: UInt16) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try checked(clinux_inet_bind(address, port, stream)))
    }

    public static func connectUDP(_ address: String, port: UInt16) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try checked(clinux_inet_connect(address, port, datagram)))
    }

    /// The connection may still be under way: the socket is writable once it is made or has failed.
    public static func connectTCP(_ address: String, port: UInt16) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try checked(clinux_inet_connect(address, port, stream)))
    }

    /// The next connection of a listener; nil when none waits.
    public static func accept(_ listener: borrowing OwnedDescriptor) -> OwnedDescriptor? {
        let number = clinux_accept4(listener.number, 0o4000)
        return number >= 0 ? OwnedDescriptor(adopting: number) : nil
    }

    /// The port that a socket is bound to.
    public static func port(of socket: borrowing OwnedDescriptor) throws(Errno) -> UInt16 {
        UInt16(truncatingIfNeeded: try checked(clinux_inet_port(socket.number)))
    }

    /// One datagram with its sender.
    public struct Datagram: Sendable {
        public var bytes: [UInt8]
        public var address: IPv4Address
        public var port: UInt16
    }

    /// The next datagram of an IPv4 socket; nil when none waits.
    public static func receive(_ socket: borrowing OwnedDescriptor, maximumBytes: Int) -> Datagram? {
        var address: UInt32 = 0
        var port: UInt16 = 0
        var bytes = [UInt8](repeating: 0, count: maximumBytes)
        let count = clinux_inet_receive(socket.number, &bytes, bytes.count, &address, &port)
        guard count >= 0 else { return nil }
        return Datagram(bytes: Array(bytes.prefix(count)), address: IPv4Address(value: address), port: port)
    }

    /// Sends one datagram; one that cannot be sent now is lost, as a datagram may be.
    public static func send(_ datagram: Datagram, on socket: borrowing OwnedDescriptor) {
        _ = clinux_inet_send(
            socket.number, datagram.bytes, datagram.bytes.count, datagram.address.value, datagram.port)
    }

    public static func send(
        _ bytes: [UInt8], to address: IPv4Address, port: UInt16, on socket: borrowing OwnedDescriptor
    ) {
        send(Datagram(bytes: bytes, address: address, port: port), on: socket)
    }

    /// Writes as much as the socket takes; 0 when it takes nothing now.
    public static func write(_ bytes: ArraySlice<UInt8>, to socket: borrowing OwnedDescriptor) throws(Errno) -> Int {
        let noSignal: Int32 = 0x4000
        let count = bytes.withUnsafeBytes { Glibc.send(socket.number, $0.baseAddress, $0.count, noSignal) }
        if count >= 0 { return count }
        if [.tryAgain, .interrupted].contains(Errno.current) { return 0 }
        throw Errno.current
    }
}
