import OverlayProtocol

/// A frame of up to 64 KiB that the kernel left to be cut (TSO, USO), and how to cut it.
///
/// The segments' checksums stay pending: the tunnel authenticates them, and the receiving kernel makes them only if
/// the packet goes out on a wire.
struct SuperFrame {
    let layout: IPv4Layout
    let segmentPayload: Int
    let count: Int

    /// Nil when the frame is not what its header says.
    init?(_ header: VirtioHeader, _ frame: UnsafeRawBufferPointer) {
        guard let layout = IPv4Layout(frame, isSuperFrame: true), header.segmentPayload > 0, layout.payloadBytes > 0
        else { return nil }
        switch header.segmentation {
        case .tcp4: guard layout.transport == IPv4Layout.tcp else { return nil }
        case .udp: guard layout.transport == IPv4Layout.udp else { return nil }
        case .none: return nil
        }
        self.layout = layout
        segmentPayload = header.segmentPayload
        count = (layout.payloadBytes + segmentPayload - 1) / segmentPayload
    }

    /// Bytes of the longest segment's frame.
    var largestSegmentBytes: Int { layout.headerBytes + min(segmentPayload, layout.payloadBytes) }

    /// Writes segment `index` and returns its length; `output` has room for `largestSegmentBytes`.
    @inline(__always)
    func write(_ index: Int, of frame: UnsafeRawBufferPointer, to output: UnsafeMutableRawBufferPointer) -> Int {
        let offset = index * segmentPayload
        let payload = min(segmentPayload, layout.payloadBytes - offset)
        let header = layout.headerBytes
        let length = header + payload
        output.copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[..<header]))
        UnsafeMutableRawBufferPointer(rebasing: output[header..<length])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[header + offset..<header + offset + payload]))
        output.storeBigEndian(UInt16(truncatingIfNeeded: length - IPv4Layout.ethernetBytes), at: 16)
        output.storeBigEndian(frame.bigEndianUInt16(at: 18) &+ UInt16(truncatingIfNeeded: index), at: 18)
        Checksum.setIPv4(output, headerBytes: layout.ipHeaderBytes)
        let transport = layout.transportOffset
        if layout.transport == IPv4Layout.tcp {
            let sequence = frame.bigEndianUInt32(at: transport + 4) &+ UInt32(truncatingIfNeeded: offset)
            output.storeBigEndian(sequence, at: transport + 4)
            // FIN and PSH belong to the last segment, CWR to the first (RFC 3168 section 6.1.2).
            var flags = frame[transport + 13]
            if index < count - 1 { flags &= ~0x09 }
            if index > 0 { flags &= ~0x80 }
            output[transport + 13] = flags
        } else {
            output.storeBigEndian(UInt16(truncatingIfNeeded: 8 + payload), at: transport + 4)
        }
        return length
    }
}
