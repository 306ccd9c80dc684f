enum WorkerLimits {
    /// Between two attempts to find a manager that takes this agent.
    static let sessionBackoff = Duration.milliseconds(250)
    /// Between two looks at whether the manager still answers.
    static let silenceCheck = Duration.milliseconds(200)
    /// Messages to a manager that wait to be sent; above it the session is ended and starts anew.
    static let outgoingMessages = 10_000
    /// Heartbeats vary by this share, so that a thousand agents do not beat at once.
    static let heartbeatJitter = 0.1
    /// A task's record.
    static let recordBytes = 4 << 20
    /// Lines of a log in one message to a manager.
    static let logLinesPerMessage = 100
}
