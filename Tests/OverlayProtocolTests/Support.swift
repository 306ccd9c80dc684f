import ClusterModel
import Primitives
import Testing

@testable import OverlayProtocol

func bytes(hex: String) -> [UInt8] {
    let digits = Array(hex)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0..<$0 + 2]), radix: 16) }
}

let vni: UInt32 = 4097
let gateway = IPv4Address(10, 77, 0, 1)
let hostA = IPv4Address(10, 77, 0, 2)
let hostB = IPv4Address(10, 77, 0, 3)
let macA = MACAddress(container: hostA)
let macB = MACAddress(container: hostB)
let nodeA = NodeID(value: 1)
let nodeB = NodeID(value: 2)
let cluster = ClusterID(value: 99)
let endpointA = UnderlayEndpoint(IPv4Address(192, 0, 2, 1), port: 4789)
let endpointB = UnderlayEndpoint(IPv4Address(192, 0, 2, 2), port: 4789)

/// An Ethernet frame with an IPv4 header and any content; the addresses are, if not said, those of the MACs.
func frame(
    from source: MACAddress = macA, to destination: MACAddress = macB, address: IPv4Address? = nil, _ payload: [UInt8]
) -> [UInt8] {
    let length = UInt16(20 + payload.count)
    let header: [UInt8] = [0x45, 0, UInt8(length >> 8), UInt8(length & 0xff), 0, 0, 0x40, 0, 64, 253, 0, 0]
    let sender = address.map(\.bytes) ?? Array(source.bytes[2...])
    return destination.bytes + source.bytes + [0x08, 0x00] + header + sender + Array(destination.bytes[2...]) + payload
}

func arp(
    operation: UInt8 = 1, ethernetSource: MACAddress? = nil, destination: MACAddress = MACAddress(value: .max),
    senderMAC: MACAddress = macA, sender: IPv4Address = hostA, target: IPv4Address
) -> [UInt8] {
    destination.bytes + (ethernetSource ?? senderMAC).bytes + [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation]
        + senderMAC.bytes + sender.bytes + [0, 0, 0, 0, 0, 0] + target.bytes
}

/// Two nodes with one container each in one network, and a clock that the test moves.
struct Pair {
    var a: OverlayInstance
    var b: OverlayInstance
    let keysA: KeyPair
    let keysB: KeyPair
    var now = Instant(nanoseconds: 1_000_000_000)
    var wall = Timestamp(nanoseconds: 1_700_000_000_000_000_000)
    var random = SeededRandom(seed: 7)

    init(aesOnA: Bool = true, aesOnB: Bool = true) throws {
        keysA = try #require(KeyPair(using: &random))
        keysB = try #require(KeyPair(using: &random))
        a = OverlayInstance(
            identity: .init(cluster: cluster, node: nodeA, keys: keysA, allowsHardwareAES: aesOnA))
        b = OverlayInstance(
            identity: .init(cluster: cluster, node: nodeB, keys: keysB, allowsHardwareAES: aesOnB))
        a.onTables(tables(for: nodeA), now: now, using: &random)
        b.onTables(tables(for: nodeB), now: now, using: &random)
    }

    func tables(for node: NodeID) -> OverlayTables {
        let peers = [
            OverlayPeer(node: nodeA, publicKey: keysA.publicKey, endpoint: endpointA),
            OverlayPeer(node: nodeB, publicKey: keysB.publicKey, endpoint: endpointB),
        ]
        return OverlayTables(
            peers: peers.filter { $0.node != node },
            networks: [
                OverlayNetwork(
                    vni: vni, gateway: gateway, gatewayMAC: MACAddress(value: 0x0242_ff00_0000 | UInt64(node.value)))
            ],
            endpoints: [
                OverlayEndpoint(vni: vni, mac: macA, address: hostA, node: nodeA),
                OverlayEndpoint(vni: vni, mac: macB, address: hostB, node: nodeB),
            ])
    }

    mutating func advance(_ time: Duration) {
        now = now + time
        wall = wall + time
    }

    /// A initiates, B answers, A confirms; all datagrams arrive.
    mutating func connect() throws {
        advance(.milliseconds(250))
        let initiation = try datagram(a.onTick(now: now, wall: wall, using: &random))
        let response = try datagram(deliverToB(initiation))
        _ = deliverToB(try datagram(deliverToA(response)))
    }

    mutating func deliverToA(_ bytes: [UInt8]) -> [OverlayDirective] {
        a.onDatagram(bytes, now: now, wall: wall, using: &random)
    }

    mutating func deliverToB(_ bytes: [UInt8]) -> [OverlayDirective] {
        b.onDatagram(bytes, now: now, wall: wall, using: &random)
    }

    mutating func sealed(_ payload: [UInt8]) throws -> [UInt8] {
        try datagram(a.onFrame(frame(payload), vni: vni, now: now))
    }
}

func datagram(_ directives: [OverlayDirective]) throws -> [UInt8] {
    for directive in directives { if case .sendDatagram(let bytes, _) = directive { return bytes } }
    throw Failure(.notFound, "no datagram among \(directives.count) directives")
}

func datagrams(_ directives: [OverlayDirective]) -> [[UInt8]] {
    directives.compactMap { if case .sendDatagram(let bytes, _) = $0 { bytes } else { nil } }
}

func frames(_ directives: [OverlayDirective]) -> [[UInt8]] {
    directives.compactMap { if case .writeFrame(let bytes, _, _) = $0 { bytes } else { nil } }
}
