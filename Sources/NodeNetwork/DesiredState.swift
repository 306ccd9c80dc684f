import ClusterModel
import Primitives

/// A bridge with its way to other nodes.
struct DesiredNetwork: Hashable, Sendable {
    struct Address: Hashable, Sendable {
        var address: IPv4Address
        var prefixLength: UInt8
    }

    /// 0 for the node's local network, which has no TAP.
    var vni: UInt32
    var mac: MACAddress
    var mtu: UInt32
    var addresses: [Address]
    var isInternal: Bool

    var bridge: String { vni == 0 ? NetworkLimits.localBridge : "br" + hexadecimal(vni, digits: 6) }
    var tap: String? { vni == 0 ? nil : "tap" + hexadecimal(vni, digits: 6) }
}

/// A container's interface.
struct DesiredEndpoint: Hashable, Sendable {
    var task: TaskID
    var vni: UInt32
    /// Its name inside the container.
    var name: String
    var address: IPv4Address
    var prefixLength: UInt8
    var mtu: UInt32
    /// The default route, where it leads through this interface.
    var gateway: IPv4Address?

    var mac: MACAddress { MACAddress(container: address) }
    /// The outer end: named by network and address, so that no two tasks that live together share it.
    var link: String { "c" + hexadecimal(vni, digits: 6) + hexadecimal(address.value, digits: 8) }
}

/// What the node's namespace should hold.
struct DesiredState: Hashable, Sendable {
    var networks: [DesiredNetwork] = []
    var endpoints: [DesiredEndpoint] = []
    /// Whether other links are left over; false until the managers have told which networks there are.
    var isComplete = false
}

/// A task that runs here.
struct LocalTask: Hashable, Sendable {
    var task: ClusterTask
    /// In the local network, for a task that is in no other.
    var localAddress: IPv4Address?
}

func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

extension DesiredState {
    /// The state for a view of the cluster's networks, this node and the tasks on it.
    init(view: NetworkView?, node: NodeID, tasks: [TaskID: LocalTask]) {
        isComplete = view != nil
        let known = (view?.networks ?? []).sorted { $0.id < $1.id }
        var byID: [NetworkID: Network] = [:]
        for network in known {
            guard let allocation = network.allocation else { continue }
            byID[network.id] = network
            networks.append(DesiredNetwork(network, allocation, node: node))
        }
        if tasks.values.contains(where: { $0.localAddress != nil }) { networks.append(.local(node: node)) }
        for (id, local) in tasks.sorted(by: { $0.key < $1.key }) {
            endpoints += DesiredState.endpoints(of: local, id: id, networks: byID)
        }
    }

    private static func endpoints(
        of local: LocalTask, id: TaskID, networks: [NetworkID: Network]
    ) -> [DesiredEndpoint] {
        if let address = local.localAddress {
            return [
                DesiredEndpoint(
                    task: id, vni: 0, name: "eth0", address: address, prefixLength: NetworkLimits.localPrefix,
                    mtu: NetworkLimits.uplinkMTU, gateway: NetworkLimits.localGateway)
            ]
        }
        let exit = defaultNetwork(of: local.task, networks: networks)
        return local.task.networks.enumerated().compactMap { index, attachment in
            guard let allocation = networks[attachment.network]?.allocation else { return nil }
            return DesiredEndpoint(
                task: id, vni: allocation.vni, name: "eth\(index)", address: attachment.address,
                prefixLength: allocation.subnet.prefixLength, mtu: UInt32(allocation.mtu),
                gateway: attachment.network == exit ? allocation.gateway : nil)
        }
    }

    /// The first network with a way outside; the ingress network only where there is no other; else the first.
    private static func defaultNetwork(of task: ClusterTask, networks: [NetworkID: Network]) -> NetworkID? {
        let attached = task.networks.compactMap { networks[$0.network] }
        let outward = attached.filter { !$0.spec.isInternal }
        return (outward.first { !$0.spec.isIngress } ?? outward.first ?? attached.first)?.id
    }
}

extension DesiredNetwork {
    init(_ network: Network, _ allocation: NetworkAllocation, node: NodeID) {
        let length = allocation.subnet.prefixLength
        let gateway = Address(address: allocation.gateway, prefixLength: length)
        self.init(
            vni: allocation.vni, mac: DesiredNetwork.gatewayMAC(node: node, vni: allocation.vni),
            mtu: UInt32(allocation.mtu), addresses: [gateway], isInternal: network.spec.isInternal)
        // The node speaks on the ingress network with other nodes' tasks, so its address and MAC there are an
        // endpoint's; containers here find the gateway at the same interface.
        if network.spec.isIngress, let own = allocation.nodeAddresses[node] {
            mac = MACAddress(container: own)
            addresses = [
                Address(address: own, prefixLength: length), Address(address: allocation.gateway, prefixLength: 32),
            ]
        }
    }

    static func local(node: NodeID) -> DesiredNetwork {
        DesiredNetwork(
            vni: 0, mac: gatewayMAC(node: node, vni: 0), mtu: NetworkLimits.uplinkMTU,
            addresses: [Address(address: NetworkLimits.localGateway, prefixLength: NetworkLimits.localPrefix)],
            isInternal: false)
    }

    /// The node's own MAC of a gateway: locally administered, and not of the containers' prefix 02:42.
    static func gatewayMAC(node: NodeID, vni: UInt32) -> MACAddress {
        let folded = UInt32(truncatingIfNeeded: node.value ^ node.value >> 32 ^ node.value >> 64 ^ node.value >> 96)
        return MACAddress(value: 0x0253_0000_0000 | UInt64(folded ^ vni &* 0x9e37_79b9))
    }
}
