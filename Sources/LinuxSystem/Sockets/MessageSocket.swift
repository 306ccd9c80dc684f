import CLinux
import Glibc

/// A unix socket of whole messages (SOCK_SEQPACKET), which may carry descriptors.
public struct MessageSocket: ~Copyable, Sendable {
    public let descriptor: OwnedDescriptor

    public init(_ descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    /// Two sockets connected to each other.
    public static func makePair() throws(Errno) -> Pair {
        var ends: [Int32] = [-1, -1]
        try checked(clinux_socketpair_seqpacket(&ends))
        return Pair(
            first: MessageSocket(OwnedDescriptor(adopting: ends[0])),
            second: MessageSocket(OwnedDescriptor(adopting: ends[1])))
    }

    @frozen
    public struct Pair: ~Copyable {
        public var first: MessageSocket
        public var second: MessageSocket
    }

    private static let sequencedPackets: Int32 = 5

    /// A non-blocking listener at `folder/name`. The folder is named by descriptor, so the path may be of any length.
    public static func listen(folder: borrowing OwnedDescriptor, name: String) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(
            adopting: try checked(clinux_unix_listen("\(folder.path)/\(name)", sequencedPackets, 16)))
    }

    /// Connects to `folder/name`.
    public init(connectingTo name: String, in folder: borrowing OwnedDescriptor) throws(Errno) {
        let path = "\(folder.path)/\(name)"
        self.init(OwnedDescriptor(adopting: try retrying { clinux_unix_connect(path, MessageSocket.sequencedPackets) }))
    }

    /// The next connection of a listener; nil when none waits.
    public static func accept(_ listener: borrowing OwnedDescriptor) throws(Errno) -> MessageSocket? {
        let number = clinux_accept4(listener.number, 0)
        if number == -1 {
            if [.tryAgain, .interrupted].contains(Errno.current) { return nil }
            throw Errno.current
        }
        return MessageSocket(OwnedDescriptor(adopting: number))
    }

    private static let doNotWait: Int32 = 0x40

    /// Sends one message. With `waits` false a full socket throws `EAGAIN`.
    public func send(_ bytes: [UInt8], descriptors: [Int32] = [], waits: Bool = true) throws(Errno) {
        let flags = waits ? 0 : MessageSocket.doNotWait
        _ = try retrying {
            bytes.withUnsafeBytes { buffer in
                clinux_send_message(
                    descriptor.number, buffer.baseAddress, buffer.count, descriptors, descriptors.count, flags)
            }
        }
    }

    /// One message, with the descriptors that came with it: the caller owns them.
    public struct Message: Sendable {
        public var bytes: [UInt8]
        public var descriptors: [Int32]
    }

    /// The next message; nil when the other end is gone. With `waits` false and nothing there, `EAGAIN` is thrown.
    public func receive(maximumBytes: Int, waits: Bool = true) throws(Errno) -> Message? {
        let flags = waits ? 0 : MessageSocket.doNotWait
        var descriptors = [Int32](repeating: -1, count: 16)
        var descriptorCount = 0
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: maximumBytes) { buffer, initialized in
            do throws(Errno) {
                initialized = try retrying {
                    descriptorCount = descriptors.count
                    return clinux_receive_message(
                        descriptor.number, buffer.baseAddress, buffer.count, &descriptors, &descriptorCount, flags)
                }
            } catch {
                failure = error
            }
        }
        if let failure {
            if failure.rawValue == ECONNRESET { return nil }
            throw failure
        }
        if bytes.isEmpty { return nil }
        return Message(bytes: bytes, descriptors: Array(descriptors.prefix(descriptorCount)))
    }
}
