/// Bytes of a netlink message in the machine's order, with attributes (struct nlattr) padded to four bytes.
struct NetlinkBytes: Hashable, Sendable {
    private(set) var bytes: [UInt8] = []

    init() {}

    mutating func append(_ value: UInt8) { bytes.append(value) }
    mutating func append(_ value: UInt16) { withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) } }
    mutating func append(_ value: UInt32) { withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) } }
    mutating func append(_ value: Int32) { append(UInt32(bitPattern: value)) }
    mutating func append(_ other: NetlinkBytes) { bytes += other.bytes }

    mutating func attribute(_ type: UInt16, _ content: [UInt8]) {
        append(UInt16(truncatingIfNeeded: 4 + content.count))
        append(type)
        bytes += content
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    mutating func attribute(_ type: UInt16, _ value: UInt32) {
        attribute(type, withUnsafeBytes(of: value) { Array($0) })
    }

    mutating func attribute(_ type: UInt16, _ value: UInt8) { attribute(type, [value]) }

    /// A string with its closing zero.
    mutating func attribute(_ type: UInt16, _ text: String) { attribute(type, Array(text.utf8) + [0]) }

    mutating func attribute(_ type: UInt16, nested: (inout NetlinkBytes) -> Void) {
        var inner = NetlinkBytes()
        nested(&inner)
        attribute(type, inner.bytes)
    }
}

/// One request to rtnetlink(7), complete but for its sequence number.
public struct NetlinkRequest: Hashable, Sendable {
    enum Flags {
        static let request: UInt16 = 0x1
        static let acknowledge: UInt16 = 0x4
        static let dump: UInt16 = 0x300
        static let replace: UInt16 = 0x100
        static let exclusive: UInt16 = 0x200
        static let create: UInt16 = 0x400
    }

    let type: UInt16
    let flags: UInt16
    let payload: [UInt8]

    init(type: UInt16, flags: UInt16, payload: NetlinkBytes) {
        self.type = type
        self.flags = flags
        self.payload = payload.bytes
    }

    /// struct nlmsghdr and the payload.
    func encoded(sequence: UInt32) -> [UInt8] {
        var message = NetlinkBytes()
        message.append(UInt32(truncatingIfNeeded: 16 + payload.count))
        message.append(type)
        message.append(Flags.request | flags)
        message.append(sequence)
        message.append(UInt32(0))
        return message.bytes + payload
    }
}

/// One message from the kernel.
struct NetlinkReply: Hashable, Sendable {
    enum Kind {
        static let error: UInt16 = 2
        static let done: UInt16 = 3
    }

    var type: UInt16
    var sequence: UInt32
    var payload: NetlinkReader

    /// The messages of one datagram; what is cut off is left out.
    static func messages(in datagram: [UInt8]) -> [NetlinkReply] {
        var found: [NetlinkReply] = []
        var reader = NetlinkReader(datagram)
        while let length = reader.uint32(), length >= 16, let type = reader.uint16(), reader.uint16() != nil,
            let sequence = reader.uint32(), reader.uint32() != nil,
            let payload = reader.bytes(Int(length) - 16, paddedTo: 4)
        {
            found.append(NetlinkReply(type: type, sequence: sequence, payload: NetlinkReader(payload)))
        }
        return found
    }
}

/// Reads what the kernel wrote; nil at the end.
struct NetlinkReader: Hashable, Sendable {
    private let content: [UInt8]
    private var position = 0

    init(_ content: [UInt8]) {
        self.content = content
    }

    mutating func uint8() -> UInt8? { bytes(1)?.first }

    mutating func uint16() -> UInt16? {
        bytes(2).map { $0.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) } }
    }

    mutating func uint32() -> UInt32? {
        bytes(4).map { $0.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) } }
    }

    mutating func int32() -> Int32? { uint32().map { Int32(bitPattern: $0) } }

    /// The last item of a message may lack its padding.
    mutating func bytes(_ count: Int, paddedTo alignment: Int = 1) -> [UInt8]? {
        guard count >= 0, position + count <= content.count else { return nil }
        defer { position = min(content.count, position + (count + alignment - 1) / alignment * alignment) }
        return Array(content[position..<position + count])
    }

    /// The attributes from here to the end; of two of one type the last counts.
    mutating func attributes() -> [UInt16: [UInt8]] {
        var found: [UInt16: [UInt8]] = [:]
        while let length = uint16(), length >= 4, let type = uint16(),
            let value = bytes(Int(length) - 4, paddedTo: 4)
        {
            // The two upper bits say "nested" and "network byte order".
            found[type & 0x3fff] = value
        }
        return found
    }
}
