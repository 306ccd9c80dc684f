import AgentCore
import Primitives
import Testing

@Suite struct ManagerSilenceTests {
    private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 0) + .milliseconds(milliseconds) }

    @Test func anUnansweredHeartbeatIsTooLongAfterHalfAPeriod() {
        var silence = ManagerSilence(now: at(0))
        silence.onMessage()
        silence.onHeartbeat(now: at(5_000))
        #expect(!silence.isTooLong(heartbeatPeriod: .seconds(5), now: at(7_500)))
        #expect(silence.isTooLong(heartbeatPeriod: .seconds(5), now: at(7_501)))
        // The first one counts that has no answer.
        silence.onHeartbeat(now: at(7_501))
        #expect(silence.isTooLong(heartbeatPeriod: .seconds(5), now: at(7_502)))
        silence.onMessage()
        #expect(!silence.isTooLong(heartbeatPeriod: .seconds(5), now: at(60_000)))
    }

    /// With short heartbeats, a manager may take a second; the first message may hold all that a node needs.
    @Test func aManagerHasTimeToAnswer() {
        var silence = ManagerSilence(now: at(0))
        #expect(!silence.isTooLong(heartbeatPeriod: .seconds(1), now: at(5_000)))
        #expect(silence.isTooLong(heartbeatPeriod: .seconds(1), now: at(5_001)))
        silence.onMessage()
        silence.onHeartbeat(now: at(6_000))
        #expect(!silence.isTooLong(heartbeatPeriod: .seconds(1), now: at(7_000)))
        #expect(silence.isTooLong(heartbeatPeriod: .seconds(1), now: at(7_001)))
    }
}
