import Glibc
import Primitives
import Testing

@testable import OverlayDataplane
@testable import OverlayProtocol

/// A frame with correct lengths and no meaningful TCP checksum, as the kernel leaves it to the hardware.
private struct TCPFrame {
    var sequence: UInt32 = 1_000
    var acknowledgement: UInt32 = 77
    var flags: UInt8 = 0x10
    var window: UInt16 = 512
    var identification: UInt16 = 9
    var sourcePort: UInt16 = 40_000
    var options: [UInt8] = []
    var payload: [UInt8]

    var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.write(bytes: [2, 0x42, 10, 77, 0, 3, 2, 0x42, 10, 77, 0, 2, 8, 0])
        writer.write(bytes: [0x45, 0])
        writer.write(UInt16(40 + options.count + payload.count))
        writer.write(identification)
        writer.write(bytes: [0x40, 0, 64, 6, 0, 0, 10, 77, 0, 2, 10, 77, 0, 3])
        writer.write(sourcePort)
        writer.write(UInt16(5201))
        writer.write(sequence)
        writer.write(acknowledgement)
        writer.write(bytes: [UInt8(20 + options.count) << 2, flags])
        writer.write(window)
        writer.write(bytes: [0, 0, 0, 0])
        writer.write(bytes: options)
        writer.write(bytes: payload)
        var result = writer.bytes
        result.withUnsafeMutableBytes { Checksum.setIPv4($0, headerBytes: 20) }
        return result
    }
}

private func superHeader(_ kind: VirtioHeader.Segmentation, _ size: Int) -> VirtioHeader {
    var header = VirtioHeader()
    header.segmentation = kind
    header.segmentPayload = size
    header.pendingChecksum = .init(start: 34, offset: kind == .tcp4 ? 16 : 6)
    return header
}

private func segments(of frame: [UInt8], _ header: VirtioHeader) throws -> [[UInt8]] {
    try frame.withUnsafeBytes { raw in
        let plan = try #require(SuperFrame(header, raw))
        return (0..<plan.count).map { index in
            var output = [UInt8](repeating: 0, count: plan.largestSegmentBytes)
            let length = output.withUnsafeMutableBytes { plan.write(index, of: raw, to: $0) }
            return Array(output[..<length])
        }
    }
}

/// A packet socket pair stands for the TAP: one write, one message.
private final class FakeTAP {
    let writer: Int32
    private let reader: Int32

    init() throws {
        var pair: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &pair) == 0)
        (writer, reader) = (pair[0], pair[1])
        var size: Int32 = 1 << 20
        setsockopt(writer, SOL_SOCKET, SO_SNDBUF, &size, 4)
    }

    deinit {
        close(writer)
        close(reader)
    }

    func read() -> (header: VirtioHeader, frame: [UInt8])? {
        var buffer = [UInt8](repeating: 0, count: 70_000)
        let count = recv(reader, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard count > 0, let header = buffer.withUnsafeBytes({ VirtioHeader($0) }) else { return nil }
        return (header, Array(buffer[VirtioHeader.byteCount..<count]))
    }

    func readAll() -> [(header: VirtioHeader, frame: [UInt8])] {
        var result: [(header: VirtioHeader, frame: [UInt8])] = []
        while let next = read() { result.append(next) }
        return result
    }
}

private func coalesced(_ frames: [[UInt8]], checksum: InnerChecksum = .pending) throws -> [(VirtioHeader, [UInt8])] {
    let tap = try FakeTAP()
    var coalescer = Coalescer()
    var memory = frames.map { source in
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 1)
        copy.copyBytes(from: source)
        return copy
    }
    for frame in memory {
        let isTaken = coalescer.add(frame, checksum: checksum, tap: tap.writer)
        #expect(isTaken)
    }
    coalescer.flush()
    memory.forEach { $0.deallocate() }
    memory = []
    return tap.readAll().map { ($0.header, $0.frame) }
}

private func payload(_ count: Int, _ seed: UInt64 = 1) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
}

@Suite struct SegmentationTests {
    @Test func aSuperFrameBecomesSegmentsThatFollowEachOther() throws {
        let frame = TCPFrame(flags: 0x99, payload: payload(3_500)).bytes
        let result = try segments(of: frame, superHeader(.tcp4, 1_400))
        #expect(result.map(\.count) == [1_454, 1_454, 754])
        for (index, segment) in result.enumerated() {
            let expected = TCPFrame(
                sequence: 1_000 + UInt32(index * 1_400), flags: [0x90, 0x10, 0x19][index],
                identification: 9 + UInt16(index),
                payload: Array(payload(3_500)[index * 1_400..<min(3_500, (index + 1) * 1_400)]))
            #expect(segment == expected.bytes, "segment \(index)")
        }
    }

    @Test func everyIPHeaderChecksumIsRight() throws {
        for segment in try segments(of: TCPFrame(payload: payload(60_000)).bytes, superHeader(.tcp4, 1_378)) {
            let sum = segment[14..<34].withUnsafeBytes { Checksum.folded(Checksum.sum($0)) }
            #expect(sum == 0xffff)
        }
    }

    @Test func aUDPSuperFrameIsCutToo() throws {
        let content = payload(2_500)
        var frame = TCPFrame(payload: []).bytes[..<34] + [0x9c, 0x40, 0x14, 0x51, 0, 0, 0, 0] + content
        frame[23] = 17
        let result = try segments(of: Array(frame), superHeader(.udp, 1_000))
        #expect(result.map(\.count) == [1_042, 1_042, 542])
        #expect(result.map { UInt16($0[38]) << 8 | UInt16($0[39]) } == [1_008, 1_008, 508])
        #expect(result.flatMap { $0[42...] } == content)
    }

    @Test func nonsenseIsRefused() {
        let good = TCPFrame(payload: payload(3_000)).bytes
        func plan(_ bytes: [UInt8], _ header: VirtioHeader) -> SuperFrame? {
            bytes.withUnsafeBytes { SuperFrame(header, $0) }
        }
        #expect(plan(good, superHeader(.tcp4, 0)) == nil)
        #expect(plan(good, superHeader(.udp, 1_000)) == nil)
        #expect(plan(Array(good[..<50]), superHeader(.tcp4, 1_000)) == nil)
        var fragment = good
        fragment[20] = 0x20
        #expect(plan(fragment, superHeader(.tcp4, 1_000)) == nil)
        for length in 0..<60 { _ = plan(Array(good[..<length]), superHeader(.tcp4, 100)) }
    }

    @Test func theChecksumThatHardwareWouldMakeIsRight() throws {
        var frame = TCPFrame(payload: payload(333)).bytes
        let layout = try #require(frame.withUnsafeBytes { IPv4Layout($0) })
        frame.withUnsafeMutableBytes { memory in
            Checksum.setPseudoHeader(memory, layout, transportBytes: 20 + 333)
            #expect(Checksum.complete(memory, start: 34, offset: 16))
            #expect(!Checksum.complete(memory, start: 380, offset: 16))
        }
        let pseudo: [UInt8] = [10, 77, 0, 2, 10, 77, 0, 3, 0, 6, UInt8((20 + 333) >> 8), UInt8((20 + 333) & 0xff)]
        let sum = (pseudo + frame[34...]).withUnsafeBytes { Checksum.folded(Checksum.sum($0)) }
        #expect(sum == 0xffff)
    }
}

@Suite struct CoalescingTests {
    /// What segmentation cut, coalescing makes whole again: same bytes but for the checksum fields.
    @Test(arguments: [1_400, 536, 8_900], [1, 1_400, 1_401, 30_000, 60_000])
    func segmentsBecomeTheSuperFrameAgain(size: Int, total: Int) throws {
        let original = TCPFrame(flags: 0x18, options: [1, 1, 8, 10] + payload(8), payload: payload(total)).bytes
        let cut = try segments(of: original, superHeader(.tcp4, size))
        let written = try coalesced(cut)
        let limit = DataplaneLimits.coalescedSegments
        #expect(written.count == (cut.count + limit - 1) / limit)
        guard cut.count <= limit, let (header, frame) = written.first else { return }
        #expect(Array(frame[..<50]) == Array(original[..<50]))
        #expect(Array(frame[52...]) == Array(original[52...]))
        #expect(header.segmentation == (cut.count > 1 ? .tcp4 : .none))
        #expect(header.segmentPayload == (cut.count > 1 ? size : 0))
        #expect(header.pendingChecksum == .init(start: 34, offset: 16))
    }

    @Test func whatDiffersStaysApartAndInOrder() throws {
        let first = TCPFrame(sequence: 0, payload: payload(100))
        var next = TCPFrame(sequence: 100, payload: payload(100))
        #expect(try coalesced([first.bytes, next.bytes]).count == 1)
        let changes: [(String, (inout TCPFrame) -> Void)] = [
            ("gap", { $0.sequence = 101 }), ("acknowledgement", { $0.acknowledgement = 78 }),
            ("window", { $0.window = 513 }), ("port", { $0.sourcePort = 40_001 }), ("flags", { $0.flags = 0x11 }),
            ("options", { $0.options = [1, 1, 1, 1] }), ("longer", { $0.payload = payload(101) }),
        ]
        for (what, change) in changes {
            var other = next
            change(&other)
            let written = try coalesced([first.bytes, other.bytes])
            #expect(written.count == 2, "\(what)")
            #expect(written.allSatisfy { $0.0.segmentation == .none }, "\(what)")
        }
        next.flags = 0x18
        let third = TCPFrame(sequence: 200, payload: payload(100))
        #expect(try coalesced([first.bytes, next.bytes, third.bytes]).map(\.1.count) == [254, 154])
        let short = TCPFrame(sequence: 100, payload: payload(50))
        let after = TCPFrame(sequence: 150, payload: payload(50))
        #expect(try coalesced([first.bytes, short.bytes, after.bytes]).map(\.1.count) == [204, 104])
    }

    @Test func completeFramesPassUntouchedAndUnmarked() throws {
        let frames = [TCPFrame(payload: payload(10)).bytes, TCPFrame(sequence: 1_010, payload: payload(10)).bytes]
        let written = try coalesced(frames, checksum: .complete)
        #expect(written.map(\.1) == frames)
        #expect(written.allSatisfy { $0.0 == VirtioHeader() })
    }

    @Test func aPendingChecksumOnAnythingElseIsRefused() throws {
        let tap = try FakeTAP()
        var coalescer = Coalescer()
        var icmp = TCPFrame(payload: payload(10)).bytes
        icmp[23] = 1
        var cut = Array(TCPFrame(payload: payload(10)).bytes[..<40])
        let results = [
            icmp.withUnsafeMutableBytes { coalescer.add($0, checksum: .pending, tap: tap.writer) },
            cut.withUnsafeMutableBytes { coalescer.add($0, checksum: .pending, tap: tap.writer) },
        ]
        #expect(results == [false, false])
        #expect(tap.read() == nil)
    }
}
