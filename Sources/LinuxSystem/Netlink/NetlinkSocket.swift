import CLinux
import Glibc
public import Primitives

/// A conversation with rtnetlink about the network namespace that the calling thread was in at `init`.
public struct NetlinkSocket: ~Copyable {
    private static let route: Int32 = 0
    private static let truncated: Int32 = 0x20

    private let descriptor: OwnedDescriptor
    private var sequence: UInt32 = 0

    public init() throws(Errno) {
        descriptor = OwnedDescriptor(
            adopting: try checked(
                clinux_netlink_open(NetlinkSocket.route, NetlinkLimits.answerMilliseconds)))
    }

    /// Sends the requests as one batch and waits for all answers; throws the first refusal. Later ones are still done.
    public mutating func perform(_ requests: [NetlinkRequest]) throws(Errno) {
        var failure: Errno?
        for start in stride(from: 0, to: requests.count, by: NetlinkLimits.requestsPerBatch) {
            let batch = requests[start..<min(requests.count, start + NetlinkLimits.requestsPerBatch)]
            for error in try send(Array(batch)) where failure == nil { failure = error }
        }
        if let failure { throw failure }
    }

    public mutating func perform(_ request: NetlinkRequest) throws(Errno) { try perform([request]) }

    private mutating func send(_ batch: [NetlinkRequest]) throws(Errno) -> [Errno] {
        var datagram: [UInt8] = []
        let first = sequence &+ 1
        for request in batch {
            sequence &+= 1
            datagram += request.encoded(sequence: sequence)
            while datagram.count % 4 != 0 { datagram.append(0) }
        }
        try transmit(datagram)
        var waiting = Set(first...sequence)
        var failures: [Errno] = []
        while !waiting.isEmpty {
            for reply in NetlinkReply.messages(in: try receive()) where waiting.contains(reply.sequence) {
                guard reply.type == NetlinkReply.Kind.error else { continue }
                waiting.remove(reply.sequence)
                var payload = reply.payload
                if let error = payload.int32(), error != 0 { failures.append(Errno(-error)) }
            }
        }
        return failures
    }

    /// All messages that answer a dump.
    private mutating func dump(_ request: NetlinkRequest) throws(Errno) -> [NetlinkReply] {
        sequence &+= 1
        try transmit(request.encoded(sequence: sequence))
        var found: [NetlinkReply] = []
        while true {
            for reply in NetlinkReply.messages(in: try receive()) where reply.sequence == sequence {
                switch reply.type {
                case NetlinkReply.Kind.done: return found
                case NetlinkReply.Kind.error:
                    var payload = reply.payload
                    throw Errno(-(payload.int32() ?? -EIO))
                default: found.append(reply)
                }
            }
        }
    }

    private func transmit(_ bytes: [UInt8]) throws(Errno) {
        _ = try retrying { Glibc.send(descriptor.number, bytes, bytes.count, 0) }
    }

    private func receive() throws(Errno) -> [UInt8] {
        // With MSG_TRUNC the whole length is returned, so that a datagram that did not fit is not taken for whole.
        var buffer = [UInt8](repeating: 0, count: NetlinkLimits.datagramBytes)
        let count = try retrying { recv(descriptor.number, &buffer, buffer.count, NetlinkSocket.truncated) }
        if count > buffer.count { throw .messageTooLong }
        return Array(buffer.prefix(count))
    }

    /// Every link of the namespace, by index.
    public mutating func links() throws(Errno) -> [NetworkLink] {
        try dump(.dumpLinks).compactMap { NetworkLink($0) }.sorted { $0.index < $1.index }
    }

    /// Every IPv4 address of the namespace.
    public mutating func addresses() throws(Errno) -> [LinkAddress] {
        try dump(.dumpAddresses).compactMap { LinkAddress($0) }
            .sorted { ($0.link, $0.address) < ($1.link, $1.address) }
    }

    /// The IPv4 routes of the main table.
    public mutating func routes() throws(Errno) -> [NetworkRoute] {
        try dump(.dumpRoutes).compactMap { NetworkRoute($0) }
    }
}

/// A network interface.
public struct NetworkLink: Hashable, Sendable {
    public var index: Int32
    public var name: String
    public var mac: MACAddress?
    public var mtu: UInt32
    /// The bridge that it is a port of.
    public var master: Int32?
    public var isUp: Bool
    /// `bridge`, `veth`, `tun`; nil for a device.
    public var kind: String?
    public var alias: String?

    public init(
        index: Int32, name: String, mac: MACAddress? = nil, mtu: UInt32 = 1500, master: Int32? = nil,
        isUp: Bool = true, kind: String? = nil, alias: String? = nil
    ) {
        self.index = index
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.master = master
        self.isUp = isUp
        self.kind = kind
        self.alias = alias
    }

    init?(_ reply: NetlinkReply) {
        var payload = reply.payload
        guard reply.type == RouteMessage.newLink, payload.uint32() != nil, let index = payload.int32(),
            let flags = payload.uint32(), payload.uint32() != nil
        else { return nil }
        let attributes = payload.attributes()
        guard let name = attributes[LinkAttribute.name].flatMap(NetworkLink.text) else { return nil }
        self.init(index: index, name: name, isUp: flags & RouteMessage.up != 0)
        mac = attributes[LinkAttribute.address].flatMap { bytes in
            guard bytes.count == 6 else { return nil }
            return MACAddress(value: bytes.reduce(0) { $0 << 8 | UInt64($1) })
        }
        mtu = attributes[LinkAttribute.mtu].flatMap(NetworkLink.number) ?? 0
        master = attributes[LinkAttribute.master].flatMap(NetworkLink.number).map { Int32(bitPattern: $0) }
        alias = attributes[LinkAttribute.alias].flatMap(NetworkLink.text)
        if let information = attributes[LinkAttribute.information] {
            var reader = NetlinkReader(information)
            kind = reader.attributes()[LinkAttribute.kind].flatMap(NetworkLink.text)
        }
    }

    private static func text(_ bytes: [UInt8]) -> String? { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    private static func number(_ bytes: [UInt8]) -> UInt32? {
        var reader = NetlinkReader(bytes)
        return reader.uint32()
    }
}

/// An IPv4 address of a link.
public struct LinkAddress: Hashable, Sendable {
    public var link: Int32
    public var address: IPv4Address
    public var prefixLength: UInt8

    public init(link: Int32, address: IPv4Address, prefixLength: UInt8) {
        self.link = link
        self.address = address
        self.prefixLength = prefixLength
    }

    init?(_ reply: NetlinkReply) {
        var payload = reply.payload
        guard reply.type == RouteMessage.newAddress, payload.uint8() == RouteMessage.ipv4, let length = payload.uint8(),
            payload.uint16() != nil, let link = payload.int32()
        else { return nil }
        let attributes = payload.attributes()
        guard let bytes = attributes[AddressAttribute.local] ?? attributes[AddressAttribute.address],
            let address = IPv4Address(networkOrder: bytes)
        else { return nil }
        self.init(link: link, address: address, prefixLength: length)
    }
}

/// An IPv4 route.
public struct NetworkRoute: Hashable, Sendable {
    public var destination: IPv4Network
    public var gateway: IPv4Address?
    public var link: Int32

    public init(destination: IPv4Network, gateway: IPv4Address?, link: Int32) {
        self.destination = destination
        self.gateway = gateway
        self.link = link
    }

    init?(_ reply: NetlinkReply) {
        var payload = reply.payload
        guard reply.type == RouteMessage.newRoute, payload.uint8() == RouteMessage.ipv4, let length = payload.uint8(),
            payload.uint16() != nil, payload.uint8() == RouteMessage.mainTable, payload.uint16() != nil,
            payload.uint8() != nil, payload.uint32() != nil
        else { return nil }
        let attributes = payload.attributes()
        let address = attributes[RouteAttribute.destination].flatMap { IPv4Address(networkOrder: $0) }
        guard let link = attributes[RouteAttribute.link], link.count == 4,
            let destination = IPv4Network(address: address ?? IPv4Address(value: 0), prefixLength: length)
        else { return nil }
        var reader = NetlinkReader(link)
        self.init(
            destination: destination,
            gateway: attributes[RouteAttribute.gateway].flatMap { IPv4Address(networkOrder: $0) },
            link: reader.int32() ?? 0)
    }
}

extension IPv4Address {
    init?(networkOrder bytes: [UInt8]) {
        guard bytes.count == 4 else { return nil }
        self.init(bytes[0], bytes[1], bytes[2], bytes[3])
    }
}
