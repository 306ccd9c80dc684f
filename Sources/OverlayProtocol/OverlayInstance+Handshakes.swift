import ClusterModel
public import Primitives

extension OverlayInstance {
    /// A datagram that `open` called a handshake; it must be unchanged.
    public mutating func onHandshake(
        _ bytes: [UInt8], now: Instant, using random: inout some RandomNumberGenerator
    ) {
        guard let header = bytes.withUnsafeBytes({ try? DatagramHeader($0) }) else {
            counters.drop(.malformed)
            return
        }
        do {
            switch header.kind {
            case .initiation: try answer(header, bytes, now: now, using: &random)
            case .response: try finish(header, bytes, now: now)
            case .frame, .uncheckedFrame: counters.drop(.malformed)
            }
        } catch {
            counters.drop(error == .wrongLength ? .malformed : .handshakeRefused)
        }
    }

    // MARK: Initiator

    /// Sends a first or further initiation; an unanswered one before it is forgotten with its keys.
    mutating func initiate(
        peer: Int, now: Instant, wall: Timestamp, using random: inout some RandomNumberGenerator
    ) {
        let former = peers[peer].keyIDs
        var attempt = 1
        var firstAttemptAt = now
        if case .awaiting(let pending) = peers[peer].handshake {
            attempt = pending.attempt + 1
            firstAttemptAt = pending.firstAttemptAt
        }
        peers[peer].handshake = .idle
        forgetKeyIDs(former, notIn: peer)
        guard let ephemeral = KeyPair(using: &random) else { return }
        lastTimestamp = max(wall.nanoseconds, lastTimestamp == .max ? .max : lastTimestamp + 1)
        let keyID = freshKeyID(using: &random)
        let header = DatagramHeader(
            kind: .initiation, keyID: keyID, counter: UInt64(bitPattern: lastTimestamp)
        ).encoded
        let prologue = HandshakeMessage.prologue(
            cluster: identity.cluster, initiator: identity.node, responder: peers[peer].node, header: header)
        let payload = HandshakeMessage.Initiation(offer: offer)
        guard
            let (message, next) = try? NoiseIK.initiate(
                prologue: prologue, local: identity.keys, remote: peers[peer].publicKey, ephemeral: ephemeral,
                payload: payload.encoded)
        else {
            counters.drop(.handshakeRefused)
            return
        }
        let retryAt = now + OverlayInstance.retryDelay(attempt: attempt, using: &random)
        peers[peer].handshake = .awaiting(
            PendingInitiation(
                noise: next, keyID: keyID, offer: payload.offer, attempt: attempt, firstAttemptAt: firstAttemptAt,
                retryAt: retryAt))
        indexByKeyID[keyID] = peer
        counters.initiationsSent += 1
        let coded = header + HandshakeMessage.bytes(of: identity.node.value) + message
        let code = HandshakeCode(cluster: identity.cluster, responder: peers[peer].publicKey).code(of: coded)
        directives.append(.sendDatagram(coded + code, to: peers[peer].endpoint))
    }

    private mutating func finish(
        _ header: DatagramHeader, _ bytes: [UInt8], now: Instant
    ) throws(HandshakeError) {
        guard bytes.count == HandshakeMessage.responseBytes, header.counter == 0 else { throw .wrongLength }
        guard let peer = indexByKeyID[header.keyID], case .awaiting(let pending) = peers[peer].handshake,
            pending.keyID == header.keyID
        else {
            counters.drop(.unknownKey)
            return
        }
        let (payload, keys) = try pending.noise.finish(message: Array(bytes[OverlayLimits.headerBytes...]))
        let response = try HandshakeMessage.Response(payload)
        guard response.suite.offerBit & pending.offer != 0 else { throw .unknownPayload }
        guard
            let session = TransportSession(
                keys: keys, role: .initiator, suite: response.suite, localKeyID: pending.keyID,
                remoteKeyID: response.keyID, now: now)
        else { throw .cryptographyUnavailable }
        let former = peers[peer].keyIDs
        peers[peer].handshake = .idle
        peers[peer].sessions.install(initiated: session)
        forgetKeyIDs(former, notIn: peer)
        peers[peer].lastReceivedAt = now
        peers[peer].unansweredSince = nil
        peers[peer].hasSentData = false
        counters.sessionsInitiated += 1
        let sent = directives.count
        releaseQueue(peer: peer, now: now)
        // The responder sends nothing with the new keys before it has seen them used.
        if directives.count == sent { sendKeepalive(peer: peer, now: now) }
    }

    // MARK: Responder

    /// The peer that an initiation names, when it is worth the key agreements that opening it costs.
    ///
    /// What is checked here is cheap, and in this order: what no member has made or what is old takes nothing from a
    /// limit, and what a member forges takes from the limit of the peer that it names alone.
    private mutating func admittedPeer(_ bytes: [UInt8], timestamp: Int64, now: Instant) -> Int? {
        guard ownCode.isValid(bytes) else {
            counters.drop(.handshakeCodeInvalid)
            return nil
        }
        let node = NodeID(value: HandshakeMessage.value(of: bytes[16..<32]))
        guard let peer = indexByNode[node] else {
            counters.drop(.unknownPeer)
            return nil
        }
        guard timestamp > peers[peer].greatestTimestamp else {
            counters.drop(.handshakeReplayed)
            return nil
        }
        guard peers[peer].answerLimit.take(at: now) else {
            counters.drop(.handshakeRateLimited)
            return nil
        }
        return peer
    }

    private mutating func answer(
        _ header: DatagramHeader, _ bytes: [UInt8], now: Instant, using random: inout some RandomNumberGenerator
    ) throws(HandshakeError) {
        guard bytes.count == HandshakeMessage.initiationBytes else { throw .wrongLength }
        let timestamp = Int64(bitPattern: header.counter)
        guard let peer = admittedPeer(bytes, timestamp: timestamp, now: now) else { return }
        let prologue = HandshakeMessage.prologue(
            cluster: identity.cluster, initiator: peers[peer].node, responder: identity.node,
            header: Array(bytes[..<OverlayLimits.headerBytes]))
        let received = try NoiseIK.receive(
            prologue: prologue, local: identity.keys, message: Array(bytes[32...].dropLast(OverlayLimits.codeBytes)))
        guard received.remoteStatic == peers[peer].publicKey else { throw .authenticationFailed }
        let initiation = try HandshakeMessage.Initiation(received.payload)
        // The header is part of the prologue, so this too is proven by now.
        peers[peer].greatestTimestamp = timestamp
        if let last = peers[peer].lastInitiationAt, now < last + OverlayLimits.handshakeSpacing {
            counters.drop(.handshakeRateLimited)
            return
        }
        peers[peer].lastInitiationAt = now
        guard let suite = chosenSuite(from: initiation.offer), let ephemeral = KeyPair(using: &random) else {
            throw .unknownPayload
        }
        let keyID = freshKeyID(using: &random)
        let response = HandshakeMessage.Response(suite: suite, keyID: keyID)
        let (message, keys) = try received.respond(ephemeral: ephemeral, payload: response.encoded)
        guard
            let session = TransportSession(
                keys: keys, role: .responder, suite: suite, localKeyID: keyID, remoteKeyID: header.keyID, now: now)
        else { throw .cryptographyUnavailable }
        let former = peers[peer].keyIDs
        peers[peer].sessions.install(answered: session)
        forgetKeyIDs(former, notIn: peer)
        indexByKeyID[keyID] = peer
        let datagram = DatagramHeader(kind: .response, keyID: header.keyID).encoded + message
        directives.append(.sendDatagram(datagram, to: peers[peer].endpoint))
    }

    // MARK: Choices

    private var offer: UInt8 {
        let hasAES = identity.allowsHardwareAES && Sodium.hasHardwareAES
        return CipherSuite.chaCha20Poly1305.offerBit | (hasAES ? CipherSuite.aes256GCM.offerBit : 0)
    }

    /// AES-256-GCM where both sides have the instructions, else ChaCha20-Poly1305.
    private func chosenSuite(from remoteOffer: UInt8) -> CipherSuite? {
        let both = offer & remoteOffer
        return [CipherSuite.aes256GCM, .chaCha20Poly1305].first { both & $0.offerBit != 0 }
    }

    private func freshKeyID(using random: inout some RandomNumberGenerator) -> UInt32 {
        while true {
            let keyID = UInt32(truncatingIfNeeded: random.next())
            if keyID != 0, indexByKeyID[keyID] == nil { return keyID }
        }
    }

    /// Doubled each time up to a limit, then spread by a quarter either way so that two nodes do not stay in step.
    static func retryDelay(attempt: Int, using random: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(max(attempt - 1, 0), 16)
        let base = min(OverlayLimits.firstRetryTime * (1 << doublings), OverlayLimits.greatestRetryTime)
        let percent = 75 + Int64(random.next(upperBound: UInt64(51)))
        return .nanoseconds(base.wholeNanoseconds / 100 * percent)
    }
}
