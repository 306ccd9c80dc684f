import ClusterModel
import LinuxSystem
import Primitives
import Testing

@testable import NodeNetwork

@Suite struct ReconcilerTests {
    private let desired = DesiredState(view: Example.view, node: Example.node, tasks: Example.tasks)

    /// What a kernel makes of the steps.
    private struct FakeKernel {
        var observed = ObservedState(links: [
            NetworkLink(index: 1, name: "lo"), NetworkLink(index: 2, name: "uplink", kind: "veth"),
        ])
        var next: Int32 = 3

        mutating func perform(_ step: ReconcileStep) {
            switch step {
            case .deleteLink(let name): observed.links.removeAll { $0.name == name }
            case .closeTAP(let vni): observed.openTAPs.remove(vni)
            case .createBridge(let network):
                add(
                    NetworkLink(
                        index: next, name: network.bridge, mac: network.mac, mtu: network.mtu, isUp: false,
                        kind: "bridge"))
            case .changeLink(let name, let mac, let mtu, let master, let up):
                guard let index = observed.links.firstIndex(where: { $0.name == name }) else { return }
                if let mac { observed.links[index].mac = mac }
                if let mtu { observed.links[index].mtu = mtu }
                if let master { observed.links[index].master = master }
                observed.links[index].isUp = up
            case .addAddress(let address, _): observed.addresses.append(address)
            case .removeAddress(let address, _): observed.addresses.removeAll { $0 == address }
            case .openTAP(let vni, let name, _):
                if !observed.links.contains(where: { $0.name == name }) {
                    add(NetworkLink(index: next, name: name, isUp: false, kind: "tun"))
                }
                observed.openTAPs.insert(vni)
            case .attach(let endpoint, let bridge):
                add(
                    NetworkLink(
                        index: next, name: endpoint.link, mtu: endpoint.mtu, master: bridge, kind: "veth",
                        alias: endpoint.task.description))
            }
        }

        private mutating func add(_ link: NetworkLink) {
            observed.links.append(link)
            next += 1
        }

        /// How many rounds it took.
        mutating func settle(_ desired: DesiredState) -> Int {
            for round in 0..<20 {
                let steps = Reconciler.plan(desired, observed)
                if steps.isEmpty { return round }
                for step in steps { perform(step) }
            }
            return 20
        }
    }

    @Test func `From nothing to all within the rounds that are allowed`() {
        var kernel = FakeKernel()
        #expect(kernel.settle(desired) <= NetworkLimits.reconcileRounds)
        let names = kernel.observed.links.map(\.name).sorted()
        #expect(
            names == [
                "br001000", "br001001", "c0010000a000915", "c0010010a000115", "lo", "tap001000", "tap001001", "uplink",
            ])
    }

    @Test func `A restarted daemon only takes the TAPs up again`() {
        var kernel = FakeKernel()
        _ = kernel.settle(desired)
        kernel.observed.openTAPs = []
        let steps = Reconciler.plan(desired, kernel.observed)
        #expect(
            steps == [
                .openTAP(vni: 4097, name: "tap001001", mtu: 1398), .openTAP(vni: 4096, name: "tap001000", mtu: 1398),
            ])
    }

    @Test func `Whatever is changed by hand is put back`() {
        var settled = FakeKernel()
        _ = settled.settle(desired)
        for index in settled.observed.links.indices where settled.observed.links[index].index > 2 {
            var kernel = settled
            kernel.observed.links[index].isUp = false
            kernel.observed.links[index].mtu = 900
            #expect(Reconciler.plan(desired, kernel.observed).count == 1)
            _ = kernel.settle(desired)
            #expect(kernel.observed.links == settled.observed.links)
            kernel.observed.links.remove(at: index)
            #expect(kernel.settle(desired) <= NetworkLimits.reconcileRounds)
            #expect(kernel.observed.links.map(\.name).sorted() == settled.observed.links.map(\.name).sorted())
        }
        var kernel = settled
        kernel.observed.addresses[0].prefixLength = 16
        _ = kernel.settle(desired)
        #expect(Set(kernel.observed.addresses) == Set(settled.observed.addresses))
    }

    @Test func `A link that was another task's, or not finished, is made anew`() {
        var kernel = FakeKernel()
        _ = kernel.settle(desired)
        for alias in [nil, TaskID(value: 99).description] {
            let index = kernel.observed.links.firstIndex { $0.name == "c0010010a000115" } ?? 0
            kernel.observed.links[index].alias = alias
            #expect(Reconciler.plan(desired, kernel.observed) == [.deleteLink("c0010010a000115")])
            _ = kernel.settle(desired)
        }
    }

    @Test func `What is left over goes, but only once the managers have spoken`() {
        var kernel = FakeKernel()
        _ = kernel.settle(desired)
        kernel.observed.links.append(NetworkLink(index: 90, name: "sit0", kind: "sit"))
        var nothing = DesiredState()
        #expect(Reconciler.plan(nothing, kernel.observed).isEmpty)
        nothing.isComplete = true
        _ = kernel.settle(nothing)
        #expect(kernel.observed.links.map(\.name) == ["lo", "uplink", "sit0"])
        #expect(kernel.observed.openTAPs.isEmpty)
    }

    @Test func `The default route is the first network's that leads outside, not the ingress network's`() {
        let gateways = desired.endpoints.map { [$0.name: $0.gateway?.description ?? "-"] }
        #expect(gateways == [["eth0": "-"], ["eth1": "10.0.1.1"]])
        let ingressOnly = NetworkView(
            networks: [
                Example.network(Example.shop, "shop", vni: 4097, third: 1, isInternal: true), Example.view.networks[1],
            ], endpoints: [], peers: [])
        let other = DesiredState(view: ingressOnly, node: Example.node, tasks: Example.tasks)
        #expect(other.endpoints.map(\.gateway) == [IPv4Address(10, 0, 9, 1), nil])
    }

    @Test func `The gateway's MAC differs from node to node, the ingress address has an endpoint's`() {
        let there = DesiredState(view: Example.view, node: Example.other, tasks: [:])
        #expect(desired.networks[0].mac != there.networks[0].mac)
        #expect(desired.networks[0].addresses == there.networks[0].addresses)
        #expect(desired.networks[1].mac == MACAddress(container: IPv4Address(10, 0, 9, 2)))
    }
}
