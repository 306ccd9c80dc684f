import Primitives

/// What the daemon's side of the runtime allows itself.
enum Limits {
    /// Namespaces and mounts take milliseconds; a stuck disk takes longer.
    static let createTimeout: Duration = .seconds(60)
    static let requestTimeout: Duration = .seconds(20)
    /// From SIGKILL to the exit record.
    static let killTimeout: Duration = .seconds(20)
    /// A supervisor answers at once; one that does not in this time gets no further say in its container's life.
    static let answerTimeout: Duration = .seconds(5)
    /// Added to an exec's own time limit, for the way there and back.
    static let execReplyMargin: Duration = .seconds(5)
    static let blockingThreads = 8
    static let logBatchBytes = 64 << 10
    /// A line of the log: 16 KiB of text, each byte at most six characters of JSON, and the frame.
    static let logLineBytesMax = 128 << 10
    /// How often a follower looks for more.
    static let logPollInterval: Duration = .milliseconds(50)
    /// Files of one log, the current one included: each rotation renames them all.
    static let logFilesMax = 100
    static let sharedMemoryBytesDefault: UInt64 = 64 << 20
}
