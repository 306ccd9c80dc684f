import ClusterModel
import LinuxSystem
import Primitives

/// What a namespace holds.
struct ObservedState: Hashable, Sendable {
    var links: [NetworkLink] = []
    var addresses: [LinkAddress] = []
    /// TAPs whose descriptor this process holds.
    var openTAPs: Set<UInt32> = []
}

/// One change of the node's namespace.
enum ReconcileStep: Hashable, Sendable, CustomStringConvertible {
    case deleteLink(String)
    case closeTAP(vni: UInt32)
    case createBridge(DesiredNetwork)
    case changeLink(String, mac: MACAddress?, mtu: UInt32?, master: Int32?, up: Bool)
    case addAddress(LinkAddress, on: String)
    case removeAddress(LinkAddress, on: String)
    case openTAP(vni: UInt32, name: String, mtu: UInt32)
    case attach(DesiredEndpoint, bridge: Int32)

    var description: String {
        switch self {
        case .deleteLink(let name): "link \(name) is there and should not be"
        case .closeTAP(let vni): "the TAP of VNI \(vni) is served and should not be"
        case .createBridge(let network): "bridge \(network.bridge) is missing"
        case .changeLink(let name, _, _, _, _): "link \(name) has another MAC, MTU, bridge or state than it should"
        case .addAddress(let address, let name): "address \(address.address) of \(name) is missing"
        case .removeAddress(let address, let name): "address \(address.address) of \(name) should not be"
        case .openTAP(_, let name, _): "TAP \(name) is not served"
        case .attach(let endpoint, _): "interface \(endpoint.name) of task \(endpoint.task) is missing"
        }
    }
}

/// Compares what is with what should be.
enum Reconciler {
    /// The steps that can be done now; after them the next call says what they made possible. Empty: all is well.
    static func plan(_ desired: DesiredState, _ observed: ObservedState) -> [ReconcileStep] {
        var links: [String: NetworkLink] = [:]
        for link in observed.links { links[link.name] = link }
        var steps: [ReconcileStep] = []
        if desired.isComplete { steps += leftovers(desired, observed) }
        for network in desired.networks {
            guard let bridge = links[network.bridge] else {
                steps.append(.createBridge(network))
                continue
            }
            steps += differences(of: network, bridge, observed)
            guard let tap = network.tap else { continue }
            if let link = links[tap], observed.openTAPs.contains(network.vni) {
                steps += difference(link, mtu: network.mtu, master: bridge.index)
            } else {
                steps.append(.openTAP(vni: network.vni, name: tap, mtu: network.mtu))
            }
        }
        let bridges = Dictionary(desired.networks.map { ($0.vni, $0.bridge) }) { first, _ in first }
        for endpoint in desired.endpoints {
            guard let bridge = bridges[endpoint.vni].flatMap({ links[$0] }) else { continue }
            guard let link = links[endpoint.link] else {
                steps.append(.attach(endpoint, bridge: bridge.index))
                continue
            }
            // The alias is written last: a link without it was not finished, one with another was another task's.
            guard link.alias == endpoint.task.description else {
                steps.append(.deleteLink(link.name))
                continue
            }
            steps += difference(link, mtu: endpoint.mtu, master: bridge.index)
        }
        return steps
    }

    private static func leftovers(_ desired: DesiredState, _ observed: ObservedState) -> [ReconcileStep] {
        var wanted: Set<String> = ["lo", NetworkLimits.uplink]
        for network in desired.networks { wanted.formUnion([network.bridge, network.tap].compactMap { $0 }) }
        wanted.formUnion(desired.endpoints.map(\.link))
        let vnis = Set(desired.networks.map(\.vni))
        let served = observed.openTAPs.subtracting(vnis).sorted().map { ReconcileStep.closeTAP(vni: $0) }
        // Only what this module makes: the kernel may put devices of its own into a namespace (tunl0, sit0).
        let unwanted = observed.links.filter {
            !wanted.contains($0.name) && ["bridge", "veth", "tun"].contains($0.kind)
        }
        return served + unwanted.map { .deleteLink($0.name) }
    }

    private static func difference(_ link: NetworkLink, mtu: UInt32, master: Int32) -> [ReconcileStep] {
        if link.mtu == mtu, link.master == master, link.isUp { return [] }
        return [.changeLink(link.name, mac: nil, mtu: mtu, master: master, up: true)]
    }

    private static func differences(
        of network: DesiredNetwork, _ bridge: NetworkLink, _ observed: ObservedState
    ) -> [ReconcileStep] {
        var steps: [ReconcileStep] = []
        if bridge.mac != network.mac || bridge.mtu != network.mtu || !bridge.isUp {
            steps.append(.changeLink(bridge.name, mac: network.mac, mtu: network.mtu, master: nil, up: true))
        }
        let wanted = network.addresses.map {
            LinkAddress(link: bridge.index, address: $0.address, prefixLength: $0.prefixLength)
        }
        let present = observed.addresses.filter { $0.link == bridge.index }
        steps += present.filter { !wanted.contains($0) }.map { .removeAddress($0, on: bridge.name) }
        return steps + wanted.filter { !present.contains($0) }.map { .addAddress($0, on: bridge.name) }
    }
}
