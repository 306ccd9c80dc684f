import Primitives

/// Bounds, names and fixed addresses of a node's network.
enum NetworkLimits {
    /// How long a task may wait for the managers' description of its networks.
    static let viewSeconds = 8
    static let viewPollMilliseconds = 20
    /// How often kernel state is compared with what it should be when nothing happens.
    static let repairSeconds = 10
    /// Rounds until the kernel's state is as desired: each makes what the former one made possible.
    static let reconcileRounds = 6
    static let storedViewBytes = 64 << 20
    static let resolverFileBytes = 1 << 16

    /// The resolver's port in a container: above what the kernel gives out by itself (60999), tried upwards.
    static let firstResolverPort: UInt16 = 61_053
    static let resolverPorts: UInt16 = 16
    /// TCP connections of one container to its resolver; each costs a descriptor and some buffers.
    static let nameConnectionsPerContainer = 16
    static let nameConnectionSeconds: Int64 = 10

    /// The veth to the host: its end there and the other one.
    static let hostLink = "swarm0"
    static let uplink = "uplink"
    /// The network of tasks that are in none of the cluster's: of this node only, link-local like the uplink.
    static let localBridge = "local"
    static let uplinkMTU: UInt32 = 1_500
    static let table = "ip swarm"
    static let containerTable = "ip swarm_dns"
    static let resolverAddress = "127.0.0.11"
    /// Where ports of a given host address are led within the node's namespace.
    static let firstInnerPort: UInt16 = 20_000

    static let hostAddress = IPv4Address(169, 254, 57, 1)
    static let nodeAddress = IPv4Address(169, 254, 57, 2)
    static let everywhere = IPv4Network(address: IPv4Address(value: 0), prefixLength: 0)
    static let uplinkPrefix: UInt8 = 30
    static let localGateway = IPv4Address(169, 254, 60, 1)
    static let localPrefix: UInt8 = 22
}
