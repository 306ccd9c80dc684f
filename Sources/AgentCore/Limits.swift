public enum AgentLimits {
    /// How long a task that others can reach stays up after it was withdrawn from names and ports, in seconds.
    public static let drainSeconds = 2
    /// A manager answers a heartbeat within half a period, or within this, in seconds.
    public static let heartbeatAnswerSeconds = 1
    /// A manager answers a registration within this, in seconds.
    public static let registrationAnswerSeconds = 5
    /// Attempts to find a manager in which the one that was just lost is left out: about as long as an election takes.
    public static let attemptsWithoutLostManager = 4
    /// Docker's defaults for health checks, in seconds.
    public static let healthIntervalSeconds = 30
    public static let healthTimeoutSeconds = 30
    public static let healthStartIntervalSeconds = 5
    public static let healthRetries = 3
    /// Before a stop or removal that failed is tried again; doubled each time, in seconds.
    public static let retrySeconds = 1
    public static let retryCeilingSeconds = 60
}
