public import ClusterModel
public import Primitives

/// Where a node receives datagrams on the underlay.
public struct UnderlayEndpoint: Hashable, Sendable, CustomStringConvertible {
    public enum Address: Hashable, Sendable {
        case v4(IPv4Address)
        /// The first eight bytes and the last eight, each as a big-endian number.
        ///
        /// Not one UInt128: as the payload of an enum it is loaded from memory of too small alignment (Swift 6.3).
        case v6(high: UInt64, low: UInt64)
    }

    public var address: Address
    public var port: UInt16

    public init(address: Address, port: UInt16) {
        self.address = address
        self.port = port
    }

    public init(_ address: IPv4Address, port: UInt16) {
        self.init(address: .v4(address), port: port)
    }

    public var description: String {
        switch address {
        case .v4(let address): return "\(address):\(port)"
        case .v6(let high, let low):
            let groups = [high, low].flatMap { half in
                [48, 32, 16, 0].map { String(UInt16(truncatingIfNeeded: half >> UInt64($0)), radix: 16) }
            }
            return "[\(groups.joined(separator: ":"))]:\(port)"
        }
    }
}

/// Another node of the cluster, as the managers know it.
public struct OverlayPeer: Hashable, Sendable {
    public var node: NodeID
    public var publicKey: PublicKey
    public var endpoint: UnderlayEndpoint

    public init(node: NodeID, publicKey: PublicKey, endpoint: UnderlayEndpoint) {
        self.node = node
        self.publicKey = publicKey
        self.endpoint = endpoint
    }
}

/// A network of which this node runs a task.
public struct OverlayNetwork: Hashable, Sendable {
    /// 24 bits.
    public var vni: UInt32
    public var gateway: IPv4Address
    /// This node's own; every node has the same gateway address and another MAC.
    public var gatewayMAC: MACAddress

    public init(vni: UInt32, gateway: IPv4Address, gatewayMAC: MACAddress) {
        self.vni = vni
        self.gateway = gateway
        self.gatewayMAC = gatewayMAC
    }
}

/// A container's (or, on the ingress network, a node's) interface in a network.
public struct OverlayEndpoint: Hashable, Sendable {
    public var vni: UInt32
    public var mac: MACAddress
    public var address: IPv4Address
    public var node: NodeID

    public init(vni: UInt32, mac: MACAddress, address: IPv4Address, node: NodeID) {
        self.vni = vni
        self.mac = mac
        self.address = address
        self.node = node
    }
}

/// Everything the managers say that the overlay of one node has to know; the order of the lists means nothing.
public struct OverlayTables: Hashable, Sendable {
    /// Without this node itself.
    public var peers: [OverlayPeer]
    public var networks: [OverlayNetwork]
    /// Of all nodes, this one included.
    public var endpoints: [OverlayEndpoint]

    public init(peers: [OverlayPeer] = [], networks: [OverlayNetwork] = [], endpoints: [OverlayEndpoint] = []) {
        self.peers = peers
        self.networks = networks
        self.endpoints = endpoints
    }
}
