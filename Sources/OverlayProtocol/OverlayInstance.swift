public import ClusterModel
public import Primitives

/// What the overlay asks its shell to do.
public enum OverlayDirective: Hashable, Sendable {
    case sendDatagram([UInt8], to: UnderlayEndpoint)
    case writeFrame([UInt8], vni: UInt32, checksum: InnerChecksum)
}

/// What a datagram was.
public enum OpenedDatagram: Hashable, Sendable {
    /// The frame lies in the datagram's own memory, at these bytes, in clear.
    case frame(Range<Int>, vni: UInt32, checksum: InnerChecksum)
    /// For `onHandshake`.
    case handshake
    /// A keepalive, or dropped and counted.
    case nothing
}

/// The encrypted overlay of one node: handshakes, sessions and forwarding, without any I/O.
///
/// There are two ways in. The `on…` methods take an event and return directives; they copy, and serve tests and rare
/// events. For every packet there are `decide`, `seal` and `open`, which work in the caller's memory; what these cause
/// beside their result (queued frames released, a handshake wanted) is fetched by `takeDirectives` and, where
/// `needsTick` says so, `onTick` after a batch.
///
/// It fails closed: without a session that both nodes have agreed on, a frame waits within limits and is then dropped.
public struct OverlayInstance: Sendable {
    /// Who this node is.
    public struct Identity: Sendable {
        public var cluster: ClusterID
        public var node: NodeID
        public var keys: KeyPair
        /// Offers AES-256-GCM where the processor has its instructions; off only to test the other cipher.
        public var allowsHardwareAES: Bool

        public init(cluster: ClusterID, node: NodeID, keys: KeyPair, allowsHardwareAES: Bool = true) {
            self.cluster = cluster
            self.node = node
            self.keys = keys
            self.allowsHardwareAES = allowsHardwareAES
        }
    }

    let identity: Identity
    /// Of the initiations that come in.
    let ownCode: HandshakeCode
    var peers: [PeerState] = []
    var indexByNode: [NodeID: Int] = [:]
    var indexByKeyID: [UInt32: Int] = [:]
    var plan = ForwardingPlan()
    /// Of this node's newest initiation: the next is later, whatever the wall clock does.
    var lastTimestamp = Int64.min
    var directives: [OverlayDirective] = []

    public internal(set) var counters = OverlayCounters()
    /// A handshake waits to be started: call `onTick` soon.
    public internal(set) var needsTick = false

    public init(identity: Identity) {
        self.identity = identity
        ownCode = HandshakeCode(cluster: identity.cluster, responder: identity.keys.publicKey)
    }

    // MARK: Tables

    /// Replaces the tables. Sessions of a peer live on unless its key has changed or it is gone.
    ///
    /// Peer indexes from before are void afterwards.
    public mutating func onTables(
        _ tables: OverlayTables, now: Instant, using random: inout some RandomNumberGenerator
    ) {
        var former: [NodeID: PeerState] = [:]
        for peer in peers { former[peer.node] = peer }
        peers.removeAll(keepingCapacity: true)
        indexByNode.removeAll(keepingCapacity: true)
        for peer in tables.peers.sorted(by: { $0.node < $1.node }) where peer.node != identity.node {
            guard indexByNode[peer.node] == nil else { continue }
            indexByNode[peer.node] = peers.count
            if var state = former.removeValue(forKey: peer.node), state.publicKey == peer.publicKey {
                state.endpoint = peer.endpoint
                peers.append(state)
            } else {
                var state = PeerState(peer)
                let wait = random.next(upperBound: OverlayLimits.firstCallSpreadMilliseconds)
                state.handshake = .due(now + .milliseconds(Int64(wait)))
                peers.append(state)
            }
        }
        rebuildKeyIDs()
        plan = ForwardingPlan(tables, localNode: identity.node, peerIndex: indexByNode)
        counters.endpointsRefused = plan.refusedEndpoints
    }

    /// Where the datagrams for a peer go.
    public func endpoint(ofPeer index: Int) -> UnderlayEndpoint { peers[index].endpoint }

    public var peerCount: Int { peers.count }

    /// What the shell has to do since the last call.
    public mutating func takeDirectives() -> [OverlayDirective] {
        defer { directives.removeAll(keepingCapacity: true) }
        return directives
    }

    func rebuiltKeyIDs() -> [UInt32: Int] {
        var result: [UInt32: Int] = [:]
        for index in peers.indices {
            for keyID in peers[index].keyIDs { result[keyID] = index }
        }
        return result
    }

    mutating func rebuildKeyIDs() { indexByKeyID = rebuiltKeyIDs() }

    /// What is known of each peer, in the order of node ids.
    public func peerStatuses() -> [OverlayPeerStatus] {
        peers.map { peer in
            OverlayPeerStatus(
                node: peer.node, endpoint: peer.endpoint, sessionSince: peer.sessions.current?.createdAt,
                suite: peer.sessions.current?.suite, lastReceivedAt: peer.lastReceivedAt,
                queuedFrames: peer.queue.entries.count)
        }
    }
}

/// The state of the encrypted link to one peer.
public struct OverlayPeerStatus: Hashable, Sendable {
    public var node: NodeID
    public var endpoint: UnderlayEndpoint
    /// When the session that is sent with was made; nil without one.
    public var sessionSince: Instant?
    public var suite: CipherSuite?
    public var lastReceivedAt: Instant?
    public var queuedFrames: Int
}
