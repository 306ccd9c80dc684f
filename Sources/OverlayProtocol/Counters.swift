/// Why a frame or datagram went no further; the raw values name metrics.
public enum DropReason: String, CaseIterable, Hashable, Sendable {
    // From the TAP.
    case malformed
    case unknownNetwork = "unknown_network"
    case foreignSource = "foreign_source"
    case unknownDestination = "unknown_destination"
    case localDestination = "local_destination"
    case gatewayDestination = "gateway_destination"
    case broadcast
    case unsupportedEthertype = "unsupported_ethertype"
    case unansweredARP = "unanswered_arp"
    case tooLarge = "too_large"
    case noSession = "no_session"
    case queueFull = "queue_full"
    // From the UDP socket.
    case clearVXLAN = "clear_vxlan"
    case unknownVersion = "unknown_version"
    case unknownKey = "unknown_key"
    case keyExpired = "key_expired"
    case notAuthentic = "not_authentic"
    case replayed
    case notOwnedByPeer = "not_owned_by_peer"
    case notForThisNode = "not_for_this_node"
    // Handshakes.
    /// No member's, or damaged on the way.
    case handshakeCodeInvalid = "handshake_code_invalid"
    case unknownPeer = "unknown_peer"
    case handshakeRefused = "handshake_refused"
    case handshakeReplayed = "handshake_replayed"
    case handshakeRateLimited = "handshake_rate_limited"
}

/// What the overlay has done since it started.
public struct OverlayCounters: Hashable, Sendable {
    public internal(set) var framesSealed: UInt64 = 0
    public internal(set) var framesOpened: UInt64 = 0
    public internal(set) var bytesSealed: UInt64 = 0
    public internal(set) var bytesOpened: UInt64 = 0
    public internal(set) var arpReplies: UInt64 = 0
    public internal(set) var keepalives: UInt64 = 0
    public internal(set) var initiationsSent: UInt64 = 0
    public internal(set) var sessionsInitiated: UInt64 = 0
    public internal(set) var sessionsAnswered: UInt64 = 0
    /// Endpoints that named the MAC or address of another, or an unknown node, and were left out.
    public internal(set) var endpointsRefused: UInt64 = 0
    private var drops: [DropReason: UInt64] = [:]

    public init() {}

    public subscript(reason: DropReason) -> UInt64 { drops[reason, default: 0] }

    /// All drops, in the order of `DropReason.allCases`.
    public var dropped: [(reason: DropReason, count: UInt64)] {
        DropReason.allCases.map { ($0, self[$0]) }
    }

    mutating func drop(_ reason: DropReason, _ count: UInt64 = 1) { drops[reason, default: 0] += count }
}
