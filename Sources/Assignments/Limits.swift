public enum AssignmentLimits {
    /// Heartbeats missed before a node is down.
    public static let missedHeartbeats = 3
    /// Items of one message: with tasks of up to a few KiB it stays below gRPC's 4 MiB.
    public static let itemsPerMessage = 200
    /// Statuses written by one transaction.
    public static let statusesPerTransaction = 200
    /// Statuses waiting for the log; an agent resends what was not acknowledged when its session starts anew.
    public static let pendingStatuses = 100_000
}
