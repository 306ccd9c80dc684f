public import Primitives

/// From the UDP socket to the TAPs.
extension OverlayInstance {
    /// Opens a datagram where it lies. After `.nothing` its content is undefined.
    public mutating func open(_ datagram: UnsafeMutableRawBufferPointer, now: Instant) -> OpenedDatagram {
        let header: DatagramHeader
        do {
            header = try DatagramHeader(UnsafeRawBufferPointer(datagram))
        } catch {
            counters.drop(error.dropReason)
            return .nothing
        }
        switch header.kind {
        case .initiation, .response:
            return .handshake
        case .frame, .uncheckedFrame:
            return openFrame(datagram, header, now: now)
        }
    }

    private mutating func openFrame(
        _ datagram: UnsafeMutableRawBufferPointer, _ header: DatagramHeader, now: Instant
    ) -> OpenedDatagram {
        guard let peer = indexByKeyID[header.keyID], let slot = peers[peer].sessions.slot(of: header.keyID) else {
            counters.drop(.unknownKey)
            return .nothing
        }
        if let reason = peers[peer].sessions.open(slot, datagram, counter: header.counter, now: now) {
            counters.drop(reason)
            return .nothing
        }
        peers[peer].lastReceivedAt = now
        peers[peer].unansweredSince = nil
        if slot == .next { confirmNext(peer: peer, now: now) }
        let end = datagram.count - OverlayLimits.tagBytes
        if end == OverlayLimits.headerBytes { return .nothing }
        if peers[peer].owesKeepaliveSince == nil { peers[peer].owesKeepaliveSince = now }
        let content = UnsafeRawBufferPointer(rebasing: datagram[OverlayLimits.headerBytes..<end])
        guard let vxlan = VXLANHeader(content) else {
            counters.drop(.malformed)
            return .nothing
        }
        let frame = UnsafeRawBufferPointer(rebasing: datagram[OverlayLimits.frontBytes..<end])
        if let reason = plan.admit(frame, vni: vxlan.vni, from: peer) {
            counters.drop(reason)
            return .nothing
        }
        counters.framesOpened += 1
        counters.bytesOpened += UInt64(frame.count)
        return .frame(
            OverlayLimits.frontBytes..<end, vni: vxlan.vni,
            checksum: header.kind == .uncheckedFrame ? .pending : .complete)
    }

    /// The initiator has used the keys: from now on this node sends with them too.
    private mutating func confirmNext(peer: Int, now: Instant) {
        let former = peers[peer].keyIDs
        peers[peer].sessions.promoteNext()
        forgetKeyIDs(former, notIn: peer)
        counters.sessionsAnswered += 1
        peers[peer].hasSentData = false
        releaseQueue(peer: peer, now: now)
    }

    /// One datagram from the UDP socket, by value. `wall` is the node's wall clock.
    public mutating func onDatagram(
        _ bytes: [UInt8], now: Instant, wall: Timestamp, using random: inout some RandomNumberGenerator
    ) -> [OverlayDirective] {
        var datagram = bytes
        switch datagram.withUnsafeMutableBytes({ open($0, now: now) }) {
        case .nothing: break
        case .handshake: onHandshake(bytes, now: now, using: &random)
        case .frame(let range, let vni, let checksum):
            directives.append(.writeFrame(Array(datagram[range]), vni: vni, checksum: checksum))
        }
        if needsTick { serveTick(now: now, wall: wall, using: &random) }
        return takeDirectives()
    }

    /// Key ids that the peer had and has no more lead nowhere.
    mutating func forgetKeyIDs(_ former: [UInt32], notIn peer: Int) {
        let present = peers[peer].keyIDs
        for keyID in former where !present.contains(keyID) { indexByKeyID[keyID] = nil }
    }
}

extension DatagramHeader.ReadError {
    fileprivate var dropReason: DropReason {
        switch self {
        case .truncated, .malformed: .malformed
        case .clearVXLAN: .clearVXLAN
        case .unknownVersion: .unknownVersion
        }
    }
}
