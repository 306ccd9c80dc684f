import Primitives
import Testing

@testable import NameService

@Suite struct NameResolverTests {
    private let now = Instant(nanoseconds: 1_000_000_000)
    private var random = SeededRandom(seed: 1)
    private let client = NameClient(.udp(IPv4Address(127, 0, 0, 1), port: 5000))

    private static func query(_ name: String, type: UInt16 = 1, id: UInt16 = 7, suffix: [UInt8] = []) -> [UInt8] {
        let question = (DNSName.encode(name) ?? []) + [UInt8(type >> 8), UInt8(type & 0xff), 0, 1]
        let head: [UInt8] = [UInt8(id >> 8), UInt8(id & 0xff), 1, 0, 0, 1, 0, 0, 0, 0, 0, suffix.isEmpty ? 0 : 1]
        return head + question + suffix
    }

    private static func entry(_ host: UInt8, isServing: Bool = true) -> NameTable.Entry {
        NameTable.Entry(
            address: IPv4Address(10, 0, 0, host), service: "web", task: "web.\(host).x", aliases: ["www"],
            isServing: isServing)
    }

    private func resolver(_ entries: [NameTable.Entry], upstreams: [String] = ["192.0.2.1", "192.0.2.2"])
        -> NameResolver
    {
        NameResolver(tables: [NameTable(entries, networkName: "shop")], upstreams: upstreams)
    }

    private func answer(_ directives: [NameDirective]) throws -> [UInt8] {
        guard case .answer(let bytes, _) = try #require(directives.first) else {
            Issue.record("no answer but \(directives)")
            return []
        }
        return bytes
    }

    private func addresses(_ message: [UInt8], question: [UInt8]) -> [UInt8] {
        stride(from: question.count, to: message.count, by: 16).map { message[$0 + 15] }
    }

    @Test mutating func `A known name is answered byte for byte`() throws {
        var resolver = resolver([Self.entry(5)])
        let message = Self.query("WEB")
        let reply = try answer(resolver.onQuery(message, from: client, now: now, using: &random))
        #expect(
            reply == [0, 7, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + message[12...]
                + [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 0, 0, 5])
    }

    @Test mutating func `Answers rotate and hold only what serves`() throws {
        var resolver = resolver([Self.entry(5), Self.entry(6), Self.entry(7, isServing: false)])
        let message = Self.query("web")
        var seen: [[UInt8]] = []
        for _ in 0..<3 {
            seen.append(
                addresses(
                    try answer(resolver.onQuery(message, from: client, now: now, using: &random)), question: message))
        }
        #expect(seen == [[5, 6], [6, 5], [5, 6]])
    }

    @Test(arguments: ["tasks.web", "www", "web.5.x", "web.shop"])
    func `Every name leads there`(name: String) throws {
        var (resolver, random) = (resolver([Self.entry(5)]), random)
        let message = Self.query(name)
        #expect(
            addresses(try answer(resolver.onQuery(message, from: client, now: now, using: &random)), question: message)
                == [5])
    }

    @Test(arguments: [("web", UInt16(28)), ("web", UInt16(15)), ("web", UInt16(1))])
    func `A name without data of that type is no unknown name`(name: String, type: UInt16) throws {
        var (resolver, random) = (resolver([Self.entry(5, isServing: false)]), random)
        let reply = try answer(resolver.onQuery(Self.query(name, type: type), from: client, now: now, using: &random))
        #expect(reply[3] & 15 == 0)
        #expect(reply[7] == 0)
    }

    @Test mutating func `Reverse names`() throws {
        var resolver = resolver([Self.entry(5)])
        let message = Self.query("5.0.0.10.in-addr.arpa", type: 12)
        let reply = try answer(resolver.onQuery(message, from: client, now: now, using: &random))
        #expect(Array(reply[(message.count + 12)...]) == DNSName.encode("web.5.x.shop"))
    }

    @Test mutating func `What does not fit a datagram is cut and said so, EDNS gives more room, TCP all`() throws {
        var resolver = resolver((1...100).map { Self.entry(UInt8($0)) })
        let plain = try answer(resolver.onQuery(Self.query("web"), from: client, now: now, using: &random))
        #expect(plain.count <= 512 && plain[2] & 2 != 0)
        let options: [UInt8] = [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]
        let wide = try answer(
            resolver.onQuery(Self.query("web", suffix: options), from: client, now: now, using: &random))
        #expect(wide.count > 512 && wide.count <= 1_232 && wide[2] & 2 != 0 && wide[11] == 1)
        let stream = NameClient(.tcp(connection: 1))
        let all = try answer(resolver.onQuery(Self.query("web"), from: stream, now: now, using: &random))
        #expect(all[2] & 2 == 0 && all[7] == 100)
    }

    @Test mutating func `The rest is asked elsewhere under another id, and answered under the first`() throws {
        var resolver = resolver([])
        let directives = resolver.onQuery(Self.query("example.com", id: 99), from: client, now: now, using: &random)
        guard case .ask(let sent, "192.0.2.1", let exchange, false) = try #require(directives.first) else {
            Issue.record("not asked: \(directives)")
            return
        }
        var reply = sent
        reply[2] |= 0x80
        var forged = reply
        forged[0] ^= 1
        #expect(resolver.onUpstreamAnswer(forged, exchange: exchange).isEmpty)
        let answers = resolver.onUpstreamAnswer(reply, exchange: exchange)
        #expect(answers.first == .close(exchange: exchange))
        guard case .answer(let bytes, client) = try #require(answers.last) else { return }
        #expect(bytes[0] == 0 && bytes[1] == 99)
        #expect(resolver.nextDeadline == nil)
    }

    @Test mutating func `Silent upstreams are given up one after the other, then the client is told`() throws {
        var resolver = resolver([])
        var directives = resolver.onQuery(Self.query("example.com"), from: client, now: now, using: &random)
        var asked: [String] = []
        var time = now
        while let last = directives.last, case .ask(_, let upstream, _, _) = last {
            asked.append(upstream)
            time = time + .seconds(2)
            directives = resolver.onTick(now: time, using: &random)
        }
        #expect(asked == ["192.0.2.1", "192.0.2.2", "192.0.2.1"])
        guard case .answer(let bytes, client) = try #require(directives.last) else { return }
        #expect(bytes[3] & 15 == 2)
    }

    @Test mutating func `Before the managers have spoken no name is called unknown`() throws {
        var resolver = NameResolver(tables: nil, upstreams: ["192.0.2.1"])
        let reply = try answer(resolver.onQuery(Self.query("web"), from: client, now: now, using: &random))
        #expect(reply[3] & 15 == 2)
        let outside = resolver.onQuery(Self.query("example.com"), from: client, now: now, using: &random)
        #expect(try answer(outside)[3] & 15 == 2, "nor is it known whether there is a way outside")
    }

    @Test(arguments: [("example.com", UInt16(1)), ("4.3.2.1.in-addr.arpa", 12), ("nosuch", 1), ("example.com", 16)])
    func `Nothing is asked outside for a container of internal networks alone`(name: String, type: UInt16) throws {
        var random = random
        let inner = NameTable([Self.entry(5)], networkName: "inner", isInternal: true)
        let outer = NameTable([Self.entry(6)], networkName: "outer")
        func replies(_ tables: [NameTable], upstreams: [String] = ["192.0.2.1"]) -> [NameDirective] {
            var resolver = NameResolver(tables: tables, upstreams: upstreams)
            return resolver.onQuery(Self.query(name, type: type), from: client, now: now, using: &random)
        }
        for tables in [[inner], [inner, inner]] { #expect(try answer(replies(tables))[3] & 15 == 3) }
        for tables in [[inner, outer], [outer], []] {
            guard case .ask = try #require(replies(tables).first) else {
                Issue.record("not asked")
                return
            }
        }
    }

    @Test func `Malformed messages get an error or nothing, and never a crash`() throws {
        var (resolver, random) = (resolver([Self.entry(5)]), random)
        let message = Self.query("web", suffix: [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0])
        for length in 0..<message.count {
            _ = resolver.onQuery(Array(message.prefix(length)), from: client, now: now, using: &random)
        }
        for _ in 0..<2_000 {
            var broken = message
            broken[Int.random(in: 0..<broken.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = resolver.onQuery(broken, from: client, now: now, using: &random)
        }
        let loop: [UInt8] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1]
        let reply = try answer(resolver.onQuery(loop, from: client, now: now, using: &random))
        #expect(reply[3] & 15 == 1)
    }

    @Test func `A resolv.conf is read and one for the container written`() {
        let read = ResolverConfiguration("# x\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nsearch a.org b.org\n")
        #expect(read.nameservers == ["10.0.0.2"])
        #expect(read.search == ["a.org", "b.org"])
        #expect(
            ResolverConfiguration.forContainer(search: read.search)
                == "nameserver 127.0.0.11\nsearch a.org b.org\noptions ndots:0\n")
    }
}
