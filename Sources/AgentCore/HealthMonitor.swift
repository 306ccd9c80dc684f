public import ClusterModel
public import Primitives

/// When a container's health is asked for, and what the answers mean (Docker's HEALTHCHECK).
public struct HealthMonitor: Hashable, Sendable {
    public enum Directive: Hashable, Sendable {
        /// Run the check now; an answer later than this counts as a failure.
        case probe(timeout: Duration)
    }

    private let interval: Duration
    private let timeout: Duration
    private let startPeriod: Duration
    private let startInterval: Duration
    private let retries: Int
    private let startedAt: Instant
    private var failures = 0
    private var isProbing = false

    public private(set) var state: HealthState = .starting
    /// When ``onTick(now:)`` wants to be called; nil while a probe runs.
    public private(set) var nextProbeAt: Instant?

    /// Nil where there is nothing to check.
    public init?(_ check: Healthcheck?, startedAt now: Instant) {
        guard let check, let kind = check.test.first, kind != "NONE" else { return nil }
        func value(_ given: Duration, _ seconds: Int) -> Duration { given > .zero ? given : .seconds(seconds) }
        interval = value(check.interval, AgentLimits.healthIntervalSeconds)
        timeout = value(check.timeout, AgentLimits.healthTimeoutSeconds)
        startInterval = value(check.startInterval, AgentLimits.healthStartIntervalSeconds)
        startPeriod = check.startPeriod
        retries = check.retries > 0 ? check.retries : AgentLimits.healthRetries
        startedAt = now
        nextProbeAt = now + min(startPeriod > .zero ? startInterval : interval, interval)
    }

    public mutating func onTick(now: Instant) -> [Directive] {
        guard !isProbing, let due = nextProbeAt, due <= now else { return [] }
        isProbing = true
        nextProbeAt = nil
        return [.probe(timeout: timeout)]
    }

    /// The check ended with this exit code; nil when it could not be run or took too long.
    public mutating func onResult(exitCode: Int32?, now: Instant) {
        isProbing = false
        let isStarting = state == .starting && now < startedAt + startPeriod
        if exitCode == 0 {
            failures = 0
            state = .healthy
        } else if !isStarting {
            failures += 1
            if failures >= retries { state = .unhealthy }
        }
        nextProbeAt = now + (isStarting && state == .starting ? startInterval : interval)
    }
}
