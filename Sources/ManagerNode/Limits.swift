public enum ManagerLimits {
    /// Raft's tick; the election timeout is 10 to 20 of them.
    static let tick = Duration.milliseconds(50)
    /// How long the next proposals wait for company, for each that the Raft thread has just taken.
    static let companyPerProposal = Duration.microseconds(100)
    static let longestCompany = Duration.milliseconds(4)
    /// Readers of the state wait for so many at most: a millisecond.
    static let entriesAppliedAtOnce = 256
    /// Inputs waiting for the Raft thread; proposals above it are refused, messages dropped (Raft sends them again).
    static let inputs = 100_000
    /// Bytes of entries, proposals or refusals in one frame of a link; what is larger alone travels alone.
    static let frameBytes = 1 << 20
    /// Messages waiting for one peer; more are dropped.
    static let peerMessages = 4_096
    /// Applied entries between two snapshots, at the least.
    static let entriesBetweenSnapshots: UInt64 = 10_000
    /// Bytes of entries that are due for a snapshot however large the last one was: the log is in memory, too.
    static let logBytesBetweenSnapshots = 256 << 20
    /// Entries kept behind a snapshot for slow followers.
    static let entriesKeptBehindSnapshot: UInt64 = 500
    /// Behind each piece of a snapshot that is written: the processor is for whoever waits for it.
    static let snapshotRest = Duration.microseconds(500)
    /// For the blocks of removed files, where a new segment finds no room.
    static let removalWait = Duration.seconds(10)
    /// A snapshot larger than this is refused by the receiver.
    static let snapshotBytes = 4 << 30
    /// Changes waiting for the control loops; above it they look at everything instead.
    static let pendingChanges = 10_000
    /// How long a write waits for a leader and its commit.
    static let proposeTimeout = Duration.seconds(20)
    /// How long a read waits for the leader's confirmation before it is asked for again.
    static let readTimeout = Duration.seconds(1)
    /// Proposals on their way to the leader or with it; more are refused.
    static let forwardedProposals = 10_000
    /// Between two attempts of a write that found no leader.
    static let proposeRetry = Duration.milliseconds(50)
    /// Assignments wait this long for others to go with them.
    static let assignmentBatch = Duration.milliseconds(50)
    /// Between two looks at clocks: heartbeats that stay away, loops that asked to run again.
    static let leaderTick = Duration.milliseconds(100)
    /// A manager that its leader has not heard for so long does not count when another one is to go.
    static let signOfLife = Duration.milliseconds(1500)
    /// Events that are kept for who asks for the past.
    static let recentEvents = 1_000
    /// Events that wait for one reader; one that is further behind is sent away.
    static let followedEvents = 10_000
    /// How long a control loop rests whose transactions were all refused three times in a row; twice as long each further time.
    static let refusedLoopRest = Duration.milliseconds(100)
    /// The rest is doubled so often at most: 6.4 s.
    static let refusedLoopShifts = 6
    /// So many refusals in a row are worth a warning, and as many again are the next one.
    static let refusalsToReport = 20
    /// Of a session's mark, and marks of sessions before it, that are looked at.
    static let markBytes = 64
    static let earlierMarks = 16
    /// Messages waiting for one agent; a session that cannot keep up is ended and starts anew.
    static let sessionMessages = 10_000
    /// Certificates renewed at once, and then each second: the rest of the nodes asks again.
    static let renewalsAtOnce = 100
    static let renewalsPerSecond = 50
    /// Between two looks at whether a new root is in use everywhere.
    static let rootLook = Duration.milliseconds(500)
    /// Between two calls on a manager that was named at the start.
    static let introductionPeriod = Duration.seconds(1)
    /// Before the next attempt to reach a peer, doubling as long as it does not let this manager in.
    static let peerBackoff = Duration.milliseconds(100)
    static let longestPeerBackoff = Duration.seconds(1)
}
