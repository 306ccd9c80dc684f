import ClusterMessages
import Primitives
import Testing

@testable import ManagerNode

@Suite struct LeaderCallTests {
    /// What was under way may have been made; what was not sent was not, nor what comes afterwards.
    @Test func anEndLeavesTheOutcomeOpenAndTakesNothingMore() async throws {
        let call = LeaderCall(to: "192.0.2.1:2377")
        let pending = Task { try await call.propose([1]) }
        while call.underWay == 0 { await Task.yield() }
        #expect(call.takeUnsent().count == 1)
        let waiting = Task { try await call.propose([2]) }
        while call.underWay == 1 { await Task.yield() }
        call.end("the leader has changed")
        let unsent = await #expect(throws: Failure.self) { try await waiting.value }
        #expect(unsent?.code == .unavailable)
        let open = await #expect(throws: Failure.self) { try await pending.value }
        #expect(open?.code == .unknown)
        #expect(call.hasEnded && call.underWay == 0)
        let refusal = await #expect(throws: Failure.self) { try await call.propose([2]) }
        #expect(refusal?.code == .unavailable)
    }

    @Test func whatWaitsTravelsTogetherUpToTheLimitOfAMessage() async throws {
        let call = LeaderCall(to: "192.0.2.1:2377")
        let third = [UInt8](repeating: 0, count: ManagerLimits.frameBytes / 3 + 1)
        let large = [UInt8](repeating: 0, count: ManagerLimits.frameBytes + 1)
        try await withThrowingDiscardingTaskGroup { group in
            for (count, transaction) in [third, third, third, large].enumerated() {
                group.addTask { await #expect(throws: Failure.self) { try await call.propose(transaction) } }
                while call.underWay == count { await Task.yield() }
            }
            #expect(call.takeUnsent().map(\.number) == [1, 2])
            #expect(call.takeUnsent().map(\.number) == [3])
            #expect(call.takeUnsent().map(\.number) == [4])
            #expect(call.takeUnsent().isEmpty)
            call.end("the leader has changed")
        }
    }
}
