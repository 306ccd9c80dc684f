import CLinux
import OverlayProtocol

/// Joins received TCP segments of one flow into one TAP write, without copying their payloads.
///
/// What the kernel's own GRO would do, with its conditions: same addresses, ports, acknowledgement, window and options,
/// sequence numbers that follow, all but the last of one size. The memory of added frames must stay until `flush`.
struct Coalescer: ~Copyable {
    /// A flow that waits for more: the first segment's headers are in `scratch`, behind the virtio header.
    private struct Open {
        var tap: Int32
        var layout: IPv4Layout
        var segmentPayload: Int
        var nextSequence: UInt32
        var payloadBytes: Int
        var segments: Int
    }

    private let scratch: UnsafeMutableRawBufferPointer
    private let slices: UnsafeMutablePointer<overlay_slice>
    private var open: Open?
    private(set) var writes: UInt64 = 0
    private(set) var failedWrites: UInt64 = 0
    private(set) var joinedSegments: UInt64 = 0

    init() {
        scratch = .allocate(
            byteCount: VirtioHeader.byteCount + DataplaneLimits.largestHeaderBytes, alignment: 16)
        slices = .allocate(capacity: DataplaneLimits.coalescedSlices)
    }

    deinit {
        scratch.deallocate()
        slices.deallocate()
    }

    private var headers: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: scratch[VirtioHeader.byteCount...])
    }

    /// Takes a frame for `tap`; false when its headers contradict its pending checksum.
    mutating func add(_ frame: UnsafeMutableRawBufferPointer, checksum: InnerChecksum, tap: Int32) -> Bool {
        guard checksum == .pending else {
            flush()
            writeAlone(frame, VirtioHeader(), tap: tap)
            return true
        }
        let raw = UnsafeRawBufferPointer(frame)
        guard let layout = IPv4Layout(raw) else { return false }
        if isJoinable(raw, layout) {
            if !join(raw, layout, tap: tap) {
                flush()
                begin(raw, layout, tap: tap)
            }
            let isPushed = raw[layout.transportOffset + 13] & TCPFlags.push != 0
            if isPushed || layout.payloadBytes < (open?.segmentPayload ?? 0) { flush() }
            return true
        }
        flush()
        Checksum.setPseudoHeader(
            frame, layout, transportBytes: layout.transportHeaderBytes + layout.payloadBytes)
        var header = VirtioHeader()
        header.pendingChecksum = VirtioHeader.PendingChecksum(
            start: layout.transportOffset, offset: layout.checksumOffset)
        writeAlone(frame, header, tap: tap)
        return true
    }

    private enum TCPFlags {
        static let acknowledge: UInt8 = 0x10
        static let push: UInt8 = 0x08
    }

    @inline(__always)
    private func isJoinable(_ frame: UnsafeRawBufferPointer, _ layout: IPv4Layout) -> Bool {
        layout.transport == IPv4Layout.tcp && layout.ipHeaderBytes == 20 && layout.payloadBytes > 0
            && frame[layout.transportOffset + 13] & ~TCPFlags.push == TCPFlags.acknowledge
    }

    private mutating func begin(_ frame: UnsafeRawBufferPointer, _ layout: IPv4Layout, tap: Int32) {
        headers.copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[..<layout.headerBytes]))
        open = Open(
            tap: tap, layout: layout, segmentPayload: layout.payloadBytes,
            nextSequence: frame.bigEndianUInt32(at: layout.transportOffset + 4)
                &+ UInt32(truncatingIfNeeded: layout.payloadBytes),
            payloadBytes: layout.payloadBytes, segments: 1)
        addSlice(frame, layout, at: 1)
    }

    private mutating func join(_ frame: UnsafeRawBufferPointer, _ layout: IPv4Layout, tap: Int32) -> Bool {
        guard var flow = open, flow.tap == tap, flow.segments < DataplaneLimits.coalescedSegments,
            layout.headerBytes == flow.layout.headerBytes, layout.payloadBytes <= flow.segmentPayload,
            layout.headerBytes + flow.payloadBytes + layout.payloadBytes - IPv4Layout.ethernetBytes
                <= DataplaneLimits.largestPacketBytes,
            frame.bigEndianUInt32(at: 38) == flow.nextSequence, hasSameHeaders(frame, layout)
        else { return false }
        flow.segments += 1
        flow.payloadBytes += layout.payloadBytes
        flow.nextSequence &+= UInt32(truncatingIfNeeded: layout.payloadBytes)
        open = flow
        addSlice(frame, layout, at: flow.segments)
        headers[47] |= frame[47] & TCPFlags.push
        return true
    }

    /// All header fields but the IP length, identification and checksum, and TCP's sequence, PSH and checksum.
    @inline(__always)
    private func hasSameHeaders(_ frame: UnsafeRawBufferPointer, _ layout: IPv4Layout) -> Bool {
        let first = UnsafeRawBufferPointer(headers)
        guard frame.bigEndianUInt64(at: 0) == first.bigEndianUInt64(at: 0),
            frame.bigEndianUInt64(at: 8) == first.bigEndianUInt64(at: 8),
            frame.bigEndianUInt32(at: 20) == first.bigEndianUInt32(at: 20),
            frame.bigEndianUInt64(at: 26) == first.bigEndianUInt64(at: 26),
            frame.bigEndianUInt32(at: 34) == first.bigEndianUInt32(at: 34),
            frame.bigEndianUInt32(at: 42) == first.bigEndianUInt32(at: 42),
            frame[46] == first[46], frame.bigEndianUInt16(at: 48) == first.bigEndianUInt16(at: 48)
        else { return false }
        for offset in stride(from: 54, to: layout.headerBytes, by: 4)
        where frame.bigEndianUInt32(at: offset) != first.bigEndianUInt32(at: offset) { return false }
        return true
    }

    private func addSlice(_ frame: UnsafeRawBufferPointer, _ layout: IPv4Layout, at index: Int) {
        let payload = UnsafeRawBufferPointer(
            rebasing: frame[layout.headerBytes..<layout.headerBytes + layout.payloadBytes])
        slices[index] = overlay_slice(base: payload.baseAddress, length: payload.count)
    }

    /// Writes what waits.
    mutating func flush() {
        guard let flow = open, let base = scratch.baseAddress else { return }
        open = nil
        let layout = flow.layout
        var header = VirtioHeader()
        header.pendingChecksum = VirtioHeader.PendingChecksum(
            start: layout.transportOffset, offset: layout.checksumOffset)
        if flow.segments > 1 {
            header.segmentation = .tcp4
            header.segmentPayload = flow.segmentPayload
            header.headerLength = layout.headerBytes
            joinedSegments += UInt64(flow.segments)
        }
        header.write(to: base)
        let packetBytes = layout.headerBytes - IPv4Layout.ethernetBytes + flow.payloadBytes
        headers.storeBigEndian(UInt16(truncatingIfNeeded: packetBytes), at: 16)
        Checksum.setIPv4(headers, headerBytes: layout.ipHeaderBytes)
        Checksum.setPseudoHeader(headers, layout, transportBytes: packetBytes - layout.ipHeaderBytes)
        slices[0] = overlay_slice(base: base, length: VirtioHeader.byteCount + layout.headerBytes)
        write(flow.segments + 1, tap: flow.tap)
    }

    /// Writes one frame now, before anything that comes later.
    mutating func writeAlone(_ frame: UnsafeMutableRawBufferPointer, _ header: VirtioHeader, tap: Int32) {
        guard let base = scratch.baseAddress else { return }
        header.write(to: base)
        slices[0] = overlay_slice(base: base, length: VirtioHeader.byteCount)
        slices[1] = overlay_slice(base: frame.baseAddress, length: frame.count)
        write(2, tap: tap)
    }

    private mutating func write(_ count: Int, tap: Int32) {
        writes += 1
        if overlay_tap_write(tap, slices, Int32(count)) < 0 { failedWrites += 1 }
    }
}
