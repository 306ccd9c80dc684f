public import ClusterModel
public import Primitives
import SwiftProtobuf

extension Network {
    public init(wire: WireNetwork) throws(MessageError) {
        self.init(
            id: try NetworkID(wire: wire.id, field: "id"),
            meta: try required("meta", wire.hasMeta, Meta(wire: wire.meta)),
            spec: try required("spec", wire.hasSpec, NetworkSpec(wire: wire.spec)),
            allocation: try optional("allocation", wire.hasAllocation, NetworkAllocation(wire: wire.allocation)))
    }

    public var wire: WireNetwork {
        .with {
            $0.id = id.wire()
            $0.meta = meta.wire
            $0.spec = spec.wire
            if let allocation { $0.allocation = allocation.wire }
        }
    }
}

extension NetworkSpec {
    public init(wire: WireNetworkSpec) throws(MessageError) {
        self.init(
            name: wire.name, labels: try dictionary("labels", wire.labels),
            subnet: try optional("subnet", wire.hasSubnet, IPv4Network(wire: wire.subnet)),
            gateway: wire.hasGateway ? IPv4Address(value: wire.gateway) : nil, isInternal: wire.isInternal,
            isAttachable: wire.isAttachable, isIngress: wire.isIngress,
            driverOptions: try dictionary("driver_options", wire.driverOptions))
    }

    public var wire: WireNetworkSpec {
        .with {
            $0.name = name
            $0.labels = wirePairs(labels)
            if let subnet { $0.subnet = subnet.wire }
            if let gateway { $0.gateway = gateway.value }
            $0.isInternal = isInternal
            $0.isAttachable = isAttachable
            $0.isIngress = isIngress
            $0.driverOptions = wirePairs(driverOptions)
        }
    }
}

extension NetworkAllocation {
    public init(wire: WireNetworkAllocation) throws(MessageError) {
        var nodeAddresses: [NodeID: IPv4Address] = [:]
        for (index, entry) in wire.nodeAddresses.enumerated() {
            let field = "node_addresses[\(index)].node"
            let node = try NodeID(wire: entry.node, field: field)
            guard nodeAddresses.updateValue(IPv4Address(value: entry.address), forKey: node) == nil else {
                throw MessageError(field, "node \(node) twice")
            }
        }
        self.init(
            vni: wire.vni, subnet: try required("subnet", wire.hasSubnet, IPv4Network(wire: wire.subnet)),
            gateway: IPv4Address(value: wire.gateway), mtu: try narrowed("mtu", wire.mtu),
            nodeAddresses: nodeAddresses)
    }

    public var wire: WireNetworkAllocation {
        .with {
            $0.vni = vni
            $0.subnet = subnet.wire
            $0.gateway = gateway.value
            $0.mtu = UInt32(mtu)
            $0.nodeAddresses = nodeAddresses.sorted { $0.key < $1.key }.map { entry in
                .with {
                    $0.node = entry.key.wire()
                    $0.address = entry.value.value
                }
            }
        }
    }
}

extension IPv4Network {
    public init(wire: WireIPv4Network) throws(MessageError) {
        guard let length = UInt8(exactly: wire.prefixLength),
            let network = IPv4Network(address: IPv4Address(value: wire.address), prefixLength: length)
        else { throw MessageError("prefix_length", "\(wire.prefixLength) is above 32") }
        guard network.address.value == wire.address else {
            throw MessageError("address", "\(IPv4Address(value: wire.address)) is not the first of \(network)")
        }
        self = network
    }

    public var wire: WireIPv4Network {
        .with {
            $0.address = address.value
            $0.prefixLength = UInt32(prefixLength)
        }
    }
}
