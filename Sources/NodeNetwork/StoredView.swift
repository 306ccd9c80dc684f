import ClusterModel
import Primitives

/// The last view of the managers, kept so that a restarted daemon knows names and peers before a manager answers.
enum StoredView {
    private static let version: UInt8 = 1
    private static let greatestTextBytes = 1 << 16

    static func encode(_ view: NetworkView) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(version)
        writer.write(UInt32(view.networks.count))
        for network in view.networks { write(network, to: &writer) }
        writer.write(UInt32(view.endpoints.count))
        for endpoint in view.endpoints { write(endpoint, to: &writer) }
        writer.write(UInt32(view.peers.count))
        for peer in view.peers {
            write(peer.node, to: &writer)
            writer.writePrefixed(bytes: peer.key)
            writer.writePrefixed(string: peer.endpoint)
        }
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(DecodeError) -> NetworkView {
        var reader = ByteReader(bytes)
        guard try reader.readUInt8() == version else { throw DecodeError("version of a stored view", offset: 0) }
        var view = NetworkView(networks: [], endpoints: [], peers: [])
        for _ in 0..<(try reader.readUInt32()) { view.networks.append(try network(&reader)) }
        for _ in 0..<(try reader.readUInt32()) { view.endpoints.append(try endpoint(&reader)) }
        for _ in 0..<(try reader.readUInt32()) {
            view.peers.append(
                OverlayPeer(
                    node: try identifier(&reader), key: Array(try reader.readPrefixedBytes(maximum: 64)),
                    endpoint: try reader.readPrefixedString(maximum: greatestTextBytes)))
        }
        return view
    }

    private static func write<Entity>(_ id: Identifier<Entity>, to writer: inout ByteWriter) {
        writer.write(UInt64(truncatingIfNeeded: id.value >> 64))
        writer.write(UInt64(truncatingIfNeeded: id.value))
    }

    private static func identifier<Entity>(_ reader: inout ByteReader) throws(DecodeError) -> Identifier<Entity> {
        let high = try reader.readUInt64()
        return Identifier(value: UInt128(high) << 64 | UInt128(try reader.readUInt64()))
    }

    /// Only what this module looks at; a network without an allocation is not kept.
    private static func write(_ network: Network, to writer: inout ByteWriter) {
        write(network.id, to: &writer)
        writer.writePrefixed(string: network.spec.name)
        writer.write(UInt8((network.spec.isInternal ? 1 : 0) | (network.spec.isIngress ? 2 : 0)))
        let allocation = network.allocation
        writer.write(UInt8(allocation == nil ? 0 : 1))
        guard let allocation else { return }
        writer.write(allocation.vni)
        writer.write(allocation.subnet.address.value)
        writer.write(allocation.subnet.prefixLength)
        writer.write(allocation.gateway.value)
        writer.write(allocation.mtu)
        writer.write(UInt32(allocation.nodeAddresses.count))
        for (node, address) in allocation.nodeAddresses.sorted(by: { $0.key < $1.key }) {
            write(node, to: &writer)
            writer.write(address.value)
        }
    }

    private static func network(_ reader: inout ByteReader) throws(DecodeError) -> Network {
        let id: NetworkID = try identifier(&reader)
        let name = try reader.readPrefixedString(maximum: greatestTextBytes)
        let flags = try reader.readUInt8()
        let spec = NetworkSpec(name: name, isInternal: flags & 1 != 0, isIngress: flags & 2 != 0)
        guard try reader.readUInt8() != 0 else { return Network(id: id, spec: spec) }
        let vni = try reader.readUInt32()
        let address = IPv4Address(value: try reader.readUInt32())
        guard let subnet = IPv4Network(address: address, prefixLength: try reader.readUInt8()) else {
            throw DecodeError("subnet of a stored network", offset: 0)
        }
        var allocation = NetworkAllocation(
            vni: vni, subnet: subnet, gateway: IPv4Address(value: try reader.readUInt32()),
            mtu: try reader.readUInt16())
        for _ in 0..<(try reader.readUInt32()) {
            let node: NodeID = try identifier(&reader)
            allocation.nodeAddresses[node] = IPv4Address(value: try reader.readUInt32())
        }
        return Network(id: id, spec: spec, allocation: allocation)
    }

    private static func write(_ endpoint: NetworkEndpoint, to writer: inout ByteWriter) {
        write(endpoint.network, to: &writer)
        write(endpoint.task, to: &writer)
        write(endpoint.node, to: &writer)
        writer.write(endpoint.address.value)
        writer.writePrefixed(string: endpoint.serviceName)
        writer.writePrefixed(string: endpoint.taskName)
        writer.write(UInt32(endpoint.aliases.count))
        for alias in endpoint.aliases { writer.writePrefixed(string: alias) }
        writer.write(UInt8(endpoint.isServing ? 1 : 0))
        writer.write(UInt32(endpoint.ports.count))
        for port in endpoint.ports {
            writer.writePrefixed(string: port.protocol.word)
            writer.write(port.targetPort)
            writer.write(port.publishedPort)
        }
    }

    private static func endpoint(_ reader: inout ByteReader) throws(DecodeError) -> NetworkEndpoint {
        var endpoint = NetworkEndpoint(
            network: try identifier(&reader), task: try identifier(&reader), node: try identifier(&reader),
            address: IPv4Address(value: try reader.readUInt32()),
            serviceName: try reader.readPrefixedString(maximum: greatestTextBytes),
            taskName: try reader.readPrefixedString(maximum: greatestTextBytes), aliases: [], isServing: false,
            ports: [])
        for _ in 0..<(try reader.readUInt32()) {
            endpoint.aliases.append(try reader.readPrefixedString(maximum: greatestTextBytes))
        }
        endpoint.isServing = try reader.readUInt8() != 0
        for _ in 0..<(try reader.readUInt32()) {
            let word = try reader.readPrefixedString(maximum: greatestTextBytes)
            guard let kind = PortProtocol.allCases.first(where: { $0.word == word }) else {
                throw DecodeError("protocol of a stored port", offset: 0)
            }
            endpoint.ports.append(
                PortConfig(
                    protocol: kind, targetPort: try reader.readUInt16(), publishedPort: try reader.readUInt16()))
        }
        return endpoint
    }
}
