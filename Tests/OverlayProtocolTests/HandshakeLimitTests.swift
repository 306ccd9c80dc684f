import ClusterModel
import Primitives
import Testing

@testable import OverlayProtocol

/// What somebody else's initiations can take from a node's and its peers' handshakes.
@Suite struct HandshakeLimitTests {
    /// An initiation that names a node, with any content and a code of one's choice.
    private func forged(
        _ node: NodeID, _ random: inout SeededRandom, code: (([UInt8]) -> [UInt8])? = nil
    ) -> [UInt8] {
        let header = DatagramHeader(
            kind: .initiation, keyID: UInt32(truncatingIfNeeded: random.next()), counter: 1 << 62)
        let count = HandshakeMessage.initiationBytes - 32 - OverlayLimits.codeBytes
        let body = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let message = header.encoded + HandshakeMessage.bytes(of: node.value) + body
        return message + (code?(message) ?? (0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    private func initiation(_ pair: inout Pair) throws -> [UInt8] {
        try datagram(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
    }

    @Test func whoDoesNotKnowTheNodesKeyCannotSpendItsHandshakes() throws {
        var (pair, random) = (try Pair(), SeededRandom(seed: 11))
        pair.advance(.milliseconds(250))
        for _ in 0..<1_000 { #expect(pair.deliverToB(forged(nodeA, &random)).isEmpty) }
        #expect(pair.b.counters[.handshakeCodeInvalid] == 1_000)
        #expect(datagrams(pair.deliverToB(try initiation(&pair))).count == 1)
    }

    @Test func aMemberThatForgesAPeerCannotSpendAnothersHandshakes() throws {
        var (pair, random) = (try Pair(), SeededRandom(seed: 12))
        let (keysC, nodeC) = (try #require(KeyPair(using: &random)), NodeID(value: 3))
        var tables = pair.tables(for: nodeB)
        tables.peers.append(
            OverlayPeer(
                node: nodeC, publicKey: keysC.publicKey,
                endpoint: UnderlayEndpoint(IPv4Address(192, 0, 2, 3), port: 4789)))
        pair.b.onTables(tables, now: pair.now, using: &pair.random)
        var c = OverlayInstance(identity: .init(cluster: cluster, node: nodeC, keys: keysC))
        tables.peers = [OverlayPeer(node: nodeB, publicKey: pair.keysB.publicKey, endpoint: endpointB)]
        c.onTables(tables, now: pair.now, using: &pair.random)
        pair.advance(.milliseconds(250))

        let code = HandshakeCode(cluster: cluster, responder: pair.keysB.publicKey)
        for _ in 0..<1_000 { #expect(pair.deliverToB(forged(nodeA, &random, code: code.code(of:))).isEmpty) }
        #expect(pair.b.counters[.handshakeRefused] == OverlayLimits.handshakeBurst)
        #expect(pair.b.counters[.handshakeRateLimited] == 1_000 - OverlayLimits.handshakeBurst)
        let call = try datagram(c.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        #expect(datagrams(pair.deliverToB(call)).count == 1)
        let refused = try initiation(&pair)
        #expect(pair.deliverToB(refused).isEmpty)
        pair.advance(.seconds(1))
        #expect(datagrams(pair.deliverToB(try initiation(&pair))).count == 1, "it ends with the forgeries")
    }

    @Test func whoRepeatsWhatItHasSeenCannotSpendHandshakes() throws {
        var pair = try Pair()
        var seen: [[UInt8]] = []
        for _ in 0..<3 {
            pair.advance(.seconds(10))
            seen.append(try initiation(&pair))
        }
        // The node has lost its memory of them: the newest, once opened, rules out all others.
        #expect(datagrams(pair.deliverToB(seen[2])).count == 1)
        for _ in 0..<500 { for old in seen { #expect(pair.deliverToB(old).isEmpty) } }
        #expect(pair.b.counters[.handshakeReplayed] == 1_500)
        #expect(pair.b.counters[.handshakeRateLimited] == 0)
        pair.advance(.seconds(10))
        #expect(datagrams(pair.deliverToB(try initiation(&pair))).count == 1)
    }

    @Test func theCodeIsKeyedBLAKE2bAtTheEndOfAnInitiation() throws {
        let key = try #require(PublicKey(bytes: [UInt8](repeating: 5, count: 32)))
        // Made with Python's hashlib.
        let expected = bytes(hex: "e4ff24eaaeec6b1053555941f308a5d7")
        #expect(HandshakeCode(cluster: cluster, responder: key).code(of: Array(0..<130)) == expected)

        var pair = try Pair()
        pair.advance(.milliseconds(250))
        let sent = try initiation(&pair)
        #expect(sent.count == 146)
        #expect(Array(sent[..<4]) == [2, 1, 0, 0])
        #expect(sent[8..<16].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } == UInt64(pair.wall.nanoseconds))
        let code = HandshakeCode(cluster: cluster, responder: pair.keysB.publicKey)
        #expect(Array(sent[130...]) == code.code(of: sent[..<130]))
    }

    /// Version 1 had no code, and the timestamp in the sealed payload: 138 bytes.
    @Test func anInitiationOfVersionOneIsCountedAndNotAnswered() throws {
        var pair = try Pair()
        pair.advance(.milliseconds(250))
        let sent = try initiation(&pair)
        #expect(pair.deliverToB([1] + sent[1..<138]).isEmpty)
        #expect(pair.b.counters[.unknownVersion] == 1)
        #expect(pair.b.counters.dropped.map(\.count).reduce(0, +) == 1)
        #expect(datagrams(pair.deliverToB(sent)).count == 1)
    }
}
