import Primitives
import Testing

@testable import LinuxSystem

@Suite struct NetlinkTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0..<$0 + 2]), radix: 16) }
    }

    @Test func `A bridge is created with MAC, MTU and its kind`() throws {
        let mac = try #require(MACAddress("02:53:00:00:00:01"))
        let request = NetlinkRequest.createBridge(name: "br1", mac: mac, mtu: 1398)
        #expect(
            hex(request.encoded(sequence: 7))
                == "68000000" + "1000" + "0506" + "07000000" + "00000000"
                + "00000000" + "00000000" + "00000000" + "00000000"
                + "08000300" + "62723100"
                + "08000400" + "76050000"
                + "0a000100" + "025300000001" + "0000"
                + "2c001200" + "0b000100" + "62726964676500" + "00"
                + "1c000200" + "08000100" + "00000000" + "08000500" + "00000000" + "05001700" + "00" + "000000")
    }

    @Test func `A veth's peer is born in its namespace`() {
        let peer = VethPeer(name: "eth0", mac: MACAddress(container: IPv4Address(10, 0, 0, 2)), mtu: 1398, namespace: 9)
        let request = NetlinkRequest.createVeth(name: "c1", mtu: 1398, peer: peer)
        #expect(
            hex(request.encoded(sequence: 1))
                == "80000000" + "1000" + "0506" + "01000000" + "00000000"
                + "00000000" + "00000000" + "00000000" + "00000000"
                + "07000300" + "633100" + "00"
                + "08000400" + "76050000"
                + "50001200" + "09000100" + "7665746800" + "000000"
                + "40000200" + "3c000100"
                + "00000000" + "00000000" + "00000000" + "00000000"
                + "09000300" + "6574683000" + "000000"
                + "08000400" + "76050000"
                + "0a000100" + "02420a000002" + "0000"
                + "08001c00" + "09000000")
    }

    @Test func `Up, master and alias are one change`() {
        let request = NetlinkRequest.changeLink("c1", up: true, master: 5, alias: "task")
        #expect(
            hex(request.encoded(sequence: 2))
                == "38000000" + "1000" + "0500" + "02000000" + "00000000"
                + "00000000" + "00000000" + "01000000" + "01000000"
                + "07000300" + "633100" + "00" + "08000a00" + "05000000" + "08001400" + "7461736b")
    }

    @Test func `Addresses, routes and neighbours`() throws {
        let address = LinkAddress(link: 3, address: IPv4Address(10, 0, 0, 2), prefixLength: 24)
        #expect(
            hex(NetlinkRequest.addAddress(address).encoded(sequence: 3))
                == "28000000" + "1400" + "0505" + "03000000" + "00000000" + "02180000" + "03000000"
                + "08000200" + "0a000002" + "08000100" + "0a000002")
        let everywhere = try #require(IPv4Network("0.0.0.0/0"))
        let route = NetworkRoute(destination: everywhere, gateway: IPv4Address(10, 0, 0, 1), link: 3)
        #expect(
            hex(NetlinkRequest.setRoute(route).encoded(sequence: 4))
                == "2c000000" + "1800" + "0505" + "04000000" + "00000000" + "02000000" + "fe040001" + "00000000"
                + "08000500" + "0a000001" + "08000400" + "03000000")
        let mac = MACAddress(container: IPv4Address(10, 0, 0, 9))
        #expect(
            hex(NetlinkRequest.setNeighbour(link: 3, address: IPv4Address(10, 0, 0, 9), mac: mac).encoded(sequence: 5))
                == "30000000" + "1c00" + "0505" + "05000000" + "00000000" + "02000000" + "03000000" + "8000" + "0000"
                + "08000100" + "0a000009" + "0a000200" + "02420a000009" + "0000")
    }

    @Test func `A link of a dump is read with bridge, kind and alias`() throws {
        let datagram = bytes(
            "54000000" + "1000" + "0200" + "01000000" + "00000000"
                + "00000100" + "04000000" + "01000000" + "00000000"
                + "07000300" + "633100" + "00" + "08000400" + "76050000" + "08000a00" + "05000000"
                + "09001400" + "7461736b00" + "000000"
                + "10001200" + "09000100" + "7665746800" + "000000")
        let reply = try #require(NetlinkReply.messages(in: datagram).first)
        #expect(
            NetworkLink(reply)
                == NetworkLink(index: 4, name: "c1", mtu: 1398, master: 5, isUp: true, kind: "veth", alias: "task"))
    }

    @Test(arguments: 0..<84)
    func `A datagram that is cut off anywhere is no crash`(length: Int) {
        let datagram = bytes("54000000100002000100000000000000000001000400000001000000000000000700030063310000")
        _ = NetlinkReply.messages(in: Array(datagram.prefix(length))).compactMap { NetworkLink($0) }
    }
}
