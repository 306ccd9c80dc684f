import ClusterModel
import Primitives
import Testing

@testable import OverlayProtocol

/// Two nodes over an underlay that loses, doubles, delays, reorders, damages and replays, for minutes of seeded time.
private struct LossyNetwork {
    struct Flight {
        var arrival: Instant
        var order: UInt64
        var toB: Bool
        var bytes: [UInt8]
    }

    var pair: Pair
    var random: SeededRandom
    let lossPercent: UInt64
    let damagePercent: UInt64
    var flights: [Flight] = []
    var recorded: [Flight] = []
    var sentToB: Set<[UInt8]> = []
    var receivedByB: [[UInt8]] = []
    var order: UInt64 = 0

    init(seed: UInt64) throws {
        pair = try Pair(aesOnA: seed % 2 == 0)
        random = SeededRandom(seed: seed &+ 1_000)
        lossPercent = random.next(upperBound: UInt64(30))
        damagePercent = random.next(upperBound: UInt64(10))
    }

    mutating func launch(_ directives: [OverlayDirective], toB: Bool) {
        for bytes in datagrams(directives) {
            let copies = random.next(upperBound: UInt64(20)) == 0 ? 2 : 1
            for _ in 0..<copies where random.next(upperBound: UInt64(100)) >= lossPercent {
                var flight = bytes
                if random.next(upperBound: UInt64(100)) < damagePercent {
                    flight[Int(random.next(upperBound: UInt64(bytes.count)))] ^= 1 << UInt8(random.next() % 8)
                }
                add(flight, toB: toB, within: 200)
            }
            if recorded.count < 200 { recorded.append(Flight(arrival: pair.now, order: 0, toB: toB, bytes: bytes)) }
        }
        if let old = recorded.randomElement(using: &random), random.next() % 10 == 0 {
            add(old.bytes, toB: old.toB, within: 200)
        }
    }

    mutating func add(_ bytes: [UInt8], toB: Bool, within milliseconds: UInt64) {
        order += 1
        let delay = Duration.milliseconds(Int64(random.next(upperBound: milliseconds)))
        flights.append(Flight(arrival: pair.now + delay, order: order, toB: toB, bytes: bytes))
    }

    mutating func land() {
        let due = flights.filter { $0.arrival <= pair.now }.sorted { ($0.arrival, $0.order) < ($1.arrival, $1.order) }
        flights.removeAll { $0.arrival <= pair.now }
        for flight in due {
            let result = flight.toB ? pair.deliverToB(flight.bytes) : pair.deliverToA(flight.bytes)
            if flight.toB { receivedByB += frames(result) }
            launch(result, toB: !flight.toB)
        }
    }

    mutating func step(sending payload: [UInt8]?) {
        pair.advance(.milliseconds(50))
        if let payload {
            sentToB.insert(frame(payload))
            launch(pair.a.onFrame(frame(payload), vni: vni, now: pair.now), toB: true)
            let back = pair.b.onFrame(frame(from: macB, to: macA, payload), vni: vni, now: pair.now)
            launch(back, toB: false)
        }
        launch(pair.a.onTick(now: pair.now, wall: pair.wall, using: &random), toB: true)
        launch(pair.b.onTick(now: pair.now, wall: pair.wall, using: &random), toB: false)
        land()
    }
}

@Suite struct LossyPairTests {
    @Test(arguments: 0..<12) func nothingArrivesTwiceOrChangedAndMostArrives(seed: UInt64) throws {
        var network = try LossyNetwork(seed: seed)
        let steps = 8_000
        for step in 0..<steps {
            network.step(sending: [UInt8(step >> 8), UInt8(step & 0xff), 42])
        }
        for _ in 0..<100 { network.step(sending: nil) }
        let received = network.receivedByB
        #expect(Set(received).isSubset(of: network.sentToB), "seed \(seed): a frame was changed or invented")
        #expect(Set(received).count == received.count, "seed \(seed): a frame arrived twice")
        let expected = UInt64(steps) * (100 - network.lossPercent) * (100 - network.damagePercent) / 10_000
        #expect(UInt64(received.count) > expected * 85 / 100, "seed \(seed): \(received.count) of about \(expected)")
        let rekeys = network.pair.a.counters.sessionsInitiated + network.pair.a.counters.sessionsAnswered
        #expect(rekeys >= 3, "seed \(seed): 400 seconds need three rekeys, there were \(rekeys)")
    }
}
