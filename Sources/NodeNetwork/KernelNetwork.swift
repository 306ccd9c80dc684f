import ClusterModel
import Glibc
import LinuxSystem
import Nftables
import OverlayDataplane
import Primitives
import Synchronization

/// The hands of the node's network: brings the kernel's state to the desired one. All calls on the network thread.
final class KernelNetwork: Sendable {
    private struct State {
        var taps: [UInt32: SharedDescriptor] = [:]
        var hostRules = ""
        var nodeRules = ""
        /// What nft printed after the rules were set; a difference is somebody else's change.
        var hostListing: String?
        var nodeListing: String?
    }

    let folder: String
    let thread: NamespaceThread
    private let dataplane: Dataplane
    let namespace: SharedDescriptor
    private let state = Mutex(State())

    init(folder: String, thread: NamespaceThread, dataplane: Dataplane) throws {
        self.folder = folder
        self.thread = thread
        self.dataplane = dataplane
        namespace = try NodeNamespace.open(in: folder, thread: thread)
    }

    // MARK: Reconciling

    /// Brings links, addresses and rules to the desired state; `namespaces` are those of the tasks' containers.
    func reconcile(
        _ desired: DesiredState, ports: PortTable, namespaces: [TaskID: SharedDescriptor]
    ) throws {
        try thread.inside(namespace) {
            var rounds = 0
            while true {
                let steps = Reconciler.plan(desired, try observe())
                // A container that has ended took its interface along: nothing is left to attach.
                let possible = steps.filter { step in
                    if case .attach(let endpoint, _) = step { return namespaces[endpoint.task] != nil }
                    return true
                }
                if possible.isEmpty { break }
                rounds += 1
                guard rounds <= NetworkLimits.reconcileRounds else {
                    throw Failure(.internal, "the node's network does not settle: \(possible[0])")
                }
                try perform(possible, namespaces: namespaces)
            }
            try applyNodeRules(Rulesets.node(ports, networks: desired.networks))
        }
        try applyHostRules(Rulesets.host(ports))
    }

    private func observe() throws -> ObservedState {
        var netlink = try NetlinkSocket()
        return ObservedState(
            links: try netlink.links(), addresses: try netlink.addresses(),
            openTAPs: state.withLock { Set($0.taps.keys) })
    }

    private func perform(_ steps: [ReconcileStep], namespaces: [TaskID: SharedDescriptor]) throws {
        var netlink = try NetlinkSocket()
        for step in steps {
            do {
                try perform(step, &netlink, namespaces: namespaces)
            } catch let error as Errno {
                throw Failure(.internal, "repairing the node's network (\(step))", cause: error)
            }
        }
    }

    private func perform(
        _ step: ReconcileStep, _ netlink: inout NetlinkSocket, namespaces: [TaskID: SharedDescriptor]
    ) throws {
        switch step {
        case .deleteLink(let name):
            do throws(Errno) { try netlink.perform(.deleteLink(name)) } catch {
                // It went by itself, with the namespace of its other end.
                if error != .noDevice { throw error }
            }
        case .closeTAP(let vni):
            dataplane.removeNetwork(vni: vni)
            state.withLock { _ = $0.taps.removeValue(forKey: vni) }
        case .createBridge(let network):
            try netlink.perform(.createBridge(name: network.bridge, mac: network.mac, mtu: network.mtu))
        case .changeLink(let name, let mac, let mtu, let master, let up):
            try netlink.perform(.changeLink(name, up: up, mac: mac, mtu: mtu, master: master))
        case .addAddress(let address, _): try netlink.perform(.addAddress(address))
        case .removeAddress(let address, _): try netlink.perform(.removeAddress(address))
        case .openTAP(let vni, let name, let mtu):
            state.withLock { _ = $0.taps.removeValue(forKey: vni) }
            let tap = SharedDescriptor(OwnedDescriptor(adopting: try TAPDevice.open(name: name, persistent: true)))
            try dataplane.addNetwork(vni: vni, tapDescriptor: tap.descriptor.number, mtu: Int(mtu))
            state.withLock { $0.taps[vni] = tap }
        case .attach(let endpoint, let bridge):
            guard let container = namespaces[endpoint.task] else { return }
            try attach(endpoint, bridge: bridge, &netlink, container)
        }
    }

    private func attach(
        _ endpoint: DesiredEndpoint, bridge: Int32, _ netlink: inout NetlinkSocket, _ container: SharedDescriptor
    ) throws {
        let peer = VethPeer(
            name: endpoint.name, mac: endpoint.mac, mtu: endpoint.mtu, namespace: container.descriptor.number)
        try netlink.perform([
            .createVeth(name: endpoint.link, mtu: endpoint.mtu, peer: peer),
            .changeLink(endpoint.link, up: true, master: bridge),
        ])
        try Namespaces.network.enter(container.descriptor)
        defer { try? Namespaces.network.enter(namespace.descriptor) }
        try Loopback.bringUp()
        // A published port's answer leaves by the default route, which may be another interface.
        for interface in ["all", endpoint.name] {
            try KernelSetting("/proc/sys/net/ipv4/conf/\(interface)/rp_filter", "0").apply()
        }
        try KernelSetting("/proc/sys/net/ipv6/conf/\(endpoint.name)/disable_ipv6", "1", isOptional: true).apply()
        var inner = try NetlinkSocket()
        guard let index = try inner.links().first(where: { $0.name == endpoint.name })?.index else {
            throw Errno.noDevice
        }
        try inner.perform([
            .addAddress(LinkAddress(link: index, address: endpoint.address, prefixLength: endpoint.prefixLength)),
            .changeLink(endpoint.name, up: true),
        ])
        if let gateway = endpoint.gateway, let everywhere = NetworkLimits.everywhere {
            try inner.perform(
                .setRoute(NetworkRoute(destination: everywhere, gateway: gateway, link: index)))
        }
        try netlink.perform(.changeLink(endpoint.link, alias: endpoint.task.description))
    }

    // MARK: Rules

    private func applyNodeRules(_ rules: String) throws {
        let listing = Firewall.listing(of: NetworkLimits.table)
        let isCurrent = state.withLock { $0.nodeRules == rules && $0.nodeListing == listing && listing != nil }
        if isCurrent { return }
        try Firewall.apply(rules)
        let now = Firewall.listing(of: NetworkLimits.table)
        state.withLock { ($0.nodeRules, $0.nodeListing) = (rules, now) }
    }

    private func applyHostRules(_ rules: String) throws {
        let listing = Firewall.listing(of: NetworkLimits.table)
        let isCurrent = state.withLock { $0.hostRules == rules && $0.hostListing == listing && listing != nil }
        if !isCurrent {
            try Firewall.apply(rules)
            let now = Firewall.listing(of: NetworkLimits.table)
            state.withLock { ($0.hostRules, $0.hostListing) = (rules, now) }
        }
    }

    /// Inserts accept rules for the node's link where another program's chain drops what is forwarded.
    func openForeignChains() throws {
        let additions = ForeignForwarding.additions(try Firewall.ruleset())
        if !additions.isEmpty { try Firewall.apply(additions.joined(separator: "\n") + "\n") }
    }

    /// What is not as it should be, for people.
    func differences(_ desired: DesiredState, namespaces: [TaskID: SharedDescriptor]) throws -> [String] {
        var found = try thread.inside(namespace) {
            var found = try nodeDifferences()
            found += Reconciler.plan(desired, try observe()).compactMap { step in
                // A container that has ended took its interface along: nothing is left to attach.
                if case .attach(let endpoint, _) = step, namespaces[endpoint.task] == nil { return nil }
                return step.description
            }
            let listing = Firewall.listing(of: NetworkLimits.table)
            if state.withLock({ $0.nodeListing != listing }) {
                found.append("the rules of the node's namespace in table \(NetworkLimits.table) differ")
            }
            return found
        }
        found += try hostDifferences()
        let listing = Firewall.listing(of: NetworkLimits.table)
        if state.withLock({ $0.hostListing != listing }) {
            found.append("the rules of the host in table \(NetworkLimits.table) differ")
        }
        found += ForeignForwarding.additions(try Firewall.ruleset()).map {
            "a foreign chain drops forwarded traffic: \($0)"
        }
        return found
    }

    // MARK: Containers

    /// The resolver's sockets in a container's namespace, with port 53 led to them: those kept from before, or new ones.
    func openResolver(in container: SharedDescriptor, kept: [SharedDescriptor]) throws -> [SharedDescriptor] {
        try thread.inside(container) {
            try Loopback.bringUp()
            if kept.count == 2 {
                let (udp, tcp) = (kept[0], kept[1])
                try Firewall.apply(
                    Rulesets.container(
                        udp: try InternetSocket.port(of: udp.descriptor),
                        tcp: try InternetSocket.port(of: tcp.descriptor)))
                return kept
            }
            let (udp, udpPort) = try openFirst { port throws(Errno) in
                try InternetSocket.bindUDP(NetworkLimits.resolverAddress, port: port)
            }
            let (tcp, tcpPort) = try openFirst { port throws(Errno) in
                try InternetSocket.listenTCP(NetworkLimits.resolverAddress, port: port)
            }
            try Firewall.apply(Rulesets.container(udp: udpPort, tcp: tcpPort))
            return [udp, tcp]
        }
    }

    private func openFirst(
        _ open: (UInt16) throws(Errno) -> OwnedDescriptor
    ) throws(Errno) -> (SharedDescriptor, UInt16) {
        var port = NetworkLimits.firstResolverPort
        while true {
            do throws(Errno) {
                return (SharedDescriptor(try open(port)), port)
            } catch {
                port += 1
                if error != .addressInUse || port == NetworkLimits.firstResolverPort + NetworkLimits.resolverPorts {
                    throw error
                }
            }
        }
    }

    /// The local network's addresses in use, by task, as the links' names say.
    func localAddresses() throws -> [String: IPv4Address] {
        try thread.inside(namespace) {
            var netlink = try NetlinkSocket()
            var found: [String: IPv4Address] = [:]
            for link in try netlink.links() where link.name.hasPrefix("c000000") {
                guard let value = UInt32(link.name.dropFirst(7), radix: 16), let alias = link.alias else { continue }
                found[alias] = IPv4Address(value: value)
            }
            return found
        }
    }

    // MARK: The end

    /// Leaves nothing behind: links, rules, the namespace, settings.
    func removeAll() throws {
        for vni in state.withLock({ state in
            defer { state.taps.removeAll() }
            return state.taps.keys.sorted()
        }) { dataplane.removeNetwork(vni: vni) }
        var netlink = try NetlinkSocket()
        do throws(Errno) { try netlink.perform(.deleteLink(NetworkLimits.hostLink)) } catch {
            if error != .noDevice { throw error }
        }
        try Firewall.apply(Rulesets.removal(of: NetworkLimits.table))
        let foreign = ForeignForwarding.removals(try Firewall.ruleset())
        if !foreign.isEmpty { try Firewall.apply(foreign.joined(separator: "\n") + "\n") }
        // Not left to the namespace's end: a container's descriptor may keep it for a while.
        try thread.inside(namespace) {
            var inner = try NetlinkSocket()
            for link in try inner.links() where ["bridge", "veth", "tun"].contains(link.kind) {
                do throws(Errno) { try inner.perform(.deleteLink(link.name)) } catch {
                    if error != .noDevice { throw error }
                }
            }
        }
        NodeNamespace.remove(in: folder)
        try HostForwarding.restore(folder: folder)
    }
}
