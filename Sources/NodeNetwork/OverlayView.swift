import ClusterModel
import NameService
import OverlayProtocol
import Primitives

extension OverlayTables {
    /// What the data path has to know of a view.
    init(view: NetworkView, node: NodeID) {
        var vnis: [NetworkID: UInt32] = [:]
        var networks: [OverlayNetwork] = []
        var endpoints: [OverlayEndpoint] = []
        for network in view.networks {
            guard let allocation = network.allocation else { continue }
            vnis[network.id] = allocation.vni
            let isIngress = network.spec.isIngress
            // On the ingress network the bridge has an endpoint's MAC and answers for the gateway itself; no address
            // and no MAC of the table is then the gateway's.
            networks.append(
                OverlayNetwork(
                    vni: allocation.vni, gateway: isIngress ? IPv4Address(value: 0) : allocation.gateway,
                    gatewayMAC: isIngress
                        ? MACAddress(value: 0) : DesiredNetwork.gatewayMAC(node: node, vni: allocation.vni)))
            for (owner, address) in allocation.nodeAddresses.sorted(by: { $0.key < $1.key }) where isIngress {
                endpoints.append(
                    OverlayEndpoint(
                        vni: allocation.vni, mac: MACAddress(container: address), address: address, node: owner))
            }
        }
        for endpoint in view.endpoints {
            guard let vni = vnis[endpoint.network] else { continue }
            endpoints.append(
                OverlayEndpoint(
                    vni: vni, mac: MACAddress(container: endpoint.address), address: endpoint.address,
                    node: endpoint.node))
        }
        let peers = view.peers.compactMap { peer -> OverlayProtocol.OverlayPeer? in
            guard let key = PublicKey(bytes: peer.key), let endpoint = UnderlayEndpoint(text: peer.endpoint) else {
                return nil
            }
            return OverlayProtocol.OverlayPeer(node: peer.node, publicKey: key, endpoint: endpoint)
        }
        self.init(peers: peers, networks: networks, endpoints: endpoints)
    }
}

extension UnderlayEndpoint {
    /// Reads `1.2.3.4:4789` and `[2001:db8::1]:4789`.
    init?(text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        let host = text[..<colon]
        if let address = IPv4Address(String(host)) {
            self.init(address, port: port)
            return
        }
        guard host.first == "[", host.last == "]",
            let value = UnderlayEndpoint.ipv6(host.dropFirst().dropLast())
        else { return nil }
        self.init(
            address: .v6(high: UInt64(truncatingIfNeeded: value >> 64), low: UInt64(truncatingIfNeeded: value)),
            port: port)
    }

    /// RFC 4291 section 2.2, without the form that ends in dotted decimal.
    static func ipv6(_ text: Substring) -> UInt128? {
        func groups(_ part: Substring) -> [UInt16]? {
            if part.isEmpty { return [] }
            let found = part.split(separator: ":", omittingEmptySubsequences: false)
                .map { $0.utf8.count <= 4 ? UInt16($0, radix: 16) : nil }
            return found.contains(nil) ? nil : found.compactMap { $0 }
        }
        let bytes = Array(text.utf8)
        let gap = bytes.indices.dropLast().first { bytes[$0] == 58 && bytes[$0 + 1] == 58 }
        var all: [UInt16]
        if let gap {
            let middle = text.utf8.index(text.utf8.startIndex, offsetBy: gap)
            guard let before = groups(text[..<middle]),
                let after = groups(text[text.utf8.index(middle, offsetBy: 2)...]), before.count + after.count < 8
            else { return nil }
            all = before + [UInt16](repeating: 0, count: 8 - before.count - after.count) + after
        } else {
            guard let only = groups(text) else { return nil }
            all = only
        }
        guard all.count == 8 else { return nil }
        return all.reduce(0) { $0 << 16 | UInt128($1) }
    }
}

extension NetworkView {
    /// The names of each network.
    func nameTables() -> [NetworkID: NameTable] {
        var entries: [NetworkID: [NameTable.Entry]] = [:]
        for endpoint in endpoints {
            entries[endpoint.network, default: []].append(
                NameTable.Entry(
                    address: endpoint.address, service: endpoint.serviceName, task: endpoint.taskName,
                    aliases: endpoint.aliases, isServing: endpoint.isServing))
        }
        var tables: [NetworkID: NameTable] = [:]
        for network in networks {
            tables[network.id] = NameTable(
                entries[network.id] ?? [], networkName: network.spec.name, isInternal: network.spec.isInternal)
        }
        return tables
    }
}
