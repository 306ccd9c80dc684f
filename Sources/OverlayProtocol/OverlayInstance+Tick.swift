public import Primitives

extension OverlayInstance {
    /// Time has passed: handshakes are started and repeated, keepalives sent, old keys wiped, old frames dropped.
    ///
    /// Call it every `OverlayLimits.tickTime`, and soon when `needsTick` is set. `wall` is the node's wall clock; of
    /// this node's initiations a later one always has the later time.
    public mutating func onTick(
        now: Instant, wall: Timestamp, using random: inout some RandomNumberGenerator
    ) -> [OverlayDirective] {
        serveTick(now: now, wall: wall, using: &random)
        return takeDirectives()
    }

    mutating func serveTick(now: Instant, wall: Timestamp, using random: inout some RandomNumberGenerator) {
        needsTick = false
        var initiations = 0
        for index in peers.indices {
            expire(peer: index, now: now)
            keepAlive(peer: index, now: now)
            scheduleHandshake(peer: index, now: now)
            guard initiations < OverlayLimits.initiationsPerTick, isCallDue(peer: index, now: now) else { continue }
            initiations += 1
            initiate(peer: index, now: now, wall: wall, using: &random)
        }
    }

    private mutating func expire(peer: Int, now: Instant) {
        let stale = peers[peer].queue.dropStale(at: now)
        if stale > 0 { counters.drop(.noSession, UInt64(stale)) }
        let former = peers[peer].keyIDs
        peers[peer].sessions.eraseExpired(at: now)
        if case .awaiting(let pending) = peers[peer].handshake {
            let isFutile =
                now >= pending.firstAttemptAt + OverlayLimits.attemptTime && peers[peer].queue.entries.isEmpty
            let isTooOld = now >= pending.firstAttemptAt + OverlayLimits.eraseAfterTime
            if isFutile || isTooOld { peers[peer].handshake = .idle }
        }
        if former.count != peers[peer].keyIDs.count { forgetKeyIDs(former, notIn: peer) }
    }

    private mutating func keepAlive(peer: Int, now: Instant) {
        guard let since = peers[peer].owesKeepaliveSince, now >= since + OverlayLimits.keepaliveTime else { return }
        peers[peer].owesKeepaliveSince = nil
        sendKeepalive(peer: peer, now: now)
    }

    /// A successor for a session that is used and old, or whose peer has fallen silent.
    private mutating func scheduleHandshake(peer: Int, now: Instant) {
        guard case .idle = peers[peer].handshake else { return }
        if !peers[peer].queue.entries.isEmpty {
            peers[peer].handshake = .due(now)
            return
        }
        guard let session = peers[peer].sessions.current else { return }
        let isSilent = peers[peer].unansweredSince.map { now >= $0 + OverlayLimits.silenceTime } ?? false
        let isOld = peers[peer].hasSentData && session.wantsSuccessor(at: now)
        guard isSilent || isOld else { return }
        peers[peer].unansweredSince = nil
        peers[peer].handshake = .due(now)
    }

    private func isCallDue(peer: Int, now: Instant) -> Bool {
        switch peers[peer].handshake {
        case .idle: false
        case .due(let time): now >= time
        case .awaiting(let pending): now >= pending.retryAt
        }
    }
}
