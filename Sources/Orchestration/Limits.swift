public enum OrchestrationLimits {
    /// Changes that one loop proposes in one round; the rest follows in the next.
    public static let changesPerRound = 2_000
    /// Tasks made for one service in one round, so that a huge one leaves room for the others.
    public static let newTasksPerServiceAndRound = 500
    /// Replicas of one service.
    public static let replicasPerService: UInt64 = 20_000
    /// How long a node is down until its tasks are given up for good (SwarmKit's value).
    public static let orphanDelay = Duration.seconds(24 * 3600)
    /// Failures of a service's version on one node within `failureWindow` that make the node the last choice.
    public static let failuresPerNode = 5
    public static let failureWindow = Duration.seconds(300)
    /// Failed tasks of one slot, within `failureWindow` of running time, from which each further one doubles the delay.
    public static let failuresBeforeBackoff = 3
    /// How often it is doubled at most: from `backoffBase` beyond `backoffCeiling`.
    public static let backoffDoublings = 6
    /// Estimated size of what a service's tasks are made from: three tasks in one transaction stay below its limit.
    public static let taskSpecBytes = 256 << 10
    public static let backoffBase = Duration.seconds(1)
    public static let backoffCeiling = Duration.seconds(60)
    /// Between the creation of a task and the start of its successor: bounds a crash loop without a delay.
    public static let restartIntervalMinimum = Duration.milliseconds(500)
    /// How long an update waits for a place for a new task before that counts as a failure.
    public static let placementPatience = Duration.seconds(120)
    /// The first VXLAN network identifier that is given out (Docker's first).
    public static let firstVNI: UInt32 = 4096
    public static let lastVNI: UInt32 = 0xff_ffff
    /// Ports chosen for published ports without a number.
    public static let dynamicPorts: ClosedRange<UInt16> = 30_000...32_767
    /// RFC 1123 section 2.1.
    public static let serviceNameBytes = 63
    public static let memoryMinimumBytes: Int64 = 4 << 20
    public static let cpuMinimumNanoCPUs: Int64 = 1_000_000
    /// A learner of Raft may vote when it lacks at most so many entries.
    public static let learnerLagEntries: UInt64 = 100
}
