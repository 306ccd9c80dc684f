enum WorkerLimits {
    /// Between two attempts to find a manager that takes this agent.
    static let sessionBackoff = Duration.milliseconds(250)
    /// Between two looks at whether the manager still answers.
    static let silenceCheck = Duration.milliseconds(200)
    /// After a manager has refused this node: it may have been let in again, or the other machine may be gone.
    static let refusedBackoff = Duration.seconds(5)
    /// Between two log lines that say the same, and how many different ones are told apart.
    static let complaintPeriod = Duration.seconds(60)
    static let knownComplaints = 64
    /// Of a session's random mark.
    static let markBytes = 16
    /// Marks of sessions without an answer that are shown with the next.
    static let openMarks = 8
    /// Messages to a manager that wait to be sent; above it the session is ended and starts anew.
    static let outgoingMessages = 10_000
    /// Heartbeats vary by this share, so that a thousand agents do not beat at once.
    static let heartbeatJitter = 0.1
    /// A task's record.
    static let recordBytes = 4 << 20
    /// Lines of a log in one message to a manager.
    static let logLinesPerMessage = 100
}
