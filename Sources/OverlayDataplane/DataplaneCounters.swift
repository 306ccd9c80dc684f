public import OverlayProtocol

/// What the data path has done since it started.
public struct DataplaneCounters: Hashable, Sendable {
    /// Frames, bytes, handshakes and every drop with its reason.
    public var overlay = OverlayCounters()
    public var tapReads: UInt64 = 0
    /// TAP reads that brought more than one packet.
    public var superFrames: UInt64 = 0
    public var tapWrites: UInt64 = 0
    public var tapWriteFailures: UInt64 = 0
    /// Received segments that went into the TAP together with others.
    public var joinedSegments: UInt64 = 0
    public var datagramsSent: UInt64 = 0
    public var sendCalls: UInt64 = 0
    /// Datagrams that the kernel refused.
    public var sendFailures: UInt64 = 0
    public var datagramsReceived: UInt64 = 0
    public var receiveCalls: UInt64 = 0
    /// TAPs that ended (the interface was removed under the descriptor) and were let go.
    public var tapsLost: UInt64 = 0

    public init() {}
}
