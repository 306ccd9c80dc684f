public enum AssignmentLimits {
    /// Heartbeats missed before a node is down.
    public static let missedHeartbeats = 3
    /// The agent's heartbeat until a manager has told it another.
    public static let firstHeartbeatSeconds = 5
    /// An agent that is told of another period may first end the pause that it is in, and its last heartbeat may have
    /// been under way: so many heartbeats count by the longer period.
    public static let heartbeatsByOldPeriod = 2
    /// A look at the heartbeats that comes so long after the one before says nothing: they may wait as well. In seconds.
    public static let lateTickSeconds = 1
    /// Items of one message.
    public static let itemsPerMessage = 200
    /// Estimated size at which a message is closed. One item may be above it: a task, whose spec is below 256 KiB, or a
    /// config, which is below 1 MiB. gRPC's limit is 4 MiB.
    public static let bytesPerMessage = 1 << 20
    static let bytesPerRemoval = 64
    /// An agent's message or error in a task's status; what is longer is cut.
    public static let statusTextBytes = 4_096
    /// Of a container in a task's status; Docker's has 64.
    public static let containerIDBytes = 128
    /// Statuses written by one transaction.
    public static let statusesPerTransaction = 200
    /// Statuses waiting for the log; an agent resends what was not acknowledged when its session starts anew.
    public static let pendingStatuses = 100_000
    /// A heartbeat may have been on its way when a second machine came with a node's identity: a sign of life counts from
    /// so long after that.
    static let contestGraceMilliseconds = 200
    /// Heartbeats for which a session may be silent before its node's next session takes its place: with the jitter of
    /// heartbeats.
    static let contestPeriods = 1.5
    /// A second machine that has not come for so long is forgotten. In seconds.
    static let contestMemorySeconds = 60
}
