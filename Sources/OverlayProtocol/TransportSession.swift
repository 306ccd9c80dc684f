import Primitives

/// One direction-pair of keys between this node and a peer, from a handshake to its 180th second.
struct TransportSession: Sendable {
    enum Role: Hashable, Sendable { case initiator, responder }

    /// What the peer writes into its headers.
    let localKeyID: UInt32
    /// What this node writes into its headers.
    let remoteKeyID: UInt32
    let role: Role
    let suite: CipherSuite
    let createdAt: Instant
    let expiresAt: Instant
    private let sendKey: CipherKey
    private let receiveKey: CipherKey
    private(set) var sendCounter: UInt64 = 0
    private var window = ReplayWindow()

    /// Nil when this processor cannot do `suite`.
    init?(
        keys: NoiseIK.TransportKeys, role: Role, suite: CipherSuite, localKeyID: UInt32, remoteKeyID: UInt32,
        now: Instant
    ) {
        let (send, receive) =
            role == .initiator
            ? (keys.initiatorToResponder, keys.responderToInitiator)
            : (keys.responderToInitiator, keys.initiatorToResponder)
        guard let sendKey = CipherKey(suite, key: send), let receiveKey = CipherKey(suite, key: receive) else {
            return nil
        }
        self.sendKey = sendKey
        self.receiveKey = receiveKey
        self.role = role
        self.suite = suite
        self.localKeyID = localKeyID
        self.remoteKeyID = remoteKeyID
        createdAt = now
        expiresAt = now + OverlayLimits.rejectAfterTime
    }

    func canSend(at now: Instant) -> Bool {
        now < expiresAt && sendCounter < OverlayLimits.rejectAfterMessages
    }

    /// Whether a successor is due, given that data is being sent.
    func wantsSuccessor(at now: Instant) -> Bool {
        let age = role == .initiator ? OverlayLimits.rekeyAfterTime : OverlayLimits.responderRekeyAfterTime
        return sendCounter >= OverlayLimits.rekeyAfterMessages || now >= createdAt + age
    }

    /// Seals `datagram`, whose last 16 bytes are room for the tag; false when this key must not be used any more.
    ///
    /// The counter moves before the key is used, so that no failure can bring it back.
    mutating func seal(_ datagram: UnsafeMutableRawBufferPointer, kind: DatagramHeader.Kind, now: Instant) -> Bool {
        guard canSend(at: now), let base = datagram.baseAddress else { return false }
        let counter = sendCounter
        sendCounter += 1
        DatagramHeader(kind: kind, keyID: remoteKeyID, counter: counter).write(to: datagram)
        let tagOffset = datagram.count - OverlayLimits.tagBytes
        let text = UnsafeMutableRawBufferPointer(rebasing: datagram[OverlayLimits.headerBytes..<tagOffset])
        let header = UnsafeRawBufferPointer(start: base, count: OverlayLimits.headerBytes)
        return sendKey.seal(text, tag: base + tagOffset, counter: counter, authenticating: header)
    }

    /// Opens `datagram` where it lies; nil when it is authentic and was never seen, else why not.
    mutating func open(_ datagram: UnsafeMutableRawBufferPointer, counter: UInt64, now: Instant) -> DropReason? {
        guard now < expiresAt else { return .keyExpired }
        guard counter < OverlayLimits.rejectAfterMessages else { return .notAuthentic }
        switch window.check(counter) {
        case .fresh: break
        case .replayed, .tooOld: return .replayed
        }
        let tagOffset = datagram.count - OverlayLimits.tagBytes
        guard tagOffset >= OverlayLimits.headerBytes, let base = datagram.baseAddress else { return .malformed }
        let text = UnsafeMutableRawBufferPointer(rebasing: datagram[OverlayLimits.headerBytes..<tagOffset])
        let header = UnsafeRawBufferPointer(start: base, count: OverlayLimits.headerBytes)
        let tag = UnsafeRawPointer(base + tagOffset)
        guard receiveKey.open(text, tag: tag, counter: counter, authenticating: header) else { return .notAuthentic }
        window.accept(counter)
        return nil
    }
}

/// The sessions of one peer. Reception overlaps: what was sealed before a rekey still arrives.
struct SessionSet: Sendable {
    enum Slot: Hashable { case previous, current, next }

    /// Only received with.
    private(set) var previous: TransportSession?
    /// Sent with and received with.
    private(set) var current: TransportSession?
    /// Made as responder; becomes current when the initiator's first packet proves that it has the keys.
    private(set) var next: TransportSession?

    var keyIDs: [UInt32] { [previous, current, next].compactMap { $0?.localKeyID } }

    func slot(of keyID: UInt32) -> Slot? {
        if current?.localKeyID == keyID { return .current }
        if next?.localKeyID == keyID { return .next }
        return previous?.localKeyID == keyID ? .previous : nil
    }

    /// A session that this node initiated: the peer has its keys already.
    mutating func install(initiated session: TransportSession) {
        previous = next ?? current
        next = nil
        current = session
    }

    mutating func install(answered session: TransportSession) {
        next = session
    }

    mutating func promoteNext() {
        guard let session = next else { return }
        previous = current
        current = session
        next = nil
    }

    mutating func open(
        _ slot: Slot, _ datagram: UnsafeMutableRawBufferPointer, counter: UInt64, now: Instant
    ) -> DropReason? {
        switch slot {
        case .previous: if previous != nil { return previous?.open(datagram, counter: counter, now: now) }
        case .current: if current != nil { return current?.open(datagram, counter: counter, now: now) }
        case .next: if next != nil { return next?.open(datagram, counter: counter, now: now) }
        }
        return .unknownKey
    }

    mutating func seal(_ datagram: UnsafeMutableRawBufferPointer, kind: DatagramHeader.Kind, now: Instant) -> Bool {
        current?.seal(datagram, kind: kind, now: now) ?? false
    }

    /// Wipes what nothing can be sent or received with any more.
    mutating func eraseExpired(at now: Instant) {
        if let session = previous, now >= session.expiresAt { previous = nil }
        if let session = current, now >= session.expiresAt { current = nil }
        if let session = next, now >= session.expiresAt { next = nil }
    }
}
