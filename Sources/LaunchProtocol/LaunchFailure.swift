public import Primitives

/// Why a container, or a program in it, could not be started: what was being done, on what, and the kernel's answer.
public struct LaunchFailure: Error, Hashable, Sendable, CustomStringConvertible, LaunchCodable {
    /// `mount`, `exec`, `chdir` …
    public var stage: String
    /// The path, user or device it was about; may be empty.
    public var subject: String
    /// 0: `reason` says it.
    public var errno: Int32
    public var reason: String
    /// What Docker would report: 125 for the runtime's own failure, 126 not executable, 127 not found.
    public var exitCode: Int32

    public static let runtimeFailed: Int32 = 125
    public static let notExecutable: Int32 = 126
    public static let notFound: Int32 = 127

    public init(stage: String, subject: String = "", errno: Int32, reason: String, exitCode: Int32 = runtimeFailed) {
        self.stage = stage
        self.subject = subject
        self.errno = errno
        self.reason = reason
        self.exitCode = exitCode
    }

    /// `exec /nope: no such file or directory`.
    public var description: String { stage + (subject.isEmpty ? "" : " " + subject) + ": " + reason }

    public func write(to writer: inout ByteWriter) {
        writer.write(stage)
        writer.write(subject)
        writer.write(errno)
        writer.write(reason)
        writer.write(exitCode)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        stage = try reader.readText()
        subject = try reader.readText()
        errno = try reader.readInt32()
        reason = try reader.readText()
        exitCode = try reader.readInt32()
    }
}
