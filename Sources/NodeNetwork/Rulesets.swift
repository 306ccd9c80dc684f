import ClusterModel
import Primitives

/// A port of the node and where its connections go.
struct PublishedPort: Hashable, Sendable {
    struct Target: Hashable, Comparable, Sendable {
        var address: IPv4Address
        var port: UInt16

        static func < (a: Target, b: Target) -> Bool { (a.address, a.port) < (b.address, b.port) }
    }

    var `protocol`: PortProtocol
    var port: UInt16
    /// nil is every address of the host.
    var hostAddress: IPv4Address?
    /// Where the host leads it to in the node's namespace: the port itself, unless several share its number.
    var innerPort: UInt16
    var targets: [Target]
}

extension PortProtocol {
    /// What nft(8) calls it.
    var word: String { String(describing: self) }
}

/// The published ports of a node.
struct PortTable: Hashable, Sendable {
    private struct Key: Hashable, Comparable {
        var `protocol`: String
        var port: UInt16
        var address: IPv4Address?

        static func < (a: Key, b: Key) -> Bool {
            (a.protocol, a.port, a.address?.value ?? 0) < (b.protocol, b.port, b.address?.value ?? 0)
        }
    }

    private(set) var ports: [PublishedPort] = []
    /// Of tasks on this node: their connections keep the client's address.
    private(set) var localAddresses: [IPv4Address] = []
    private(set) var ingressBridge: String?
    /// This node's address on the ingress network; nil until the managers have given one.
    private(set) var ingressAddress: IPv4Address?

    init() {}

    init(view: NetworkView?, node: NodeID, tasks: [TaskID: LocalTask]) {
        var collected: [Key: (protocol: PortProtocol, targets: Set<PublishedPort.Target>)] = [:]
        func add(_ port: PortConfig, at address: IPv4Address, on host: IPv4Address?) {
            guard port.publishedPort != 0 else { return }
            let key = Key(protocol: port.protocol.word, port: port.publishedPort, address: host)
            collected[key, default: (port.protocol, [])].targets
                .insert(PublishedPort.Target(address: address, port: port.targetPort))
        }
        var local: Set<IPv4Address> = []
        if let ingress = view?.networks.first(where: { $0.spec.isIngress }), let allocation = ingress.allocation {
            ingressBridge = DesiredNetwork(ingress, allocation, node: node).bridge
            ingressAddress = allocation.nodeAddresses[node]
            for endpoint in view?.endpoints ?? [] where endpoint.network == ingress.id && endpoint.isServing {
                if endpoint.node == node {
                    // A container that is gone, or not yet there, takes no connection.
                    guard tasks[endpoint.task] != nil else { continue }
                    local.insert(endpoint.address)
                } else if ingressAddress == nil {
                    continue
                }
                for port in endpoint.ports { add(port, at: endpoint.address, on: nil) }
            }
        }
        for task in tasks.values {
            for port in task.task.ports where port.mode == .host {
                guard let address = task.localAddress ?? task.task.networks.first?.address else { continue }
                local.insert(address)
                add(
                    port, at: address,
                    on: port.hostAddress.flatMap { IPv4Address($0) }.flatMap { $0.value == 0 ? nil : $0 })
            }
        }
        localAddresses = local.sorted()
        let taken = Set(collected.keys.map(\.port))
        var next = NetworkLimits.firstInnerPort
        for (key, value) in collected.sorted(by: { $0.key < $1.key }) {
            var inner = key.port
            if key.address != nil {
                while taken.contains(next) { next += 1 }
                inner = next
                next += 1
            }
            ports.append(
                PublishedPort(
                    protocol: value.protocol, port: key.port, hostAddress: key.address, innerPort: inner,
                    targets: value.targets.sorted()))
        }
    }
}

/// Texts for nft(8); each is one transaction that replaces the rules of a table and leaves connections alone.
enum Rulesets {
    private static let chains = (
        prerouting: "{ type nat hook prerouting priority dstnat; policy accept; }",
        postrouting: "{ type nat hook postrouting priority srcnat; policy accept; }",
        output: "{ type nat hook output priority -100; policy accept; }"
    )

    private static func table(_ table: String, _ chains: [(String, String)], _ rules: [String]) -> String {
        var lines = ["add table \(table)"]
        lines += chains.map { "add chain \(table) \($0.0) \($0.1)" }
        lines.append("flush table \(table)")
        lines += rules.map { "add rule \(table) \($0)" }
        return lines.joined(separator: "\n") + "\n"
    }

    static func removal(of table: String) -> String { "add table \(table)\ndelete table \(table)\n" }

    /// The host's namespace: published ports go to the node's namespace, what comes from there goes out.
    static func host(_ ports: PortTable) -> String {
        let link = NetworkLimits.hostLink
        let node = NetworkLimits.nodeAddress
        var rules = [
            // Containers have no business at the host's own loopback, whatever route_localnet lets through.
            "raw iifname \"\(link)\" ip daddr 127.0.0.0/8 drop"
        ]
        // Those of one host address come first: they are the closer match.
        let ordered = ports.ports.filter { $0.hostAddress != nil } + ports.ports.filter { $0.hostAddress == nil }
        for port in ordered {
            let destination = port.hostAddress.map { "ip daddr \($0)" } ?? "fib daddr type local"
            for chain in ["prerouting", "output"] {
                rules.append(
                    "\(chain) \(destination) \(port.protocol.word) dport \(port.port) dnat to \(node):\(port.innerPort)"
                )
            }
        }
        rules += [
            "postrouting ip saddr \(node) masquerade",
            "postrouting oifname \"\(link)\" ip saddr 127.0.0.0/8 masquerade",
        ]
        return table(
            NetworkLimits.table,
            [
                ("raw", "{ type filter hook prerouting priority raw; policy accept; }"),
                ("prerouting", chains.prerouting), ("output", chains.output), ("postrouting", chains.postrouting),
            ], rules)
    }

    /// The node's own namespace: published ports go to tasks, networks are kept apart and translated to the outside.
    static func node(_ ports: PortTable, networks: [DesiredNetwork]) -> String {
        let uplink = "\"\(NetworkLimits.uplink)\""
        var rules: [String] = []
        for port in ports.ports {
            rules.append(
                "prerouting iifname \(uplink) \(port.protocol.word) dport \(port.innerPort) \(destination(port.targets))"
            )
        }
        rules += ["forward ct state established,related accept", "forward ct status dnat accept"]
        let outward = networks.filter { !$0.isInternal }.map { "\"\($0.bridge)\"" }.sorted()
        if !outward.isEmpty {
            rules.append("forward iifname { \(outward.joined(separator: ", ")) } oifname \(uplink) accept")
        }
        if let bridge = ports.ingressBridge, let own = ports.ingressAddress {
            let local = ports.localAddresses.map(\.description).joined(separator: ", ")
            let elsewhere = local.isEmpty ? "" : "ip daddr != { \(local) } "
            rules.append("postrouting iifname \(uplink) oifname \"\(bridge)\" \(elsewhere)snat to \(own)")
        }
        rules.append("postrouting oifname \(uplink) masquerade")
        return table(
            NetworkLimits.table,
            [
                ("prerouting", chains.prerouting), ("postrouting", chains.postrouting),
                ("forward", "{ type filter hook forward priority filter; policy drop; }"),
            ], rules)
    }

    private static func destination(_ targets: [PublishedPort.Target]) -> String {
        if targets.count == 1 { return "dnat to \(targets[0].address):\(targets[0].port)" }
        let map = targets.enumerated().map { "\($0) : \($1.address) . \($1.port)" }.joined(separator: ", ")
        return "dnat ip addr . port to numgen random mod \(targets.count) map { \(map) }"
    }

    /// A container's namespace: its resolver's port 53 is the node's, and stays free for the container itself.
    static func container(udp: UInt16, tcp: UInt16) -> String {
        let address = NetworkLimits.resolverAddress
        return table(
            NetworkLimits.containerTable, [("output", chains.output)],
            [
                "output ip daddr \(address) udp dport 53 dnat to \(address):\(udp)",
                "output ip daddr \(address) tcp dport 53 dnat to \(address):\(tcp)",
            ])
    }
}
