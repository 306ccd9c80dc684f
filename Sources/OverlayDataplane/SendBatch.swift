import CLinux
import Glibc
import OverlayProtocol
import Primitives

/// Datagrams on their way out: sealed side by side, so that equal ones to one peer leave in a single UDP_SEGMENT send.
struct SendBatch: ~Copyable {
    private struct Item {
        var offset: Int
        var length: Int
        var segmentBytes: Int
        var count: Int
        var lastBytes: Int
        var slot: Int
    }

    private let socket: Int32
    private let family: Int32
    private let arena: UnsafeMutableRawBufferPointer
    private let raw: UnsafeMutablePointer<overlay_send>
    private var addresses: UnsafeMutableRawBufferPointer
    private var addressBytes: [UInt32] = []
    private var slots: [UnderlayEndpoint: Int] = [:]
    private var items: [Item] = []
    private var used = 0
    private var canSegment: Bool
    private(set) var datagrams: UInt64 = 0
    private(set) var calls: UInt64 = 0
    private(set) var failedDatagrams: UInt64 = 0

    init(socket: Int32, family: Int32, canSegment: Bool) {
        self.socket = socket
        self.family = family
        self.canSegment = canSegment
        arena = .allocate(byteCount: DataplaneLimits.sendArenaBytes, alignment: 64)
        raw = .allocate(capacity: DataplaneLimits.sendItems)
        addresses = .allocate(byteCount: DataplaneLimits.addressSlotBytes, alignment: 8)
        items.reserveCapacity(DataplaneLimits.sendItems)
    }

    deinit {
        arena.deallocate()
        raw.deallocate()
        addresses.deallocate()
    }

    /// The peers' addresses, by peer index. An address that the socket cannot reach keeps a slot of no bytes: what goes
    /// there is dropped. The batch is empty at this time.
    mutating func setEndpoints(_ endpoints: [UnderlayEndpoint]) {
        flush()
        addresses.deallocate()
        addresses = .allocate(
            byteCount: max(1, endpoints.count) * DataplaneLimits.addressSlotBytes, alignment: 8)
        addressBytes.removeAll(keepingCapacity: true)
        slots.removeAll(keepingCapacity: true)
        for (index, endpoint) in endpoints.enumerated() {
            let storage = UnsafeMutableRawBufferPointer(
                rebasing: addresses[
                    index * DataplaneLimits.addressSlotBytes..<(index + 1) * DataplaneLimits.addressSlotBytes])
            let bytes = endpoint.addressBytes
            let length = overlay_udp_address(family, bytes, Int32(bytes.count), endpoint.port, storage.baseAddress)
            addressBytes.append(UInt32(max(0, length)))
            slots[endpoint] = index
        }
    }

    /// Room for a datagram of `length` bytes; sends what waits when there is none.
    mutating func room(_ length: Int) -> UnsafeMutableRawBufferPointer {
        if used + length > arena.count || items.count == DataplaneLimits.sendItems { flush() }
        return UnsafeMutableRawBufferPointer(rebasing: arena[used..<min(arena.count, used + length)])
    }

    /// The room's first `length` bytes are a datagram for the peer of this index.
    @inline(__always)
    mutating func commit(_ length: Int, peer slot: Int) {
        let offset = used
        used += length
        datagrams += 1
        if canSegment, let last = items.indices.last {
            let item = items[last]
            if item.slot == slot, item.lastBytes == item.segmentBytes, length <= item.segmentBytes,
                item.count < DataplaneLimits.segmentsPerItem, item.length + length <= DataplaneLimits.bytesPerItem
            {
                items[last].length += length
                items[last].count += 1
                items[last].lastBytes = length
                return
            }
        }
        items.append(
            Item(offset: offset, length: length, segmentBytes: length, count: 1, lastBytes: length, slot: slot))
    }

    /// A datagram that exists already, to an endpoint of the table.
    mutating func append(_ datagram: [UInt8], to endpoint: UnderlayEndpoint) {
        guard let slot = slots[endpoint], datagram.count <= DataplaneLimits.bytesPerItem else {
            failedDatagrams += 1
            return
        }
        room(datagram.count).copyBytes(from: datagram)
        commit(datagram.count, peer: slot)
    }

    /// Sends everything, waiting a short while when the kernel's buffer is full.
    mutating func flush() {
        var first = 0
        while first < items.count {
            let count = items.count - first
            for index in 0..<count { raw[index] = sendItem(items[first + index]) }
            calls += 1
            let sent = overlay_udp_send(socket, raw, Int32(count))
            if sent > 0 {
                first += Int(sent)
            } else if recover(from: -sent, items[first]) {
                first += 1
            }
        }
        items.removeAll(keepingCapacity: true)
        used = 0
    }

    /// True when the item is done with, sent in another way or dropped.
    private mutating func recover(from error: Int32, _ item: Item) -> Bool {
        switch error {
        case EAGAIN, ENOBUFS:
            if error == EAGAIN, overlay_wait_writable(socket, DataplaneLimits.sendWaitMilliseconds) > 0 { return false }
            failedDatagrams += UInt64(item.count)
            return true
        case EIO, EINVAL, EMSGSIZE, EOPNOTSUPP:
            // EIO: the route's device computes no checksums, so it never segments (udp_send_skb). EINVAL, EMSGSIZE:
            // a segment is above this link's MTU; one by one they leave as fragments.
            if error == EIO || error == EOPNOTSUPP { canSegment = false }
            sendOneByOne(item)
            return true
        default:
            failedDatagrams += UInt64(item.count)
            return true
        }
    }

    private mutating func sendOneByOne(_ item: Item) {
        var offset = 0
        while offset < item.length {
            let length = min(item.segmentBytes, item.length - offset)
            let single = Item(
                offset: item.offset + offset, length: length, segmentBytes: length, count: 1, lastBytes: length,
                slot: item.slot)
            var send = sendItem(single)
            if overlay_udp_send(socket, &send, 1) <= 0 { failedDatagrams += 1 }
            offset += length
        }
    }

    private func sendItem(_ item: Item) -> overlay_send {
        let base = arena.baseAddress.map { UnsafeRawPointer($0 + item.offset) }
        let address = addresses.baseAddress.map {
            UnsafeRawPointer($0 + item.slot * DataplaneLimits.addressSlotBytes)
        }
        return overlay_send(
            base: base, length: UInt32(item.length), segment_bytes: item.count > 1 ? UInt32(item.segmentBytes) : 0,
            address: address, address_bytes: addressBytes[item.slot])
    }
}

extension UnderlayEndpoint {
    /// In network order.
    fileprivate var addressBytes: [UInt8] {
        switch address {
        case .v4(let address): address.bytes
        case .v6(let high, let low):
            [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) } }
        }
    }
}
