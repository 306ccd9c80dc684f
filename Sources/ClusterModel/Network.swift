public import Primitives

/// An overlay network.
public struct Network: Hashable, Sendable {
    public var id: NetworkID
    public var meta: Meta
    public var spec: NetworkSpec
    /// What the managers allocated; nil until then.
    public var allocation: NetworkAllocation?

    public init(id: NetworkID, meta: Meta = Meta(), spec: NetworkSpec, allocation: NetworkAllocation? = nil) {
        self.id = id
        self.meta = meta
        self.spec = spec
        self.allocation = allocation
    }
}

public struct NetworkSpec: Hashable, Sendable {
    public var name: String
    public var labels: [String: String]
    /// Asked for by the user; nil takes the next free part of the pool.
    public var subnet: IPv4Network?
    public var gateway: IPv4Address?
    /// Without a way to the outside.
    public var isInternal: Bool
    public var isAttachable: Bool
    /// The one network that published ports go through.
    public var isIngress: Bool
    public var driverOptions: [String: String]

    public init(
        name: String, labels: [String: String] = [:], subnet: IPv4Network? = nil, gateway: IPv4Address? = nil,
        isInternal: Bool = false, isAttachable: Bool = false, isIngress: Bool = false,
        driverOptions: [String: String] = [:]
    ) {
        self.name = name
        self.labels = labels
        self.subnet = subnet
        self.gateway = gateway
        self.isInternal = isInternal
        self.isAttachable = isAttachable
        self.isIngress = isIngress
        self.driverOptions = driverOptions
    }
}

public struct NetworkAllocation: Hashable, Sendable {
    /// VXLAN network identifier, 24 bits.
    public var vni: UInt32
    public var subnet: IPv4Network
    public var gateway: IPv4Address
    /// Bytes; the same on every node (RFC 7348 forbids fragmentation by the tunnel's end).
    public var mtu: UInt16
    /// On the ingress network: the address that each node forwards from.
    public var nodeAddresses: [NodeID: IPv4Address]

    public init(
        vni: UInt32, subnet: IPv4Network, gateway: IPv4Address, mtu: UInt16, nodeAddresses: [NodeID: IPv4Address] = [:]
    ) {
        self.vni = vni
        self.subnet = subnet
        self.gateway = gateway
        self.mtu = mtu
        self.nodeAddresses = nodeAddresses
    }
}
