import ClusterModel
import Primitives
import Testing

@testable import OverlayProtocol

@Suite struct ForwardingTests {
    private func decide(_ frame: [UInt8], network: UInt32 = vni) throws -> FrameDecision {
        var pair = try Pair()
        return frame.withUnsafeBytes { pair.a.decide($0, vni: network) }
    }

    @Test func aKnownDestinationGoesToItsNode() throws {
        #expect(try decide(frame([1])) == .forward(peer: 0))
    }

    @Test func whatTheTableDoesNotKnowIsDropped() throws {
        #expect(try decide(frame(to: MACAddress(value: 5), [1])) == .drop(.unknownDestination))
        #expect(try decide(frame(from: macB, [1])) == .drop(.foreignSource))
        #expect(try decide(frame(to: macA, [1])) == .drop(.localDestination))
        #expect(try decide(frame([1]), network: 9) == .drop(.unknownNetwork))
        #expect(try decide([1, 2, 3]) == .drop(.malformed))
    }

    @Test func anAddressThatIsNotTheSendersOwnIsNotSentFor() throws {
        for stolen in [hostB, gateway, IPv4Address(10, 77, 0, 200), IPv4Address(8, 8, 8, 8)] {
            #expect(try decide(frame(address: stolen, [1])) == .drop(.foreignSource))
        }
        var pair = try Pair()
        var tables = pair.tables(for: nodeA)
        let (hostC, macC) = (IPv4Address(10, 77, 0, 4), MACAddress(value: 0x02aa))
        tables.endpoints.append(OverlayEndpoint(vni: vni, mac: macC, address: hostC, node: nodeA))
        pair.a.onTables(tables, now: pair.now, using: &pair.random)
        func decision(_ bytes: [UInt8]) -> FrameDecision { bytes.withUnsafeBytes { pair.a.decide($0, vni: vni) } }
        #expect(decision(frame(from: macC, address: hostC, [1])) == .forward(peer: 0))
        #expect(decision(frame(from: macC, address: hostA, [1])) == .drop(.foreignSource), "a neighbour's address")
        #expect(decision(frame(from: macA, address: hostC, [1])) == .drop(.foreignSource))
        #expect(decision(Array(frame([])[..<33])) == .drop(.malformed))
        #expect(decision(frame([])) == .forward(peer: 0))
    }

    @Test func broadcastMulticastAndIPv6NeverCross() throws {
        #expect(try decide(frame(to: MACAddress(value: .max), [1])) == .drop(.broadcast))
        #expect(try decide(frame(to: MACAddress(value: 0x0100_5e00_00fb), [1])) == .drop(.broadcast))
        let discovery = [0x33, 0x33, 0xff, 0, 0, 1] + macA.bytes + [0x86, 0xdd] + [UInt8](repeating: 0, count: 64)
        #expect(try decide(discovery) == .drop(.unsupportedEthertype))
        let tagged = macB.bytes + macA.bytes + [0x81, 0x00, 0, 1, 8, 0]
        #expect(try decide(tagged) == .drop(.unsupportedEthertype))
    }

    @Test func arpForARemoteHostIsAnsweredHere() throws {
        guard case .reply(let reply) = try decide(arp(target: hostB)) else {
            Issue.record("no reply")
            return
        }
        let expected =
            macA.bytes + macB.bytes + [8, 6, 0, 1, 8, 0, 6, 4, 0, 2] + macB.bytes + hostB.bytes + macA.bytes
            + hostA.bytes
        #expect(reply == expected)
    }

    @Test func theGatewayIsAnsweredWithThisNodesOwnMAC() throws {
        guard case .reply(let reply) = try decide(arp(target: gateway)) else {
            Issue.record("no reply")
            return
        }
        #expect(Array(reply[6..<12]) == MACAddress(value: 0x0242_ff00_0001).bytes)
        #expect(try decide(frame(to: MACAddress(value: 0x0242_ff00_0001), [1])) == .drop(.gatewayDestination))
    }

    @Test func arpThatIsNotForTheTunnelStaysSilent() throws {
        #expect(try decide(arp(target: hostA)) == .drop(.unansweredARP))
        #expect(try decide(arp(target: IPv4Address(10, 77, 0, 200))) == .drop(.unansweredARP))
        #expect(try decide(arp(operation: 2, destination: macB, target: hostB)) == .drop(.unansweredARP))
        #expect(try decide(arp(ethernetSource: macB, target: hostB)) == .drop(.foreignSource))
        #expect(try decide(arp(ethernetSource: macA, senderMAC: macB, target: hostB)) == .drop(.malformed))
    }

    @Test func aMACOrAddressThatTwoNodesClaimBelongsToOneOnly() throws {
        var pair = try Pair()
        var tables = pair.tables(for: nodeB)
        tables.endpoints.append(OverlayEndpoint(vni: vni, mac: macA, address: IPv4Address(10, 77, 0, 9), node: nodeB))
        tables.endpoints.append(OverlayEndpoint(vni: vni, mac: MACAddress(value: 7), address: hostA, node: nodeB))
        tables.endpoints.append(OverlayEndpoint(vni: vni, mac: MACAddress(value: 8), address: gateway, node: nodeA))
        pair.b.onTables(tables, now: pair.now, using: &pair.random)
        #expect(pair.b.counters.endpointsRefused == 3)
        #expect(frame(from: macB, to: macA, [1]).withUnsafeBytes { pair.b.decide($0, vni: vni) } == .forward(peer: 0))
    }
}
