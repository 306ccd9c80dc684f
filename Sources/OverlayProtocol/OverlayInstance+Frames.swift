public import Primitives

/// From the TAP to the peers.
extension OverlayInstance {
    /// Where a frame from the TAP of `vni` goes; reads its headers only, so a super-frame needs one call.
    ///
    /// Drops are counted here.
    public mutating func decide(_ frame: UnsafeRawBufferPointer, vni: UInt32) -> FrameDecision {
        let decision = plan.decide(frame, vni: vni)
        switch decision {
        case .forward: break
        case .reply: counters.arpReplies += 1
        case .drop(let reason): counters.drop(reason)
        }
        return decision
    }

    /// Counts a frame that the shell itself had to drop.
    public mutating func countDrop(_ reason: DropReason, _ count: Int = 1) {
        counters.drop(reason, UInt64(count))
    }

    /// Makes the datagram for a frame that lies at `datagram[24 ..< 24 + frameLength]`; 16 bytes of room follow it.
    ///
    /// Returns the datagram's length. Nil: there is no session; the frame was copied into the peer's queue or dropped,
    /// and nothing in `datagram` may be sent.
    public mutating func seal(
        _ datagram: UnsafeMutableRawBufferPointer, frameLength: Int, vni: UInt32, checksum: InnerChecksum,
        to peer: Int, now: Instant
    ) -> Int? {
        let length = frameLength + OverlayLimits.overheadBytes
        guard frameLength <= OverlayLimits.largestFrameBytes, length <= datagram.count, peers.indices.contains(peer),
            let header = VXLANHeader(vni: vni), let base = datagram.baseAddress
        else {
            counters.drop(.tooLarge)
            return nil
        }
        guard peers[peer].sessions.current?.canSend(at: now) == true else {
            let frame = datagram[OverlayLimits.frontBytes..<OverlayLimits.frontBytes + frameLength]
            enqueue(Array(frame), vni: vni, checksum: checksum, peer: peer, now: now)
            return nil
        }
        header.write(to: datagram, at: OverlayLimits.headerBytes)
        let exact = UnsafeMutableRawBufferPointer(start: base, count: length)
        let kind: DatagramHeader.Kind = checksum == .pending ? .uncheckedFrame : .frame
        guard peers[peer].sessions.seal(exact, kind: kind, now: now) else {
            counters.drop(.noSession)
            return nil
        }
        counters.framesSealed += 1
        counters.bytesSealed += UInt64(frameLength)
        peers[peer].hasSentData = true
        peers[peer].owesKeepaliveSince = nil
        if peers[peer].unansweredSince == nil { peers[peer].unansweredSince = now }
        return length
    }

    /// One frame from the TAP of `vni`, by value.
    public mutating func onFrame(
        _ frame: [UInt8], vni: UInt32, checksum: InnerChecksum = .complete, now: Instant
    ) -> [OverlayDirective] {
        switch frame.withUnsafeBytes({ decide($0, vni: vni) }) {
        case .drop: break
        case .reply(let reply): directives.append(.writeFrame(reply, vni: vni, checksum: .complete))
        case .forward(let peer): sendCopy(frame, vni: vni, checksum: checksum, peer: peer, now: now)
        }
        return takeDirectives()
    }

    mutating func sendCopy(_ frame: [UInt8], vni: UInt32, checksum: InnerChecksum, peer: Int, now: Instant) {
        var datagram = [UInt8](repeating: 0, count: OverlayLimits.frontBytes) + frame
        datagram += [UInt8](repeating: 0, count: OverlayLimits.tagBytes)
        let length = datagram.withUnsafeMutableBytes {
            seal($0, frameLength: frame.count, vni: vni, checksum: checksum, to: peer, now: now)
        }
        if length != nil { directives.append(.sendDatagram(datagram, to: peers[peer].endpoint)) }
    }

    private mutating func enqueue(
        _ frame: [UInt8], vni: UInt32, checksum: InnerChecksum, peer: Int, now: Instant
    ) {
        if case .idle = peers[peer].handshake {
            peers[peer].handshake = .due(now)
            needsTick = true
        }
        let entry = FrameQueue.Entry(bytes: frame, vni: vni, checksum: checksum, queuedAt: now)
        if !peers[peer].queue.append(entry) { counters.drop(.queueFull) }
    }

    /// Sends what waited for the session that now exists.
    mutating func releaseQueue(peer: Int, now: Instant) {
        let stale = peers[peer].queue.dropStale(at: now)
        if stale > 0 { counters.drop(.noSession, UInt64(stale)) }
        for entry in peers[peer].queue.takeAll() {
            sendCopy(entry.bytes, vni: entry.vni, checksum: entry.checksum, peer: peer, now: now)
        }
    }

    /// An empty sealed datagram: proves to the peer that this node is there and has the keys.
    mutating func sendKeepalive(peer: Int, now: Instant) {
        var datagram = [UInt8](repeating: 0, count: OverlayLimits.headerBytes + OverlayLimits.tagBytes)
        let sealed = datagram.withUnsafeMutableBytes { peers[peer].sessions.seal($0, kind: .frame, now: now) }
        guard sealed else { return }
        counters.keepalives += 1
        peers[peer].owesKeepaliveSince = nil
        directives.append(.sendDatagram(datagram, to: peers[peer].endpoint))
    }
}
