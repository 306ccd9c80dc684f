public import ClusterModel
public import ClusterState
public import Primitives

/// Gives networks their identifier and subnet.
public struct NetworkPlan: Sendable {
    private let pools: [IPv4Network]
    private let prefixLength: UInt8
    private let hostRoutes: [IPv4Network]
    private let mtu: UInt16
    private var networks: [(name: String, subnet: IPv4Network)] = []
    private var identifiers: Set<UInt32> = []

    /// - Parameter hostRoutes: what nodes reach by other ways than the cluster's networks. Default routes are ignored.
    public init(_ tables: ClusterTables, hostRoutes: [IPv4Network], mtu: UInt16) {
        pools = tables.cluster?.addressPools ?? []
        prefixLength = tables.cluster?.subnetPrefixLength ?? 24
        self.hostRoutes = hostRoutes.filter { $0.prefixLength > 0 }
        self.mtu = mtu
        tables.networks.forEachUnordered { network in
            guard let allocation = network.allocation else { return }
            networks.append((network.spec.name, allocation.subnet))
            identifiers.insert(allocation.vni)
        }
        networks.sort { ($0.subnet.address, $0.name) < ($1.subnet.address, $1.name) }
    }

    /// Chooses for one network, and remembers it for the next.
    ///
    /// - Throws: `failedPrecondition` where the asked subnet is taken, `resourceExhausted` where nothing is left,
    ///   `invalidArgument` where subnet and gateway make no network.
    public mutating func allocate(_ spec: NetworkSpec) throws(Failure) -> NetworkAllocation {
        let subnet: IPv4Network
        if let asked = spec.subnet {
            try check(asked, name: spec.name)
            subnet = asked
        } else {
            subnet = try nextFree(name: spec.name)
        }
        let gateway = spec.gateway ?? IPv4Address(value: subnet.address.value + 1)
        guard subnet.contains(gateway), gateway != subnet.address, gateway != subnet.broadcast else {
            throw Failure(
                .invalidArgument, "network \"\(spec.name)\": gateway \(gateway) is not a host address of \(subnet)")
        }
        let range = OrchestrationLimits.firstVNI...OrchestrationLimits.lastVNI
        guard let vni = range.first(where: { !identifiers.contains($0) }) else {
            throw Failure(.resourceExhausted, "network \"\(spec.name)\": every VXLAN network identifier is in use")
        }
        identifiers.insert(vni)
        networks.append((spec.name, subnet))
        return NetworkAllocation(vni: vni, subnet: subnet, gateway: gateway, mtu: mtu)
    }

    private func check(_ subnet: IPv4Network, name: String) throws(Failure) {
        guard subnet.prefixLength <= 30 else {
            throw Failure(
                .invalidArgument,
                "network \"\(name)\": subnet \(subnet) has no room for a gateway and a task: use /30 or larger")
        }
        if let other = networks.first(where: { $0.subnet.overlaps(subnet) }) {
            throw Failure(
                .failedPrecondition,
                "network \"\(name)\": subnet \(subnet) overlaps \(other.subnet) of network \"\(other.name)\"")
        }
        if let route = hostRoutes.first(where: { $0.overlaps(subnet) }) {
            throw Failure(
                .failedPrecondition,
                "network \"\(name)\": subnet \(subnet) overlaps the route to \(route) that nodes have: choose another")
        }
    }

    private func nextFree(name: String) throws(Failure) -> IPv4Network {
        let taken = networks.map(\.subnet) + hostRoutes
        for pool in pools where pool.prefixLength <= prefixLength && prefixLength <= 30 {
            let size = UInt64(1) << (32 - UInt64(prefixLength))
            let end = UInt64(pool.broadcast.value)
            var start = UInt64(pool.address.value)
            while start + size - 1 <= end {
                let address = IPv4Address(value: UInt32(start))
                guard let candidate = IPv4Network(address: address, prefixLength: prefixLength) else { break }
                guard let obstacle = taken.first(where: { $0.overlaps(candidate) }) else { return candidate }
                // Behind what is in the way, on the next boundary.
                let behind = UInt64(obstacle.broadcast.value) + 1
                start = max(start + size, (behind + size - 1) / size * size)
            }
        }
        let names = pools.map(\.description).joined(separator: ", ")
        throw Failure(
            .resourceExhausted,
            "network \"\(name)\": no /\(prefixLength) is left in the address pools (\(names)) that overlaps no network "
                + "and no route of the nodes: remove networks or give a subnet")
    }
}
