/// `struct virtio_net_hdr` as a TAP writes it: host byte order, ten bytes.
struct VirtioHeader: Hashable {
    enum Segmentation: UInt8 {
        case none = 0
        case tcp4 = 1
        case udp = 5
    }

    struct PendingChecksum: Hashable {
        /// Where the sum starts.
        var start: Int
        /// Where it is stored, counted from there.
        var offset: Int
    }

    static let byteCount = 10
    private static let needsChecksum: UInt8 = 1
    /// Set beside the type when a segment carries CWR.
    private static let ecnBit: UInt8 = 0x80

    var segmentation = Segmentation.none
    /// Nil when the frame's checksums are complete.
    var pendingChecksum: PendingChecksum?
    var headerLength = 0
    var segmentPayload = 0

    init() {}

    /// Nil for a kind of segmentation that this side never asks for.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= VirtioHeader.byteCount,
            let segmentation = Segmentation(rawValue: bytes[1] & ~VirtioHeader.ecnBit)
        else { return nil }
        func field(_ offset: Int) -> Int { Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
        self.segmentation = segmentation
        headerLength = field(2)
        segmentPayload = field(4)
        if bytes[0] & VirtioHeader.needsChecksum != 0 {
            pendingChecksum = PendingChecksum(start: field(6), offset: field(8))
        }
    }

    func write(to bytes: UnsafeMutableRawPointer) {
        func store(_ value: Int, _ offset: Int) {
            bytes.storeBytes(of: UInt16(truncatingIfNeeded: value), toByteOffset: offset, as: UInt16.self)
        }
        bytes.storeBytes(of: pendingChecksum == nil ? 0 : VirtioHeader.needsChecksum, as: UInt8.self)
        bytes.storeBytes(of: segmentation.rawValue, toByteOffset: 1, as: UInt8.self)
        store(headerLength, 2)
        store(segmentPayload, 4)
        store(pendingChecksum?.start ?? 0, 6)
        store(pendingChecksum?.offset ?? 0, 8)
    }
}
