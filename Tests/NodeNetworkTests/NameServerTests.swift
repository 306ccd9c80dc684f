import ClusterModel
import Glibc
import LinuxSystem
import Primitives
import Testing

@testable import NodeNetwork

/// The resolver's thread with real sockets on the loopback.
@Suite struct NameServerTests {
    private static let inner = NetworkID(value: 77)

    /// A hundred tasks under one name, so that an answer is much larger than its query.
    private static let view = NetworkView(
        networks: [
            Example.network(Example.shop, "shop", vni: 4097, third: 1),
            Example.network(inner, "inner", vni: 4098, third: 2, isInternal: true),
        ],
        endpoints: (100..<200).map { Example.endpoint(Example.shop, task: $0, node: Example.node, third: 1) }, peers: []
    )

    private struct Node {
        let server: NameServer

        /// A container's resolver, asked without a rule that leads port 53 there; its TCP and UDP ports.
        func serve(_ task: UInt8, _ networks: [NetworkID]) throws -> (tcp: UInt16, udp: UInt16) {
            let tcp = SharedDescriptor(try InternetSocket.listenTCP("127.0.0.1", port: 0))
            let udp = SharedDescriptor(try InternetSocket.bindUDP("127.0.0.1", port: 0))
            let ports = (
                try InternetSocket.port(of: tcp.descriptor), try InternetSocket.port(of: udp.descriptor)
            )
            // Nobody listens at that upstream, and says so at once.
            server.post(
                .serve(
                    NameServer.Container(
                        task: TaskID(value: UInt128(task)), networks: networks, udp: udp, tcp: tcp,
                        upstreams: ["127.0.0.77"])))
            return ports
        }
    }

    private func withNode(patience: Duration, _ body: (Node) throws -> Void) throws {
        let server = try NameServer(patience: patience)
        try server.start()
        defer { server.post(.stop) }
        server.post(.tables(Self.view.nameTables()))
        try body(Node(server: server))
    }

    /// A connection to a resolver, with a bounded buffer: larger than a segment of the loopback, or each would wait.
    private final class Client {
        let socket: OwnedDescriptor
        var received: [UInt8] = []

        init(_ port: UInt16) throws {
            socket = try InternetSocket.connectTCP("127.0.0.1", port: port)
            var bytes: Int32 = 262_144
            setsockopt(socket.number, SOL_SOCKET, SO_RCVBUF, &bytes, 4)
        }

        /// The answer's code; nil when there is none.
        func code(of query: [UInt8]) -> UInt8? {
            guard (try? send(NameServerTests.framed(query))) != nil else { return nil }
            return message().map { $0[3] & 15 }
        }

        func wait(_ events: Int32) -> Bool {
            var polled = pollfd(fd: socket.number, events: Int16(events), revents: 0)
            return poll(&polled, 1, 10_000) == 1
        }

        func send(_ bytes: [UInt8]) throws {
            var rest = bytes[...]
            while !rest.isEmpty {
                #expect(wait(POLLOUT))
                rest = rest.dropFirst(try InternetSocket.write(rest, to: socket))
            }
        }

        /// nil: closed, or silent for ten seconds.
        func message() -> [UInt8]? {
            while true {
                if received.count >= 2 {
                    let length = Int(received[0]) << 8 | Int(received[1])
                    if received.count >= 2 + length {
                        defer { received.removeFirst(2 + length) }
                        return Array(received[2..<2 + length])
                    }
                }
                guard wait(POLLIN), let bytes = try? socket.read(upTo: 65_536), !bytes.isEmpty else { return nil }
                received += bytes
            }
        }
    }

    private static func query(_ labels: [String], id: Int = 7) -> [UInt8] {
        let head: [UInt8] = [UInt8(id >> 8), UInt8(id & 0xff), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        var name: [UInt8] = []
        for label in labels { name += [UInt8(label.utf8.count)] + Array(label.utf8) }
        let tail: [UInt8] = [0, 0, 1, 0, 1]
        return head + name + tail
    }

    private static func framed(_ message: [UInt8]) -> [UInt8] { [0, UInt8(message.count)] + message }

    @Test func `A client that catches up gets every answer, in order`() throws {
        try withNode(patience: .seconds(60)) { node in
            let client = try Client(try node.serve(21, [Example.shop]).tcp)
            let count = 4_000
            try client.send((0..<count).flatMap { Self.framed(Self.query(["web"], id: $0)) })
            for id in 0..<count {
                let answer = try #require(client.message(), "no answer \(id) of \(count)")
                #expect(Int(answer[0]) << 8 | Int(answer[1]) == id)
                #expect(answer.count > 1_600)
            }
        }
    }

    @Test func `A client that asks on and never reads is cut off`() throws {
        try withNode(patience: .seconds(1)) { node in
            let client = try Client(try node.serve(21, [Example.shop]).tcp)
            let queries = (0..<400).flatMap { Self.framed(Self.query(["web"], id: $0)) }
            let end = Clock.now + .seconds(30)
            var rest = queries[...]
            var isCut = false
            while !isCut, Clock.now < end {
                var polled = pollfd(fd: client.socket.number, events: Int16(POLLOUT), revents: 0)
                _ = poll(&polled, 1, 100)
                do throws(Errno) {
                    if rest.isEmpty { rest = queries[...] }
                    rest = rest.dropFirst(try InternetSocket.write(rest, to: client.socket))
                } catch {
                    isCut = true
                }
            }
            #expect(isCut)
        }
    }

    @Test func `One container's connections are limited and leave another's alone`() throws {
        try withNode(patience: .seconds(60)) { node in
            let (first, second) = (try node.serve(21, [Example.shop]).tcp, try node.serve(22, [Example.shop]).tcp)
            let query = Self.query(["web"])
            do {
                let clients = try (0..<40).map { _ in try Client(first) }
                #expect(clients.count { $0.code(of: query) == 0 } == NetworkLimits.nameConnectionsPerContainer)
                #expect(try Client(second).code(of: query) == 0)
            }
            let end = Clock.now + .seconds(10)
            var isFree = false
            while !isFree, Clock.now < end {
                isFree = try Client(first).code(of: query) == 0
            }
            #expect(isFree, "closed ones count no more")
        }
    }

    @Test func `Names of the outside are asked for unless all networks are internal or unknown`() throws {
        try withNode(patience: .seconds(60)) { node in
            let cases: [(networks: [NetworkID], code: UInt8)] = [
                ([Self.inner], 3), ([NetworkID(value: 99)], 3), ([Self.inner, Example.shop], 2), ([], 2),
            ]
            for (index, entry) in cases.enumerated() {
                let ports = try node.serve(UInt8(30 + index), entry.networks)
                let query = Self.query(["example", "com"])
                #expect(try Client(ports.tcp).code(of: query) == entry.code, "over TCP, case \(index)")
                let socket = try InternetSocket.connectUDP("127.0.0.1", port: ports.udp)
                try socket.write(all: query)
                var polled = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
                #expect(poll(&polled, 1, 10_000) == 1)
                #expect(try socket.read(upTo: 512)[3] & 15 == entry.code, "over UDP, case \(index)")
            }
        }
    }
}
