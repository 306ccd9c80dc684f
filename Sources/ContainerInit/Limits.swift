/// What one supervisor allows itself.
enum Limits {
    /// Longer lines are written in pieces, as Docker does.
    static let logLineBytesMax = 16 << 10
    /// Read from a pipe at once.
    static let pipeReadBytes = 32 << 10
    /// Encoded log lines are written when there are so many bytes, and after each read.
    static let logBufferBytes = 128 << 10
    /// Programs run in the container at the same time beside its own.
    static let concurrentExecsMax = 16
    static let clientsMax = 16
    /// Names under which descriptors are kept.
    static let storedNamesMax = 16
    /// A stopped writer gets so long to be drained after the container has ended.
    static let drainReadsMax = 4_096
    /// /etc/passwd and /etc/group of an image.
    static let userDatabaseBytesMax = 8 << 20
    /// After so long without an event a supervisor gives back memory.
    static let idleMillisecondsBeforeTrim: Int32 = 1_000
    /// The kernel's score when memory runs out: the supervisor should outlive its container.
    static let outOfMemoryScore = -900
}
