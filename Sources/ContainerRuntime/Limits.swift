import Primitives

/// What the daemon's side of the runtime allows itself.
enum Limits {
    /// Namespaces and mounts take milliseconds; a stuck disk takes longer.
    static let createTimeout: Duration = .seconds(60)
    static let requestTimeout: Duration = .seconds(20)
    /// From SIGKILL to the exit record.
    static let killTimeout: Duration = .seconds(20)
    /// Added to an exec's own time limit, for the way there and back.
    static let execReplyMargin: Duration = .seconds(5)
    static let blockingThreads = 8
    static let logBatchBytes = 64 << 10
    /// A line of the log: 16 KiB of text, each byte at most six characters of JSON, and the frame.
    static let logLineBytesMax = 128 << 10
    /// How often a follower looks for more.
    static let logPollInterval: Duration = .milliseconds(50)
    /// Rotated files that a reader looks for.
    static let logFilesMax = 100
    static let sharedMemoryBytesDefault: UInt64 = 64 << 20
}
