import OverlayProtocol

/// Where the headers of an IPv4 TCP or UDP frame lie; only for whole packets whose lengths agree with the frame.
struct IPv4Layout {
    static let ethernetBytes = 14
    static let tcp: UInt8 = 6
    static let udp: UInt8 = 17

    let transport: UInt8
    let ipHeaderBytes: Int
    let transportHeaderBytes: Int
    /// Ends where the IP packet ends; what follows in the frame is padding.
    let payloadBytes: Int

    var transportOffset: Int { IPv4Layout.ethernetBytes + ipHeaderBytes }
    var headerBytes: Int { transportOffset + transportHeaderBytes }
    /// Of the checksum field, from the transport header's start.
    var checksumOffset: Int { transport == IPv4Layout.tcp ? 16 : 6 }

    /// `isSuperFrame`: the IP length of a segmentation-offload frame may be absent, so the frame's own counts.
    @inline(__always)
    init?(_ frame: UnsafeRawBufferPointer, isSuperFrame: Bool = false) {
        guard frame.count >= IPv4Layout.ethernetBytes + 20, frame.bigEndianUInt16(at: 12) == 0x0800,
            frame[14] >> 4 == 4
        else { return nil }
        ipHeaderBytes = Int(frame[14] & 0xf) * 4
        let packetBytes =
            isSuperFrame ? frame.count - IPv4Layout.ethernetBytes : Int(frame.bigEndianUInt16(at: 16))
        // More-fragments and the offset: of a fragment the checksum cannot be made.
        guard ipHeaderBytes >= 20, packetBytes <= frame.count - IPv4Layout.ethernetBytes,
            frame.bigEndianUInt16(at: 20) & 0x3fff == 0
        else { return nil }
        transport = frame[23]
        let transportStart = IPv4Layout.ethernetBytes + ipHeaderBytes
        switch transport {
        case IPv4Layout.tcp:
            guard packetBytes >= ipHeaderBytes + 20 else { return nil }
            transportHeaderBytes = Int(frame[transportStart + 12] >> 4) * 4
            guard transportHeaderBytes >= 20 else { return nil }
        case IPv4Layout.udp:
            transportHeaderBytes = 8
        default: return nil
        }
        payloadBytes = packetBytes - ipHeaderBytes - transportHeaderBytes
        guard payloadBytes >= 0 else { return nil }
    }
}

/// The Internet checksum (RFC 1071).
enum Checksum {
    /// The one's complement sum, not yet inverted; bytes beyond an even count are padded with zero.
    static func sum(_ bytes: UnsafeRawBufferPointer, startingWith initial: UInt64 = 0) -> UInt64 {
        var sum = initial
        var offset = 0
        while offset + 4 <= bytes.count {
            sum += UInt64(bytes.bigEndianUInt32(at: offset))
            offset += 4
        }
        if offset + 2 <= bytes.count {
            sum += UInt64(bytes.bigEndianUInt16(at: offset))
            offset += 2
        }
        if offset < bytes.count { sum += UInt64(bytes[offset]) << 8 }
        return sum
    }

    @inline(__always)
    static func folded(_ sum: UInt64) -> UInt16 {
        var value = (sum >> 32) + (sum & 0xffff_ffff)
        value = (value >> 32) + (value & 0xffff_ffff)
        value = (value >> 16) + (value & 0xffff)
        value = (value >> 16) + (value & 0xffff)
        value = (value >> 16) + (value & 0xffff)
        return UInt16(truncatingIfNeeded: value)
    }

    /// Makes the IPv4 header's checksum anew.
    @inline(__always)
    static func setIPv4(_ frame: UnsafeMutableRawBufferPointer, headerBytes: Int) {
        frame.storeBigEndian(UInt16(0), at: 24)
        let header = UnsafeRawBufferPointer(rebasing: frame[14..<14 + headerBytes])
        frame.storeBigEndian(~folded(sum(header)), at: 24)
    }

    /// Stores the pseudo-header's sum, which is what CHECKSUM_PARTIAL expects to find in the field.
    @inline(__always)
    static func setPseudoHeader(_ frame: UnsafeMutableRawBufferPointer, _ layout: IPv4Layout, transportBytes: Int) {
        let raw = UnsafeRawBufferPointer(frame)
        var sum = UInt64(raw.bigEndianUInt32(at: 26)) + UInt64(raw.bigEndianUInt32(at: 30))
        sum += UInt64(layout.transport) + UInt64(transportBytes)
        frame.storeBigEndian(folded(sum), at: layout.transportOffset + layout.checksumOffset)
    }

    /// Does what the hardware would: false when the positions lie outside the frame.
    static func complete(_ frame: UnsafeMutableRawBufferPointer, start: Int, offset: Int) -> Bool {
        guard start >= 0, offset >= 0, start + offset + 2 <= frame.count else { return false }
        // The field holds the pseudo-header's sum and takes part.
        let result = ~folded(sum(UnsafeRawBufferPointer(rebasing: frame[start...])))
        frame.storeBigEndian(result == 0 ? 0xffff : result, at: start + offset)
        return true
    }
}
