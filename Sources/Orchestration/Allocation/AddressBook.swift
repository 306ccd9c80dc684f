import ClusterModel
import ClusterState
import Primitives

/// Which addresses of the networks are in use.
struct AddressBook {
    private struct Pool {
        let name: String
        let subnet: IPv4Network
        var used: Set<UInt32>
        /// Hosts begin here; the search goes round from the last address that was given out, so that one that was
        /// just freed rests while there are others.
        var next: UInt32

        var first: UInt32 { subnet.address.value + 1 }
        var last: UInt32 { subnet.broadcast.value - 1 }
        var size: Int { Int(last - first) + 1 }
    }

    private var pools: [NetworkID: Pool] = [:]

    /// - Parameter cursors: where the search in each network begins.
    init(_ tables: ClusterTables, cursors: [NetworkID: UInt32]) {
        tables.networks.forEachUnordered { network in
            guard let allocation = network.allocation, allocation.subnet.prefixLength <= 30 else { return }
            var used: Set<UInt32> = [allocation.gateway.value]
            for address in allocation.nodeAddresses.values { used.insert(address.value) }
            let first = allocation.subnet.address.value + 1
            pools[network.id] = Pool(
                name: network.spec.name, subnet: allocation.subnet, used: used, next: cursors[network.id] ?? first)
        }
        tables.tasks.forEachUnordered { task in
            // Also a task that is being stopped, or whose node is down and may come back, has its address.
            guard !task.status.state.isTerminal else { return }
            #if MUTANT_ADDRESS_FREED_EARLY
                guard task.desiredState <= .running else { return }
            #endif
            for attachment in task.networks { pools[attachment.network]?.used.insert(attachment.address.value) }
        }
    }

    var cursors: [NetworkID: UInt32] { pools.mapValues(\.next) }

    func has(_ network: NetworkID) -> Bool { pools[network] != nil }

    mutating func take(from network: NetworkID) throws(Failure) -> IPv4Address {
        guard var pool = pools[network] else {
            throw Failure(.failedPrecondition, "network \(network) has no subnet yet")
        }
        guard pool.used.count < pool.size else {
            throw Failure(
                .resourceExhausted,
                "network \"\(pool.name)\" has no free address: all \(pool.size) of \(pool.subnet) are in use; remove "
                    + "tasks or use a network with a larger subnet")
        }
        if pool.next < pool.first || pool.next > pool.last { pool.next = pool.first }
        while pool.used.contains(pool.next) { pool.next = pool.next == pool.last ? pool.first : pool.next + 1 }
        let address = IPv4Address(value: pool.next)
        pool.used.insert(pool.next)
        pool.next = pool.next == pool.last ? pool.first : pool.next + 1
        pools[network] = pool
        return address
    }

    mutating func release(_ address: IPv4Address, of network: NetworkID) {
        pools[network]?.used.remove(address.value)
    }
}
