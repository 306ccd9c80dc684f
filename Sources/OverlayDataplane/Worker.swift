import CLinux
import Glibc
import LinuxSystem
import OverlayProtocol
import Primitives

/// A TAP of one network, as the worker serves it.
struct NetworkAttachment: Sendable {
    let vni: UInt32
    /// The data path's own duplicate.
    let tap: Int32
    let mtu: Int

    var largestFrameBytes: Int { mtu + IPv4Layout.ethernetBytes }
}

/// The thread of the data path: everything in here is touched by that thread alone.
final class Worker {
    private enum Token {
        static let wakeup: UInt64 = 0
        static let socket: UInt64 = 1
        static func tap(_ vni: UInt32) -> UInt64 { UInt64(vni) << 8 | 2 }
        static func vni(_ token: UInt64) -> UInt32? { token & 0xff == 2 ? UInt32(truncatingIfNeeded: token >> 8) : nil }
    }

    private let shared: DataplaneShared
    private let socket: Int32
    private let poll: Int32
    private var instance: OverlayInstance
    private var random = SystemRandomNumberGenerator()
    private var networks: [UInt32: NetworkAttachment] = [:]
    private var batch: SendBatch
    private var coalescer = Coalescer()
    private let readBuffer: UnsafeMutableRawBufferPointer
    private let receiveBuffer: UnsafeMutableRawBufferPointer
    private let slots: UnsafeMutablePointer<overlay_receive>
    private var counters = DataplaneCounters()
    private var nextTick = Instant(nanoseconds: 0)
    private var isStopping = false

    /// Takes over the duplicated socket and the poll descriptor.
    init(shared: DataplaneShared, instance: OverlayInstance, socket: Int32, family: Int32, features: Int32, poll: Int32)
    {
        self.shared = shared
        self.instance = instance
        self.socket = socket
        self.poll = poll
        let canSegment = Int(features) & Int(OVERLAY_UDP_SEGMENT) != 0
        batch = SendBatch(socket: socket, family: family, canSegment: canSegment)
        readBuffer = .allocate(byteCount: DataplaneLimits.tapReadBytes, alignment: 64)
        let receiveBytes = DataplaneLimits.receiveSlots * DataplaneLimits.receiveSlotBytes
        receiveBuffer = .allocate(byteCount: receiveBytes, alignment: 64)
        slots = .allocate(capacity: DataplaneLimits.receiveSlots)
        for index in 0..<DataplaneLimits.receiveSlots {
            let base = receiveBuffer.baseAddress.map { $0 + index * DataplaneLimits.receiveSlotBytes }
            slots[index] = overlay_receive(
                base: base, capacity: UInt32(DataplaneLimits.receiveSlotBytes), length: 0, segment_bytes: 0,
                truncated: 0)
        }
    }

    deinit {
        for network in networks.values { overlay_close(network.tap) }
        overlay_close(socket)
        overlay_close(poll)
        readBuffer.deallocate()
        receiveBuffer.deallocate()
        slots.deallocate()
    }

    // MARK: Loop

    func run() {
        _ = overlay_poll_add(poll, shared.wakeup, Token.wakeup)
        _ = overlay_poll_add(poll, socket, Token.socket)
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: DataplaneLimits.pollEvents) { tokens in
            while !isStopping { turn(tokens) }
        }
    }

    private func turn(_ tokens: UnsafeMutableBufferPointer<UInt64>) {
        let wait = max(Duration.zero, nextTick - Clock.now)
        // Rounded up: a wait of zero milliseconds would spin until the tick is due.
        let milliseconds = Int32(clamping: (wait.wholeNanoseconds + 999_999) / 1_000_000)
        let count = overlay_poll_wait(poll, tokens.baseAddress, Int32(tokens.count), milliseconds)
        let now = Clock.now
        for index in 0..<Int(max(0, count)) {
            switch tokens[index] {
            case Token.wakeup: readMailbox(now: now)
            case Token.socket: receive(now: now)
            default:
                if let vni = Token.vni(tokens[index]), let network = networks[vni] { readTAP(network, now: now) }
            }
        }
        if now >= nextTick || instance.needsTick {
            nextTick = now + OverlayLimits.tickTime
            perform(instance.onTick(now: now, wall: Clock.wallTime, using: &random))
            shared.publish(instance.peerStatuses())
        }
        batch.flush()
        publish()
    }

    private func readMailbox(now: Instant) {
        overlay_wakeup_clear(shared.wakeup)
        for command in shared.takeCommands() {
            switch command {
            case .stop: isStopping = true
            case .tables(let tables):
                batch.flush()
                instance.onTables(tables, now: now, using: &random)
                batch.setEndpoints((0..<instance.peerCount).map { instance.endpoint(ofPeer: $0) })
            case .add(let network):
                remove(network.vni)
                networks[network.vni] = network
                if overlay_poll_add(poll, network.tap, Token.tap(network.vni)) < 0 { lose(network) }
            case .remove(let vni): remove(vni)
            }
        }
    }

    private func remove(_ vni: UInt32) {
        guard let network = networks.removeValue(forKey: vni) else { return }
        _ = overlay_poll_remove(poll, network.tap)
        overlay_close(network.tap)
    }

    private func lose(_ network: NetworkAttachment) {
        counters.tapsLost += 1
        remove(network.vni)
    }

    private func perform(_ directives: [OverlayDirective]) {
        for directive in directives {
            switch directive {
            case .sendDatagram(let bytes, let endpoint): batch.append(bytes, to: endpoint)
            case .writeFrame(let bytes, let vni, let checksum):
                guard let tap = networks[vni]?.tap else { continue }
                var frame = bytes
                frame.withUnsafeMutableBytes {
                    if !coalescer.add($0, checksum: checksum, tap: tap) { instance.countDrop(.malformed) }
                    coalescer.flush()
                }
            }
        }
    }

    private func publish() {
        counters.overlay = instance.counters
        counters.tapWrites = coalescer.writes
        counters.tapWriteFailures = coalescer.failedWrites
        counters.joinedSegments = coalescer.joinedSegments
        counters.datagramsSent = batch.datagrams
        counters.sendCalls = batch.calls
        counters.sendFailures = batch.failedDatagrams
        shared.publish(counters)
    }

    // MARK: TAP to peers

    private func readTAP(_ network: NetworkAttachment, now: Instant) {
        for _ in 0..<DataplaneLimits.tapReadsPerTurn {
            let count = overlay_tap_read(network.tap, readBuffer.baseAddress, readBuffer.count)
            switch Int32(truncatingIfNeeded: -count) {
            case EAGAIN: return
            case EBADFD, EBADF, ENODEV, EIO:
                // The interface is gone: its descriptor would stay readable for ever.
                lose(network)
                return
            default: break
            }
            guard count > 0 else {
                instance.countDrop(.malformed)
                continue
            }
            counters.tapReads += 1
            forward(UnsafeMutableRawBufferPointer(rebasing: readBuffer[..<count]), network, now: now)
        }
    }

    private func forward(_ read: UnsafeMutableRawBufferPointer, _ network: NetworkAttachment, now: Instant) {
        guard let header = VirtioHeader(UnsafeRawBufferPointer(read)) else {
            instance.countDrop(.malformed)
            return
        }
        let frame = UnsafeMutableRawBufferPointer(rebasing: read[VirtioHeader.byteCount...])
        switch instance.decide(UnsafeRawBufferPointer(frame), vni: network.vni) {
        case .drop: return
        case .reply(var reply):
            reply.withUnsafeMutableBytes { coalescer.writeAlone($0, VirtioHeader(), tap: network.tap) }
        case .forward(let peer):
            if header.segmentation == .none {
                sendWhole(frame, header, network, peer: peer, now: now)
            } else {
                sendSegments(UnsafeRawBufferPointer(frame), header, network, peer: peer, now: now)
            }
        }
    }

    private func sendWhole(
        _ frame: UnsafeMutableRawBufferPointer, _ header: VirtioHeader, _ network: NetworkAttachment, peer: Int,
        now: Instant
    ) {
        guard frame.count <= network.largestFrameBytes else {
            instance.countDrop(.tooLarge)
            return
        }
        var checksum = InnerChecksum.complete
        if let pending = header.pendingChecksum {
            if let layout = IPv4Layout(UnsafeRawBufferPointer(frame)), pending.start == layout.transportOffset,
                pending.offset == layout.checksumOffset
            {
                checksum = .pending
            } else if !Checksum.complete(frame, start: pending.start, offset: pending.offset) {
                instance.countDrop(.malformed)
                return
            }
        }
        let room = batch.room(frame.count + OverlayLimits.overheadBytes)
        UnsafeMutableRawBufferPointer(rebasing: room[OverlayLimits.frontBytes...])
            .copyMemory(from: UnsafeRawBufferPointer(frame))
        let length = instance.seal(
            room, frameLength: frame.count, vni: network.vni, checksum: checksum, to: peer, now: now)
        if let length { batch.commit(length, peer: peer) }
    }

    private func sendSegments(
        _ frame: UnsafeRawBufferPointer, _ header: VirtioHeader, _ network: NetworkAttachment, peer: Int, now: Instant
    ) {
        guard let plan = SuperFrame(header, frame) else {
            instance.countDrop(.malformed)
            return
        }
        guard plan.largestSegmentBytes <= network.largestFrameBytes else {
            instance.countDrop(.tooLarge, plan.count)
            return
        }
        counters.superFrames += 1
        for index in 0..<plan.count {
            let room = batch.room(plan.largestSegmentBytes + OverlayLimits.overheadBytes)
            let output = UnsafeMutableRawBufferPointer(rebasing: room[OverlayLimits.frontBytes...])
            let segment = plan.write(index, of: frame, to: output)
            let length = instance.seal(
                room, frameLength: segment, vni: network.vni, checksum: .pending, to: peer, now: now)
            if let length { batch.commit(length, peer: peer) }
        }
    }

    // MARK: Peers to TAP

    private func receive(now: Instant) {
        for _ in 0..<DataplaneLimits.receivesPerTurn {
            let count = overlay_udp_receive(socket, slots, Int32(DataplaneLimits.receiveSlots))
            guard count > 0 else { break }
            counters.receiveCalls += 1
            for index in 0..<Int(count) { openSlot(slots[index], now: now) }
            // The slots' memory is used again by the next call.
            coalescer.flush()
            perform(instance.takeDirectives())
            if count < Int32(DataplaneLimits.receiveSlots) { break }
        }
    }

    private func openSlot(_ slot: overlay_receive, now: Instant) {
        guard slot.truncated == 0, let base = slot.base, slot.length > 0 else {
            instance.countDrop(.malformed)
            return
        }
        let length = Int(slot.length)
        let step = slot.segment_bytes > 0 ? Int(slot.segment_bytes) : length
        var offset = 0
        while offset < length {
            let bytes = min(step, length - offset)
            openDatagram(UnsafeMutableRawBufferPointer(start: base + offset, count: bytes), now: now)
            offset += bytes
        }
    }

    private func openDatagram(_ datagram: UnsafeMutableRawBufferPointer, now: Instant) {
        counters.datagramsReceived += 1
        switch instance.open(datagram, now: now) {
        case .nothing: return
        case .handshake: instance.onHandshake(Array(datagram), now: now, using: &random)
        case .frame(let range, let vni, let checksum):
            guard let tap = networks[vni]?.tap else {
                instance.countDrop(.unknownNetwork)
                return
            }
            let frame = UnsafeMutableRawBufferPointer(rebasing: datagram[range])
            if !coalescer.add(frame, checksum: checksum, tap: tap) { instance.countDrop(.malformed) }
        }
    }
}
