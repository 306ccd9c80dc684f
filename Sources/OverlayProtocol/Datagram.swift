/// The first 16 bytes of every datagram, authenticated with the rest.
///
///     0        1        2        3        4 … 7      8 … 15
///     version  type     0        0        key id     counter      (big-endian)
///
/// The key id is the receiver's choice, made in the handshake; in an initiation it is the sender's. There the counter is
/// the initiation's timestamp, and in a response it is zero.
struct DatagramHeader: Hashable, Sendable {
    static let version: UInt8 = 2

    enum Kind: UInt8, Sendable {
        case initiation = 1
        case response = 2
        /// A sealed frame as it was on the wire, or nothing: a keepalive.
        case frame = 3
        /// A sealed IPv4 frame whose TCP or UDP checksum was left to the hardware and is still to be made.
        case uncheckedFrame = 4
    }

    var kind: Kind
    var keyID: UInt32
    var counter: UInt64

    init(kind: Kind, keyID: UInt32, counter: UInt64 = 0) {
        self.kind = kind
        self.keyID = keyID
        self.counter = counter
    }

    enum ReadError: Error, Hashable {
        case truncated
        /// RFC 7348 in clear: never accepted.
        case clearVXLAN
        case unknownVersion(UInt8)
        case malformed
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(ReadError) {
        guard bytes.count >= OverlayLimits.vxlanHeaderBytes else { throw .truncated }
        guard bytes[0] == DatagramHeader.version else {
            let looksLikeVXLAN = bytes[0] == VXLANHeader.flags && bytes[7] == 0
            throw looksLikeVXLAN ? .clearVXLAN : .unknownVersion(bytes[0])
        }
        guard bytes.count >= OverlayLimits.headerBytes else { throw .truncated }
        guard let kind = Kind(rawValue: bytes[1]), bytes[2] == 0, bytes[3] == 0 else { throw .malformed }
        self.kind = kind
        keyID = bytes.bigEndianUInt32(at: 4)
        counter = bytes.bigEndianUInt64(at: 8)
    }

    @inline(__always)
    func write(to bytes: UnsafeMutableRawBufferPointer) {
        bytes[0] = DatagramHeader.version
        bytes[1] = kind.rawValue
        bytes[2] = 0
        bytes[3] = 0
        bytes.storeBigEndian(keyID, at: 4)
        bytes.storeBigEndian(counter, at: 8)
    }

    var encoded: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: OverlayLimits.headerBytes)
        bytes.withUnsafeMutableBytes { write(to: $0) }
        return bytes
    }
}

/// The VXLAN header (RFC 7348 section 5): flags with the I bit, the VNI, the rest zero.
public struct VXLANHeader: Hashable, Sendable {
    static let flags: UInt8 = 0x08

    /// 24 bits.
    public let vni: UInt32

    /// Nil above 24 bits.
    public init?(vni: UInt32) {
        guard vni <= OverlayLimits.greatestVNI else { return nil }
        self.vni = vni
    }

    /// Nil when the I bit is missing or the bytes are fewer than eight; reserved fields are ignored, as the RFC asks.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= OverlayLimits.vxlanHeaderBytes, bytes[0] & VXLANHeader.flags != 0 else { return nil }
        vni = bytes.bigEndianUInt32(at: 4) >> 8
    }

    @inline(__always)
    func write(to bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
        bytes.storeBigEndian(UInt32(VXLANHeader.flags) << 24, at: offset)
        bytes.storeBigEndian(vni << 8, at: offset + 4)
    }

    public var encoded: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: OverlayLimits.vxlanHeaderBytes)
        bytes.withUnsafeMutableBytes { write(to: $0, at: 0) }
        return bytes
    }
}

/// Whether the TCP or UDP checksum inside a frame is there, or still to be made by whoever needs it.
public enum InnerChecksum: Hashable, Sendable {
    case complete
    /// The field's content means nothing; only IPv4 TCP and UDP frames are so.
    case pending
}
