import ClusterModel
import Primitives

/// By what a session shows whose it is: an agent knows the marks of the sessions that it had before, a second machine
/// with the same identity does not.
public struct SessionMarks: Hashable, Sendable {
    /// Random, of this session.
    public var own: [UInt8]
    /// Of sessions that the agent had, or may have had, before this one.
    public var earlier: [[UInt8]]

    public init(own: [UInt8] = [], earlier: [[UInt8]] = []) {
        self.own = own
        self.earlier = earlier
    }

    /// Whether whoever shows these marks is the agent that had `session`; agents without marks are believed.
    func follow(_ session: SessionMarks) -> Bool {
        own.isEmpty || session.own.isEmpty || earlier.contains(session.own)
    }
}

/// Nodes whose identity two machines show: a cloned disk, or a machine restored beside itself.
///
/// The machine that has the session keeps it as long as it gives signs of life. A machine that comes up again after a
/// power cut looks the same at first; its former session is silent, and it waits no longer than that takes to be seen.
struct IdentityContests: Hashable, Sendable {
    enum Verdict: Hashable, Sendable {
        /// The session's machine is silent: the newcomer is its successor.
        case succeeds
        /// Not known yet: the newcomer asks again in a moment.
        case waits
        /// The session's machine is alive.
        case isFenced
    }

    private struct Contest: Hashable, Sendable {
        /// A sign of life after this time counts.
        var since: Instant
        var isProven = false
    }

    private var contests: [NodeID: Contest] = [:]

    /// - Parameters:
    ///   - lastHeard: when the present session gave its last sign of life.
    ///   - period: the longest time that it may be between two of them.
    mutating func judge(_ node: NodeID, lastHeard: Instant, period: Duration, now: Instant) -> Verdict {
        guard var contest = contests[node] else {
            contests[node] = Contest(since: now)
            return .waits
        }
        if lastHeard > contest.since + .milliseconds(AssignmentLimits.contestGraceMilliseconds) {
            contest.since = now
            contest.isProven = true
            contests[node] = contest
            return .isFenced
        }
        guard now > contest.since + period * AssignmentLimits.contestPeriods else { return .waits }
        contests[node] = nil
        return .succeeds
    }

    /// The session is over: whoever comes next is let in.
    mutating func end(_ node: NodeID) { contests[node] = nil }

    /// Forgets contests whose newcomer stays away.
    ///
    /// - Returns: nodes of which it was said that there are two, ordered.
    mutating func expire(now: Instant) -> [NodeID] {
        if contests.isEmpty { return [] }
        let old = contests.filter { now > $0.value.since + .seconds(AssignmentLimits.contestMemorySeconds) }
        for node in old.keys { contests[node] = nil }
        return old.filter(\.value.isProven).keys.sorted()
    }
}
