import ClusterModel
import Primitives
import Testing

@testable import OverlayProtocol

@Suite struct OverlayInstanceTests {
    @Test(arguments: [(true, true), (true, false), (false, true), (false, false)])
    func aFrameCrossesUnchangedAndSealed(aesOnA: Bool, aesOnB: Bool) throws {
        var pair = try Pair(aesOnA: aesOnA, aesOnB: aesOnB)
        try pair.connect()
        let marker = Array("a marker that must not be seen outside".utf8)
        let sent = try pair.sealed(marker)
        #expect(sent.count == frame(marker).count + 40)
        #expect(!contains(sent, marker))
        #expect(frames(pair.deliverToB(sent)) == [frame(marker)])
        let suite: CipherSuite = aesOnA && aesOnB && Sodium.hasHardwareAES ? .aes256GCM : .chaCha20Poly1305
        #expect(pair.a.peerStatuses().map(\.suite) == [suite])
        #expect(pair.b.peerStatuses().map(\.suite) == [suite])
        let answer = try datagram(pair.b.onFrame(frame(from: macB, to: macA, [9]), vni: vni, now: pair.now))
        #expect(frames(pair.deliverToA(answer)) == [frame(from: macB, to: macA, [9])])
    }

    @Test func theDatagramIsVersionTypeKeyCounterThenSealedVXLAN() throws {
        var pair = try Pair()
        try pair.connect()
        let first = try pair.sealed([1])
        let second = try pair.sealed([1])
        #expect(Array(first[..<4]) == [2, 3, 0, 0])
        let counters = [first, second].map { bytes in bytes[8..<16].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        #expect(counters[1] == counters[0] + 1)
        let vxlan = try #require(VXLANHeader(vni: vni))
        #expect(vxlan.encoded == [8, 0, 0, 0, 0, 0x10, 0x01, 0])
        #expect(VXLANHeader(vni: 1 << 24) == nil)
        #expect([UInt8](arrayLiteral: 0, 0, 0, 0, 0, 0, 1, 0).withUnsafeBytes { VXLANHeader($0) } == nil)
    }

    @Test func anUnmadeChecksumIsMarkedAndTheMarkIsAuthentic() throws {
        var pair = try Pair()
        try pair.connect()
        var sent = try datagram(pair.a.onFrame(frame([1]), vni: vni, checksum: .pending, now: pair.now))
        #expect(sent[1] == 4)
        #expect(pair.deliverToB(sent) == [.writeFrame(frame([1]), vni: vni, checksum: .pending)])
        sent = try datagram(pair.a.onFrame(frame([1]), vni: vni, checksum: .pending, now: pair.now))
        sent[1] = 3
        #expect(pair.deliverToB(sent).isEmpty)
    }

    @Test func everyTamperedByteOfAnyDatagramIsRefused() throws {
        var pair = try Pair()
        pair.advance(.milliseconds(250))
        let initiation = try datagram(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        for index in initiation.indices {
            pair.advance(.seconds(1))
            #expect(pair.deliverToB(tampered(initiation, index)).isEmpty, "initiation byte \(index)")
        }
        let response = try datagram(pair.deliverToB(initiation))
        for index in response.indices {
            #expect(pair.deliverToA(tampered(response, index)).isEmpty, "response byte \(index)")
        }
        #expect(pair.a.peerStatuses()[0].sessionSince == nil)
        _ = pair.deliverToB(try datagram(pair.deliverToA(response)))
        let sent = try pair.sealed([1, 2, 3])
        for index in sent.indices {
            #expect(pair.deliverToB(tampered(sent, index)).isEmpty, "frame byte \(index)")
        }
        for length in 0..<sent.count {
            #expect(pair.deliverToB(Array(sent[..<length])).isEmpty, "frame cut to \(length)")
        }
        #expect(pair.deliverToB(sent + [0]).isEmpty)
        #expect(pair.b.counters.framesOpened == 0)
        #expect(frames(pair.deliverToB(sent)) == [frame([1, 2, 3])], "forgeries must not have moved the window")
    }

    @Test func replaysAreRefusedAndReorderingWithinTheWindowIsNot() throws {
        var pair = try Pair()
        try pair.connect()
        let sent = try (0..<9_000).map { try pair.sealed([UInt8(truncatingIfNeeded: $0)]) }
        #expect(frames(pair.deliverToB(sent[8_500])).count == 1)
        #expect(frames(pair.deliverToB(sent[8_500])).isEmpty)
        #expect(frames(pair.deliverToB(sent[8_500 - 8_127])).count == 1)
        #expect(frames(pair.deliverToB(sent[8_500 - 8_128])).isEmpty)
        #expect(frames(pair.deliverToB(sent[8_999])).count == 1)
        #expect(pair.b.counters[.replayed] == 2)
    }

    @Test func aReplayedInitiationIsRefused() throws {
        var pair = try Pair()
        pair.advance(.milliseconds(250))
        let initiation = try datagram(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        #expect(datagrams(pair.deliverToB(initiation)).count == 1)
        pair.advance(.seconds(1))
        #expect(pair.deliverToB(initiation).isEmpty)
        #expect(pair.b.counters[.handshakeReplayed] == 1)
    }

    @Test func initiationsGrowLaterEvenWhenTheWallClockGoesBack() throws {
        var pair = try Pair()
        pair.advance(.milliseconds(250))
        _ = pair.deliverToB(try datagram(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random)))
        pair.advance(.seconds(1))
        pair.wall = pair.wall - .seconds(3600)
        let second = try datagram(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        #expect(datagrams(pair.deliverToB(second)).count == 1)
    }

    @Test func anotherClusterOrKeyOrStrangerGetsNoAnswer() throws {
        var pair = try Pair()
        pair.advance(.milliseconds(250))
        var foreign = OverlayInstance(
            identity: .init(cluster: ClusterID(value: 98), node: nodeA, keys: pair.keysA))
        var wrongKey = OverlayInstance(
            identity: .init(
                cluster: cluster, node: nodeA, keys: try #require(KeyPair(using: &pair.random))))
        var stranger = OverlayInstance(
            identity: .init(cluster: cluster, node: NodeID(value: 5), keys: pair.keysA))
        let tables = pair.tables(for: nodeA)
        foreign.onTables(tables, now: Instant(nanoseconds: 0), using: &pair.random)
        wrongKey.onTables(tables, now: Instant(nanoseconds: 0), using: &pair.random)
        stranger.onTables(tables, now: Instant(nanoseconds: 0), using: &pair.random)
        for var instance in [foreign, wrongKey, stranger] {
            pair.advance(.seconds(1))
            let initiation = try datagram(instance.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
            #expect(pair.deliverToB(initiation).isEmpty)
        }
        #expect(pair.b.counters[.handshakeCodeInvalid] == 1)
        #expect(pair.b.counters[.handshakeRefused] == 1)
        #expect(pair.b.counters[.unknownPeer] == 1)
    }

    @Test func aPeerMaySendOnlyForWhatIsItsOwn() throws {
        var pair = try Pair()
        try pair.connect()
        var lies = pair.tables(for: nodeA)
        let macC = MACAddress(value: 0x02aa)
        let hostC = IPv4Address(10, 77, 0, 4)
        lies.endpoints.append(OverlayEndpoint(vni: vni, mac: macC, address: hostC, node: nodeA))
        lies.networks.append(OverlayNetwork(vni: 5, gateway: gateway, gatewayMAC: MACAddress(value: 77)))
        lies.endpoints.append(OverlayEndpoint(vni: 5, mac: macA, address: hostA, node: nodeA))
        lies.endpoints.append(OverlayEndpoint(vni: 5, mac: macB, address: hostB, node: nodeB))
        lies.endpoints.append(
            OverlayEndpoint(vni: vni, mac: MACAddress(value: 0x02bb), address: IPv4Address(10, 77, 0, 5), node: nodeB))
        pair.a.onTables(lies, now: pair.now, using: &pair.random)
        func offer(_ bytes: [UInt8], network: UInt32 = vni) throws -> Bool {
            let sent = try datagram(pair.a.onFrame(bytes, vni: network, now: pair.now))
            return frames(pair.deliverToB(sent)).count == 1
        }
        #expect(try offer(frame([1])))
        #expect(try !offer(frame(from: macC, address: hostC, [1])))
        #expect(pair.b.counters[.notOwnedByPeer] == 1)
        #expect(try !offer(frame([1]), network: 5))
        #expect(pair.b.counters[.unknownNetwork] == 1)
        #expect(try !offer(frame(to: MACAddress(value: 0x02bb), [1])))
        #expect(pair.b.counters[.notForThisNode] == 1)
    }

    @Test func aPeersFramesCarryAnAddressThatIsItsOwn() throws {
        let pair = try Pair()
        func admitted(_ bytes: [UInt8]) -> DropReason? {
            bytes.withUnsafeBytes { pair.b.plan.admit($0, vni: vni, from: 0) }
        }
        #expect(admitted(frame([1])) == nil)
        for stolen in [hostB, gateway, IPv4Address(10, 77, 0, 200), IPv4Address(8, 8, 8, 8)] {
            #expect(admitted(frame(address: stolen, [1])) == .notOwnedByPeer)
        }
        #expect(admitted(frame(from: MACAddress(value: 0x02aa), address: hostA, [1])) == .notOwnedByPeer)
        #expect(admitted(Array(frame([])[..<33])) == .malformed)
    }

    @Test func arpFromAPeerMustNameItsOwnAddress() throws {
        let pair = try Pair()
        func admitted(_ bytes: [UInt8]) -> DropReason? {
            bytes.withUnsafeBytes { pair.b.plan.admit($0, vni: vni, from: 0) }
        }
        #expect(admitted(arp(operation: 2, destination: macB, target: hostB)) == nil)
        #expect(admitted(arp(operation: 2, destination: macB, sender: gateway, target: hostB)) == .notOwnedByPeer)
        #expect(admitted(arp(operation: 2, destination: macB, sender: hostB, target: hostB)) == .notOwnedByPeer)
        #expect(
            admitted(arp(ethernetSource: macA, destination: macB, senderMAC: macB, target: hostB)) == .notOwnedByPeer)
        #expect(admitted(arp(target: hostB)) == .notForThisNode)
    }

    @Test func clearVXLANAndNoiseAreDroppedAndCounted() throws {
        var pair = try Pair()
        try pair.connect()
        let clear = try #require(VXLANHeader(vni: vni)).encoded + frame([1])
        #expect(pair.deliverToB(clear).isEmpty)
        #expect(pair.b.counters[.clearVXLAN] == 1)
        for version: UInt8 in [1, 3] {
            #expect(pair.deliverToB([version] + [UInt8](repeating: 7, count: 60)).isEmpty)
        }
        #expect(pair.b.counters[.unknownVersion] == 2)
        var random = SeededRandom(seed: 5)
        for length in 0..<400 {
            let noise = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            #expect(pair.deliverToB(noise).isEmpty)
            #expect(pair.deliverToB([2] + noise).isEmpty)
        }
        #expect(pair.b.counters.framesOpened == 0)
    }

    @Test func withoutASessionFramesWaitWithinALimitAndThenGoOut() throws {
        var pair = try Pair()
        var leaked: [OverlayDirective] = []
        for index in 0..<200 {
            leaked += pair.a.onFrame(frame([UInt8(index)]), vni: vni, now: pair.now)
        }
        #expect(leaked.isEmpty, "nothing may leave before there is a session")
        #expect(pair.a.counters[.queueFull] == 72)
        pair.advance(.milliseconds(250))
        let initiation = try datagram(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        let released = datagrams(pair.deliverToA(try datagram(pair.deliverToB(initiation))))
        #expect(released.count == 128)
        #expect(released.flatMap { frames(pair.deliverToB($0)) } == (0..<128).map { frame([UInt8($0)]) })
    }

    @Test func framesForASilentPeerAreDroppedAndNeverSent() throws {
        var pair = try Pair()
        #expect(pair.a.onFrame(frame([1]), vni: vni, now: pair.now).isEmpty)
        var sent: [[UInt8]] = []
        for _ in 0..<1_200 {
            pair.advance(.milliseconds(250))
            sent += datagrams(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        }
        #expect(pair.a.counters[.noSession] == 1)
        #expect(sent.allSatisfy { $0[1] == 1 }, "only initiations leave")
        #expect(sent.count > 10 && sent.count < 40, "retries back off and end: \(sent.count)")
    }
}

@Suite struct RekeyTests {
    @Test func aUsedSessionIsReplacedAfter120SecondsWithoutLoss() throws {
        var pair = try Pair()
        try pair.connect()
        let first = try #require(pair.a.peerStatuses()[0].sessionSince)
        _ = pair.deliverToB(try pair.sealed([0]))
        let late = try pair.sealed([1])
        pair.advance(.seconds(120))
        let initiation = try datagram(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        let during = try pair.sealed([2])
        let response = try datagram(pair.deliverToB(initiation))
        #expect(frames(pair.deliverToB(during)).count == 1, "the current key goes on during the handshake")
        let old = try datagram(pair.b.onFrame(frame(from: macB, to: macA, [3]), vni: vni, now: pair.now))
        let confirmation = try datagram(pair.deliverToA(response))
        #expect(frames(pair.deliverToA(old)).count == 1, "what was sealed before the rekey still arrives")
        #expect(pair.deliverToB(confirmation).isEmpty)
        #expect(frames(pair.deliverToB(late)).count == 1)
        let second = try #require(pair.a.peerStatuses()[0].sessionSince)
        #expect(second > first)
        #expect(frames(pair.deliverToB(try pair.sealed([4]))).count == 1)
    }

    @Test func anIdleSessionIsNotReplacedAndItsKeysGoAfter180Seconds() throws {
        var pair = try Pair()
        try pair.connect()
        var kept = try pair.sealed([1])
        kept = try pair.sealed([1])
        for _ in 0..<179 {
            pair.advance(.seconds(1))
            _ = pair.b.onTick(now: pair.now, wall: pair.wall, using: &pair.random)
        }
        #expect(pair.b.peerStatuses()[0].sessionSince != nil)
        pair.advance(.seconds(1))
        #expect(pair.deliverToB(kept).isEmpty)
        #expect(pair.b.counters[.keyExpired] == 1)
        _ = pair.b.onTick(now: pair.now, wall: pair.wall, using: &pair.random)
        #expect(pair.b.peerStatuses()[0].sessionSince == nil)
        #expect(pair.b.indexByKeyID.isEmpty || pair.b.peers[0].keyIDs.count == pair.b.indexByKeyID.count)
        #expect(pair.a.onFrame(frame([1]), vni: vni, now: pair.now).isEmpty, "an expired key seals nothing")
    }

    @Test func aPeerThatLostItsKeysIsCalledAgain() throws {
        var pair = try Pair()
        try pair.connect()
        _ = try pair.sealed([1])
        pair.advance(.seconds(15))
        let calls = datagrams(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        #expect(calls.contains { $0[1] == 1 })
    }

    @Test func aRestartedNodeTalksAgainWithinASecond() throws {
        var pair = try Pair()
        try pair.connect()
        _ = pair.deliverToB(try pair.sealed([1]))
        pair.advance(.seconds(5))
        pair.b = OverlayInstance(identity: .init(cluster: cluster, node: nodeB, keys: pair.keysB))
        pair.b.onTables(pair.tables(for: nodeB), now: pair.now, using: &pair.random)
        #expect(pair.deliverToB(try pair.sealed([2])).isEmpty)
        pair.advance(.milliseconds(250))
        let call = try datagram(pair.b.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        let confirmation = try datagram(pair.deliverToB(try datagram(pair.deliverToA(call))))
        _ = pair.deliverToA(confirmation)
        #expect(frames(pair.deliverToB(try pair.sealed([3]))) == [frame([3])])
    }

    @Test func whoOnlyReceivesSaysThatItIsThere() throws {
        var pair = try Pair()
        try pair.connect()
        _ = pair.deliverToB(try pair.sealed([1]))
        pair.advance(.seconds(10))
        let sent = datagrams(pair.b.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        let keepalive = try #require(sent.first { $0[1] == 3 })
        #expect(keepalive.count == 32)
        #expect(pair.deliverToA(keepalive).isEmpty)
        #expect(pair.a.peers[0].unansweredSince == nil)
    }

    @Test func bothSidesCallingAtOnceEndsWithWorkingSessions() throws {
        var pair = try Pair()
        pair.advance(.milliseconds(250))
        let callA = try datagram(pair.a.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        let callB = try datagram(pair.b.onTick(now: pair.now, wall: pair.wall, using: &pair.random))
        let answerB = try datagram(pair.deliverToB(callA))
        let answerA = try datagram(pair.deliverToA(callB))
        let confirmA = try datagram(pair.deliverToA(answerB))
        let confirmB = try datagram(pair.deliverToB(answerA))
        _ = pair.deliverToB(confirmA)
        _ = pair.deliverToA(confirmB)
        #expect(frames(pair.deliverToB(try pair.sealed([1]))).count == 1)
        let back = try datagram(pair.b.onFrame(frame(from: macB, to: macA, [2]), vni: vni, now: pair.now))
        #expect(frames(pair.deliverToA(back)).count == 1)
    }

    @Test func answersAreLimitedPerSecond() throws {
        var bucket = TokenBucket(perSecond: 50, burst: 100)
        let start = Instant(nanoseconds: 5)
        #expect((0..<500).count { _ in bucket.take(at: start) } == 100)
        #expect((0..<500).count { _ in bucket.take(at: start + .seconds(1)) } == 50)
        #expect((0..<500).count { _ in bucket.take(at: start + .seconds(1_000_000_000)) } == 100)
    }

    @Test func aChangedKeyOrRemovedPeerEndsItsSessions() throws {
        var pair = try Pair()
        try pair.connect()
        let sent = try pair.sealed([1])
        var tables = pair.tables(for: nodeB)
        tables.peers[0].endpoint = endpointB
        pair.b.onTables(tables, now: pair.now, using: &pair.random)
        #expect(frames(pair.deliverToB(sent)).count == 1, "a new address keeps the session")
        tables.peers[0].publicKey = try #require(KeyPair(using: &pair.random)).publicKey
        pair.b.onTables(tables, now: pair.now, using: &pair.random)
        #expect(pair.deliverToB(try pair.sealed([2])).isEmpty)
        #expect(pair.b.counters[.unknownKey] == 1)
        pair.b.onTables(OverlayTables(), now: pair.now, using: &pair.random)
        #expect(pair.b.peerCount == 0)
        #expect(pair.b.onFrame(frame(from: macB, to: macA, [1]), vni: vni, now: pair.now).isEmpty)
    }
}

private func tampered(_ bytes: [UInt8], _ index: Int) -> [UInt8] {
    var copy = bytes
    copy[index] ^= 0x10
    return copy
}

func contains(_ haystack: [UInt8], _ needle: [UInt8]) -> Bool {
    guard needle.count <= haystack.count else { return false }
    return (0...haystack.count - needle.count).contains { haystack[$0..<$0 + needle.count].elementsEqual(needle) }
}
