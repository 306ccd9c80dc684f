import ClusterModel
import Primitives

@testable import NodeNetwork

/// A node 1 of two, with a network, the ingress network and a service of two tasks.
enum Example {
    static let node = NodeID(value: 1)
    static let other = NodeID(value: 2)
    static let shop = NetworkID(value: 10)
    static let ingress = NetworkID(value: 11)

    static func network(
        _ id: NetworkID, _ name: String, vni: UInt32, third: UInt8, isInternal: Bool = false, isIngress: Bool = false
    ) -> Network {
        let base = IPv4Address(10, 0, third, 0)
        var allocation = NetworkAllocation(
            vni: vni, subnet: IPv4Network(address: base, prefixLength: 24) ?? IPv4Network.everywhere,
            gateway: IPv4Address(10, 0, third, 1), mtu: 1398)
        if isIngress {
            allocation.nodeAddresses = [node: IPv4Address(10, 0, third, 2), other: IPv4Address(10, 0, third, 3)]
        }
        return Network(
            id: id, spec: NetworkSpec(name: name, isInternal: isInternal, isIngress: isIngress), allocation: allocation)
    }

    static func endpoint(
        _ network: NetworkID, task: UInt8, node: NodeID, third: UInt8, isServing: Bool = true
    ) -> NetworkEndpoint {
        NetworkEndpoint(
            network: network, task: TaskID(value: UInt128(task)), node: node, address: IPv4Address(10, 0, third, task),
            serviceName: "web", taskName: "web.\(task)", aliases: ["www"], isServing: isServing,
            ports: [PortConfig(targetPort: 80, publishedPort: 8080)])
    }

    static let view = NetworkView(
        networks: [
            network(shop, "shop", vni: 4097, third: 1),
            network(ingress, "ingress", vni: 4096, third: 9, isIngress: true),
        ],
        endpoints: [
            endpoint(shop, task: 21, node: node, third: 1), endpoint(ingress, task: 21, node: node, third: 9),
            endpoint(shop, task: 22, node: other, third: 1), endpoint(ingress, task: 22, node: other, third: 9),
        ],
        peers: [OverlayPeer(node: other, key: [UInt8](repeating: 5, count: 32), endpoint: "192.0.2.2:4789")])

    static func task(_ number: UInt8, ports: [PortConfig] = []) -> LocalTask {
        LocalTask(
            task: ClusterTask(
                id: TaskID(value: UInt128(number)), serviceID: ServiceID(value: 1), slot: 1, name: "web.\(number)",
                serviceName: "web", serviceVersion: 1, spec: TaskSpec(container: ContainerSpec(image: "web")),
                ports: ports,
                networks: [
                    NetworkAttachment(network: ingress, address: IPv4Address(10, 0, 9, number)),
                    NetworkAttachment(network: shop, address: IPv4Address(10, 0, 1, number)),
                ]))
    }

    static let tasks = [TaskID(value: 21): task(21)]
}

extension IPv4Network {
    fileprivate static let everywhere: IPv4Network = {
        guard let all = IPv4Network(address: IPv4Address(value: 0), prefixLength: 0) else {
            preconditionFailure("0 is a prefix length")
        }
        return all
    }()
}
