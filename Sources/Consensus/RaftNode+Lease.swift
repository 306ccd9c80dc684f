import DequeModule
public import Primitives

/// Two clocks of one machine, read together. They agree unless the machine stood still: then `boottime` went on.
public struct ClockReading: Hashable, Sendable {
    /// `CLOCK_MONOTONIC`
    public var monotonic: Instant
    /// `CLOCK_BOOTTIME`
    public var boottime: Instant

    public init(monotonic: Instant, boottime: Instant) {
        self.monotonic = monotonic
        self.boottime = boottime
    }
}

/// What a leader knows of the time for which nobody else can lead: a majority that answered a round of heartbeats votes for
/// nobody for an election timeout from when it got them, and it got them after they were sent (thesis §6.4.1).
struct Lease {
    private var rounds: Deque<(number: UInt64, begun: ClockReading)> = []
    /// When the last round began that a majority answered.
    private var start: ClockReading?

    mutating func begin(round: UInt64, at clock: ClockReading) {
        rounds.append((round, clock))
        if rounds.count > Limits.maximumLeaseRounds { rounds.removeFirst() }
    }

    mutating func confirm(round confirmed: UInt64) {
        while let first = rounds.first, first.number <= confirmed {
            start = first.begun
            rounds.removeFirst()
        }
    }

    mutating func drop() {
        start = nil
        rounds.removeAll()
    }

    /// Whether it holds now. Clocks that disagree about the time since then, or that went back, end it until the next
    /// round is answered.
    mutating func holds(at now: ClockReading, for duration: Duration) -> Bool {
        guard let start else { return false }
        let monotonic = now.monotonic - start.monotonic
        #if MUTANT_LEASE_AFTER_CLOCK_JUMP
            return monotonic < duration
        #endif
        let boottime = now.boottime - start.boottime
        let apart = monotonic < boottime ? boottime - monotonic : monotonic - boottime
        if monotonic < .zero || boottime < .zero || apart > Limits.maximumClockDifference {
            drop()
            return false
        }
        return max(monotonic, boottime) < duration
    }
}

extension RaftNode {
    /// 50 ms have passed, and this is the time.
    public mutating func tick(_ clock: ClockReading) {
        self.clock = clock
        tick()
    }

    /// Whether this member may have promised a leader not to vote for others.
    var isBoundByLease: Bool {
        #if MUTANT_LEASE_BINDING_DROPPED
            return false
        #else
            return configuration.usesLeases && quietTicks < configuration.electionTicks
        #endif
    }

    /// How long a lease holds: of the election timeout one tick may have passed when the heartbeat came, and the clocks of
    /// two members may run by a quarter apart.
    private var leaseDuration: Duration {
        Limits.tick * (configuration.electionTicks - 1) * 3 / 4
    }

    /// Asks as ``readIndex(context:)`` does. A leader whose lease holds answers at once, without a round of messages.
    ///
    /// - Parameter clock: read after the question came.
    /// - Returns: whether the lease answered.
    @discardableResult
    public mutating func readByLease(context: UInt64, clock: ClockReading) throws(ProposalRefused) -> Bool {
        let duration = leaseDuration
        guard configuration.usesLeases, hasCommittedInTerm, leadership?.transferee == nil,
            leadership?.lease?.holds(at: clock, for: duration) == true
        else {
            try readIndex(context: context)
            return false
        }
        servableReads.append(ReadState(index: log.committed, context: context))
        return true
    }
}
