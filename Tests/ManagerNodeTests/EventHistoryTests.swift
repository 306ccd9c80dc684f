import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import ManagerNode

@Suite struct EventHistoryTests {
    private let history = EventHistory()
    private let start = Timestamp(nanoseconds: 1_000_000_000)

    private func change(_ number: Int) -> StateChange {
        StateChange(
            before: nil, after: .secret(Secret(id: SecretID(value: UInt128(number)), name: "s\(number)", data: [])))
    }

    private func record(_ numbers: Range<Int>, at time: Timestamp) {
        history.record(numbers.map(change), ClusterTables().roster, at: time)
    }

    private func names(_ stream: EventHistory.Stream) async throws -> [String] {
        var names: [String] = []
        for try await event in stream { names.append(event.attributes["name"] ?? "") }
        return names
    }

    @Test func thePastIsToldAndThenWhatFollows() async throws {
        record(0..<2, at: start)
        record(2..<3, at: start + .seconds(5))
        let past = history.follow(since: start + .seconds(1), until: start + .seconds(9), now: start + .seconds(9))
        #expect(try await names(past) == ["s2"])
        let followed = history.follow(since: start, until: nil, now: start + .seconds(9))
        record(3..<4, at: start + .seconds(10))
        history.end(Failure(.unavailable, "over"))
        var seen: [String] = []
        await #expect(throws: Failure.self) {
            for try await event in followed { seen.append(event.attributes["name"] ?? "") }
        }
        #expect(seen == ["s0", "s1", "s2", "s3"])
    }

    @Test func onlyTheLatestAreKept() async throws {
        record(0..<ManagerLimits.recentEvents + 10, at: start)
        let all = try await names(history.follow(since: .zero, until: start, now: start))
        #expect(all.count == ManagerLimits.recentEvents && all.first == "s10")
    }

    @Test func aSlowReaderIsSentAway() async throws {
        let stream = history.follow(since: nil, until: nil, now: start)
        for batch in 0..<11 { record(batch * 1000..<(batch + 1) * 1000, at: start) }
        var count = 0
        let failure = await #expect(throws: Failure.self) { for try await _ in stream { count += 1 } }
        #expect(failure?.code == .resourceExhausted)
        #expect(count == ManagerLimits.followedEvents)
    }

    @Test func aSnapshotBreaksTheStream() async throws {
        let stream = history.follow(since: nil, until: nil, now: start)
        history.record([StateChange(before: nil, after: nil)], ClusterTables().roster, at: start)
        await #expect(throws: Failure.self) { try await names(stream) }
    }
}
