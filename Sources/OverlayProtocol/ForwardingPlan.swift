import ClusterModel
import Primitives

/// Where a frame from a TAP goes.
public enum FrameDecision: Hashable, Sendable {
    /// To the peer of this index, which holds until the next table update.
    case forward(peer: Int)
    /// This ARP reply goes back into the TAP.
    case reply([UInt8])
    case drop(DropReason)
}

/// The managers' tables, made ready for one look-up a frame. There is no learning and no flooding.
struct ForwardingPlan: Sendable {
    enum Owner: Hashable, Sendable {
        case local
        case peer(Int)
    }

    private struct Host: Sendable {
        var mac: MACAddress
        var owner: Owner
    }

    private struct NetworkPlan: Sendable {
        var gateway: IPv4Address
        var gatewayMAC: MACAddress
        var owners: [UInt64: Owner] = [:]
        var hosts: [IPv4Address: Host] = [:]

        /// Whether an IPv4 frame is from an address of `owner` and from that address's own MAC.
        ///
        /// One look-up: a host's MAC has the same owner. What a node translates on the ingress network carries the
        /// node's own address there, which is an endpoint as well.
        @inline(__always)
        func isSource(of frame: UnsafeRawBufferPointer, _ owner: Owner) -> Bool {
            let address = IPv4Address(value: frame.bigEndianUInt32(at: OverlayLimits.ipv4SourceOffset))
            guard let host = hosts[address] else { return false }
            return host.owner == owner && host.mac.value == frame.macValue(at: 6)
        }
    }

    private enum EtherType {
        static let ipv4: UInt16 = 0x0800
        static let arp: UInt16 = 0x0806
    }

    private static let multicastBit: UInt64 = 0x0100_0000_0000

    private var networks: [UInt32: NetworkPlan] = [:]
    /// Endpoints left out because they contradict another one or name a node that is no peer.
    private(set) var refusedEndpoints: UInt64 = 0

    init() {}

    /// Of two endpoints with one MAC or one address in a network only the first in the order of node, MAC and address
    /// is used: two owners of one source would let one peer speak for the other.
    init(_ tables: OverlayTables, localNode: NodeID, peerIndex: [NodeID: Int]) {
        for network in tables.networks where network.vni <= OverlayLimits.greatestVNI {
            networks[network.vni] = NetworkPlan(gateway: network.gateway, gatewayMAC: network.gatewayMAC)
        }
        let ordered = tables.endpoints.sorted {
            ($0.node.value, $0.mac.value, $0.address.value) < ($1.node.value, $1.mac.value, $1.address.value)
        }
        for endpoint in ordered {
            guard var network = networks.removeValue(forKey: endpoint.vni) else { continue }
            defer { networks[endpoint.vni] = network }
            let owner = endpoint.node == localNode ? Owner.local : peerIndex[endpoint.node].map(Owner.peer)
            guard let owner, network.owners[endpoint.mac.value] == nil, network.hosts[endpoint.address] == nil,
                endpoint.mac.value & ForwardingPlan.multicastBit == 0, endpoint.mac != network.gatewayMAC,
                endpoint.address != network.gateway
            else {
                refusedEndpoints += 1
                continue
            }
            network.owners[endpoint.mac.value] = owner
            network.hosts[endpoint.address] = Host(mac: endpoint.mac, owner: owner)
        }
    }

    /// What happens to a frame that came out of the TAP of `vni`; only its first 42 bytes are looked at.
    func decide(_ frame: UnsafeRawBufferPointer, vni: UInt32) -> FrameDecision {
        guard frame.count >= OverlayLimits.ethernetHeaderBytes else { return .drop(.malformed) }
        guard let network = networks[vni] else { return .drop(.unknownNetwork) }
        switch frame.bigEndianUInt16(at: 12) {
        case EtherType.ipv4:
            guard frame.count >= OverlayLimits.ipv4FrameBytes else { return .drop(.malformed) }
            guard network.isSource(of: frame, .local) else { return .drop(.foreignSource) }
        case let other:
            guard network.owners[frame.macValue(at: 6)] == .local else { return .drop(.foreignSource) }
            guard other == EtherType.arp else { return .drop(.unsupportedEthertype) }
            return answerARP(frame, network)
        }
        let destination = frame.macValue(at: 0)
        if destination & ForwardingPlan.multicastBit != 0 { return .drop(.broadcast) }
        switch network.owners[destination] {
        case .peer(let index): return .forward(peer: index)
        case .local: return .drop(.localDestination)
        case nil:
            return .drop(destination == network.gatewayMAC.value ? .gatewayDestination : .unknownDestination)
        }
    }

    /// Proxy ARP (RFC 826 with the table's answers). Hosts on this node answer for themselves.
    private func answerARP(_ frame: UnsafeRawBufferPointer, _ network: NetworkPlan) -> FrameDecision {
        guard let packet = ARPPacket(frame), packet.senderMAC.value == frame.macValue(at: 6) else {
            return .drop(.malformed)
        }
        guard packet.isRequest else { return .drop(.unansweredARP) }
        let answer: MACAddress
        if packet.targetAddress == network.gateway {
            answer = network.gatewayMAC
        } else if let host = network.hosts[packet.targetAddress], host.owner != .local {
            answer = host.mac
        } else {
            return .drop(.unansweredARP)
        }
        return .reply(packet.reply(from: answer))
    }

    /// Nil when the peer may send this frame to this node, else why not.
    func admit(_ frame: UnsafeRawBufferPointer, vni: UInt32, from peer: Int) -> DropReason? {
        guard frame.count >= OverlayLimits.ethernetHeaderBytes else { return .malformed }
        guard let network = networks[vni] else { return .unknownNetwork }
        let source = frame.macValue(at: 6)
        let type = frame.bigEndianUInt16(at: 12)
        if type == EtherType.ipv4 {
            guard frame.count >= OverlayLimits.ipv4FrameBytes else { return .malformed }
            guard network.isSource(of: frame, .peer(peer)) else { return .notOwnedByPeer }
        } else {
            guard network.owners[source] == .peer(peer) else { return .notOwnedByPeer }
        }
        guard network.owners[frame.macValue(at: 0)] == .local else { return .notForThisNode }
        switch type {
        case EtherType.ipv4: return nil
        case EtherType.arp:
            guard let packet = ARPPacket(frame) else { return .malformed }
            guard let host = network.hosts[packet.senderAddress], host.owner == .peer(peer), host.mac.value == source,
                packet.senderMAC == host.mac
            else { return .notOwnedByPeer }
            return nil
        default: return .unsupportedEthertype
        }
    }
}

/// An ARP packet for Ethernet and IPv4 (RFC 826).
private struct ARPPacket {
    let isRequest: Bool
    let senderMAC: MACAddress
    let senderAddress: IPv4Address
    let targetAddress: IPv4Address

    init?(_ frame: UnsafeRawBufferPointer) {
        let start = OverlayLimits.ethernetHeaderBytes
        guard frame.count >= start + OverlayLimits.arpPacketBytes,
            frame.bigEndianUInt64(at: start) & 0xffff_ffff_ffff_0000 == 0x0001_0800_0604_0000
        else { return nil }
        isRequest = frame.bigEndianUInt16(at: start + 6) == 1
        senderMAC = MACAddress(value: frame.macValue(at: start + 8))
        senderAddress = IPv4Address(value: frame.bigEndianUInt32(at: start + 14))
        targetAddress = IPv4Address(value: frame.bigEndianUInt32(at: start + 24))
    }

    func reply(from mac: MACAddress) -> [UInt8] {
        var writer = ByteWriter(reserving: OverlayLimits.ethernetHeaderBytes + OverlayLimits.arpPacketBytes)
        writer.write(bytes: senderMAC.bytes)
        writer.write(bytes: mac.bytes)
        writer.write(UInt16(0x0806))
        writer.write(UInt64(0x0001_0800_0604_0002))
        writer.write(bytes: mac.bytes)
        writer.write(targetAddress.value)
        writer.write(bytes: senderMAC.bytes)
        writer.write(senderAddress.value)
        return writer.bytes
    }
}
