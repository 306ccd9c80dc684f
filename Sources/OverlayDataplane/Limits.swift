/// Every bound of the data path.
enum DataplaneLimits {
    /// Room for one TAP read: the virtio header, Ethernet and the largest IPv4 packet.
    static let tapReadBytes = 10 + 14 + 65_535
    /// Super-frames taken from one TAP before the other descriptors have their turn.
    static let tapReadsPerTurn = 16
    static let receiveSlots = 16
    /// The largest UDP payload, GRO included.
    static let receiveSlotBytes = 65_536
    /// Receive calls in a row before the TAPs have their turn.
    static let receivesPerTurn = 4
    /// Sealed datagrams that wait for one sendmmsg.
    static let sendArenaBytes = 1 << 20
    static let sendItems = 64
    /// UDP_MAX_SEGMENTS of Linux before 6.9.
    static let segmentsPerItem = 64
    /// A UDP_SEGMENT send must fit one UDP datagram's length field, over IPv6 too.
    static let bytesPerItem = 65_000
    static let socketBufferBytes = 8 << 20
    /// The kernel's send buffer is full: the longest wait before a datagram is dropped.
    static let sendWaitMilliseconds: Int32 = 20
    static let coalescedSegments = 64
    static let coalescedSlices = 1 + coalescedSegments
    /// IPv4's total length.
    static let largestPacketBytes = 65_535
    static let largestHeaderBytes = 14 + 60 + 60
    static let pollEvents = 64
    static let addressSlotBytes = 32
}
