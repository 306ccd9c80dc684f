/// Every bound, size and time of the overlay protocol.
public enum OverlayLimits {
    // MARK: Sizes on the wire

    public static let headerBytes = 16
    public static let vxlanHeaderBytes = 8
    public static let tagBytes = 16
    /// What stands in front of the Ethernet frame in a datagram.
    public static let frontBytes = headerBytes + vxlanHeaderBytes
    /// What a datagram adds to the Ethernet frame: 40 bytes; with Ethernet, IPv4 and UDP 82 (IPv6: 102).
    public static let overheadBytes = frontBytes + tagBytes
    /// The largest Ethernet frame that fits one UDP datagram over IPv4.
    public static let largestFrameBytes = 65_507 - overheadBytes
    static let keyBytes = 32
    static let ethernetHeaderBytes = 14
    static let arpPacketBytes = 28
    static let initiationPayloadBytes = 2
    static let responsePayloadBytes = 6
    /// Of the code that ends an initiation: a keyed BLAKE2b of 128 bits.
    static let codeBytes = 16
    /// Ethernet header to the end of an IPv4 header without options.
    static let ipv4FrameBytes = ethernetHeaderBytes + 20
    /// Where an IPv4 frame has its source address (RFC 791 section 3.1).
    static let ipv4SourceOffset = ethernetHeaderBytes + 12
    static let greatestVNI: UInt32 = 0xff_ffff

    // MARK: Keys (times of the WireGuard paper, section 6.1)

    /// The initiator of a session starts its successor at this age.
    static let rekeyAfterTime: Duration = .seconds(120)
    /// The responder does so only when the initiator has let it pass.
    static let responderRekeyAfterTime: Duration = .seconds(135)
    /// A session is neither sent nor received with after this age; its keys are wiped then.
    static let rejectAfterTime: Duration = .seconds(180)
    /// Nothing secret of a peer is left this long after its last handshake, sessions and half-open handshakes alike.
    static let eraseAfterTime: Duration = .seconds(3 * 180)
    /// A successor is started once a key has sealed this many packets.
    static let rekeyAfterMessages: UInt64 = 1 << 32
    /// A key seals nothing beyond this: below AES-GCM's 2^32.5 (draft-irtf-cfrg-aead-limits), far below the wrap.
    static let rejectAfterMessages: UInt64 = 5 << 30
    /// Packets behind the newest that are still told apart from replays (RFC 6479 with 127 words of 64).
    static let replayWindowPackets: UInt64 = 8_128

    // MARK: Handshakes

    /// Wait before the second attempt; doubled for each further one.
    static let firstRetryTime: Duration = .milliseconds(250)
    static let greatestRetryTime: Duration = .seconds(5)
    /// Attempts end after this when nothing new waits to be sent.
    static let attemptTime: Duration = .seconds(90)
    /// A new peer is called within this time, at random, so that a cluster that starts does not call at once.
    static let firstCallSpreadMilliseconds: UInt64 = 200
    /// Initiations with a valid code that are opened, of each peer that they name. A peer repeats one at most four
    /// times in the first two seconds; more come only from a member that forges, and cost no other peer anything.
    static let handshakesPerSecond: UInt64 = 5
    static let handshakeBurst: UInt64 = 20
    /// Least time between two answered initiations of one peer.
    static let handshakeSpacing: Duration = .milliseconds(20)
    /// Handshakes that one call of `onTick` starts; the others follow at the next.
    static let initiationsPerTick = 50

    // MARK: Liveness

    /// After data came in and nothing went out for this long, an empty datagram says that we are there.
    static let keepaliveTime: Duration = .seconds(10)
    /// Data went out and nothing came back for this long: the peer has lost its keys, so a handshake is due.
    static let silenceTime: Duration = .seconds(15)
    /// How often `onTick` is to be called at least.
    public static let tickTime: Duration = .milliseconds(250)

    // MARK: Frames that wait for a session

    static let queuedFramesPerPeer = 128
    static let queuedBytesPerPeer = 256 * 1024
    static let queuedFrameTime: Duration = .seconds(3)
}
