import ClusterModel
import Primitives

/// What this node keeps about one peer.
struct PeerState: Sendable {
    let node: NodeID
    let publicKey: PublicKey
    var endpoint: UnderlayEndpoint
    var sessions = SessionSet()
    var handshake = HandshakeProgress.idle
    /// Of the newest initiation that this peer has sent; older ones are replays.
    var greatestTimestamp = Int64.min
    /// Of initiations that name this peer, proven or not.
    var answerLimit = TokenBucket(
        perSecond: OverlayLimits.handshakesPerSecond, burst: OverlayLimits.handshakeBurst)
    /// Of one that was proven to be this peer's.
    var lastInitiationAt: Instant?
    var lastReceivedAt: Instant?
    /// The first datagram sent after the last one that came in.
    var unansweredSince: Instant?
    /// Data came in then, and nothing has gone out since.
    var owesKeepaliveSince: Instant?
    var hasSentData = false
    var queue = FrameQueue()

    init(_ peer: OverlayPeer) {
        node = peer.node
        publicKey = peer.publicKey
        endpoint = peer.endpoint
    }

    /// Every key id by which the peer may address this node.
    var keyIDs: [UInt32] {
        if case .awaiting(let pending) = handshake { return sessions.keyIDs + [pending.keyID] }
        return sessions.keyIDs
    }
}

enum HandshakeProgress: Sendable {
    case idle
    /// A call is to be made then: the first attempt.
    case due(Instant)
    case awaiting(PendingInitiation)
}

/// A message that this node has sent and that was not answered yet.
struct PendingInitiation: Sendable {
    var noise: NoiseIK.AwaitingResponse
    var keyID: UInt32
    var offer: UInt8
    var attempt: Int
    var firstAttemptAt: Instant
    var retryAt: Instant
}

/// Frames that wait for a session, within named limits.
struct FrameQueue: Sendable {
    struct Entry: Sendable {
        var bytes: [UInt8]
        var vni: UInt32
        var checksum: InnerChecksum
        var queuedAt: Instant
    }

    private(set) var entries: [Entry] = []
    private var byteCount = 0

    /// False when the limit is reached; the frame is not kept then.
    mutating func append(_ entry: Entry) -> Bool {
        guard entries.count < OverlayLimits.queuedFramesPerPeer,
            byteCount + entry.bytes.count <= OverlayLimits.queuedBytesPerPeer
        else { return false }
        entries.append(entry)
        byteCount += entry.bytes.count
        return true
    }

    mutating func takeAll() -> [Entry] {
        defer { self = FrameQueue() }
        return entries
    }

    /// Drops what has waited too long and says how much that was.
    mutating func dropStale(at now: Instant) -> Int {
        let stale = entries.prefix { now >= $0.queuedAt + OverlayLimits.queuedFrameTime }.count
        guard stale > 0 else { return 0 }
        byteCount -= entries[..<stale].reduce(0) { $0 + $1.bytes.count }
        entries.removeFirst(stale)
        return stale
    }
}

/// At most so many a second, with a burst.
struct TokenBucket: Sendable {
    private let perSecond: UInt64
    private let burst: UInt64
    private var nanotokens: UInt64
    private var filledAt: Instant?

    init(perSecond: UInt64, burst: UInt64) {
        self.perSecond = perSecond
        self.burst = burst
        nanotokens = burst * 1_000_000_000
    }

    mutating func take(at now: Instant) -> Bool {
        let full = burst * 1_000_000_000
        if let filledAt, now > filledAt {
            let (gain, overflow) = (now.nanoseconds - filledAt.nanoseconds).multipliedReportingOverflow(by: perSecond)
            nanotokens = overflow ? full : min(full, nanotokens.addingReportingOverflow(gain).partialValue)
            if gain >= full { nanotokens = full }
        }
        filledAt = now
        guard nanotokens >= 1_000_000_000 else { return false }
        nanotokens -= 1_000_000_000
        return true
    }
}
