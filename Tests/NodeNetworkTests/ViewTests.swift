import ClusterModel
import OverlayProtocol
import Primitives
import Testing

@testable import NodeNetwork

@Suite struct ViewTests {
    @Test func `A stored view comes back as it was`() throws {
        #expect(try StoredView.decode(StoredView.encode(Example.view)) == Example.view)
    }

    @Test func `A view that is cut off is refused, not half taken`() {
        let bytes = StoredView.encode(Example.view)
        for length in 0..<bytes.count {
            #expect(throws: DecodeError.self) { try StoredView.decode(Array(bytes.prefix(length))) }
        }
    }

    @Test func `The overlay knows the nodes' ingress addresses as endpoints`() {
        let tables = OverlayTables(view: Example.view, node: Example.node)
        #expect(tables.peers.map(\.endpoint.description) == ["192.0.2.2:4789"])
        #expect(tables.endpoints.count == 6)
        let own = tables.endpoints.filter { $0.address == IPv4Address(10, 0, 9, 2) }
        #expect(own.map(\.node) == [Example.node])
        #expect(own.map(\.mac) == [MACAddress(container: IPv4Address(10, 0, 9, 2))])
    }

    @Test(arguments: [
        ("192.0.2.1:4789", "192.0.2.1:4789"), ("[2001:db8::1]:5", "[2001:db8:0:0:0:0:0:1]:5"),
        ("[::]:1", "[0:0:0:0:0:0:0:0]:1"), ("[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:1"),
    ])
    func `Endpoints are read`(text: String, meaning: String) {
        #expect(UnderlayEndpoint(text: text)?.description == meaning)
    }

    @Test(arguments: ["", "192.0.2.1", "192.0.2.1:x", "[::1:5", "[1:2]:5", "[1::2::3]:5", "[::12345]:5", "::1:5"])
    func `What is none is refused`(text: String) {
        #expect(UnderlayEndpoint(text: text) == nil)
    }
}
