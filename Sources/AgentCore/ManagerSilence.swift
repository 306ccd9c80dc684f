public import Primitives

/// Whether the manager of a session still answers: one that stands still, or whose machine is off, ends no connection.
///
/// It answers each heartbeat. What an agent may wait follows its heartbeats, since its node is down after three missed ones.
public struct ManagerSilence: Sendable {
    /// When the first thing was sent that has no answer yet.
    private var askedAt: Instant?
    private var hasAnswered = false

    /// A session begins, which the manager answers with all assignments.
    public init(now: Instant) {
        askedAt = now
    }

    public mutating func onHeartbeat(now: Instant) {
        if askedAt == nil { askedAt = now }
    }

    /// Whatever the manager says shows that it is there.
    public mutating func onMessage() {
        askedAt = nil
        hasAnswered = true
    }

    /// Whether the agent looks for another manager.
    public func isTooLong(heartbeatPeriod: Duration, now: Instant) -> Bool {
        guard let askedAt else { return false }
        let least: Duration =
            hasAnswered
            ? .seconds(AgentLimits.heartbeatAnswerSeconds) : .seconds(AgentLimits.registrationAnswerSeconds)
        return now > askedAt + max(heartbeatPeriod / 2, least)
    }
}
