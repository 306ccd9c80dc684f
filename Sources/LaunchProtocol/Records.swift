public import Primitives

/// A process that cannot be mistaken for a later one with the same number.
public struct RecordedProcess: Hashable, Sendable, LaunchCodable {
    public var pid: Int32
    /// Clock ticks since boot.
    public var startTime: UInt64

    public init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }

    public func write(to writer: inout ByteWriter) {
        writer.write(pid)
        writer.write(startTime)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        pid = try reader.readInt32()
        startTime = try reader.readUInt64()
    }
}

/// What the supervisor leaves in the container's folder so that a later daemon finds both again.
public struct StateRecord: Hashable, Sendable, LaunchCodable {
    public static let fileName = "state"

    public var id: String
    public var supervisor: RecordedProcess
    public var process: RecordedProcess
    public var runFolder: String
    public var createdAt: Timestamp

    public init(
        id: String, supervisor: RecordedProcess, process: RecordedProcess, runFolder: String, createdAt: Timestamp
    ) {
        self.id = id
        self.supervisor = supervisor
        self.process = process
        self.runFolder = runFolder
        self.createdAt = createdAt
    }

    public func write(to writer: inout ByteWriter) {
        writer.write(id)
        supervisor.write(to: &writer)
        process.write(to: &writer)
        writer.write(runFolder)
        writer.write(createdAt.nanoseconds)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        id = try reader.readText()
        supervisor = try RecordedProcess(from: &reader)
        process = try RecordedProcess(from: &reader)
        runFolder = try reader.readText()
        createdAt = Timestamp(nanoseconds: try reader.readInt64())
    }
}

/// How a container ended, durable in its folder before anybody is told.
public struct ExitRecord: Hashable, Sendable, LaunchCodable {
    public static let fileName = "exit"

    /// 128 and the signal's number for a killed process; 125, 126 or 127 when it never ran.
    public var exitCode: Int32
    /// The signal that killed it.
    public var signal: Int32?
    /// The out-of-memory killer ended a process of it.
    public var wasOutOfMemory: Bool
    /// nil: it never ran.
    public var startedAt: Timestamp?
    public var finishedAt: Timestamp
    /// Why it never ran.
    public var failure: LaunchFailure?
    /// Lines that could not be written (disk full).
    public var lostLogLines: UInt64

    public init(
        exitCode: Int32, signal: Int32?, wasOutOfMemory: Bool, startedAt: Timestamp?, finishedAt: Timestamp,
        failure: LaunchFailure?, lostLogLines: UInt64
    ) {
        self.exitCode = exitCode
        self.signal = signal
        self.wasOutOfMemory = wasOutOfMemory
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.failure = failure
        self.lostLogLines = lostLogLines
    }

    public func write(to writer: inout ByteWriter) {
        writer.write(exitCode)
        writer.write(signal ?? 0)
        writer.write(wasOutOfMemory)
        writer.write(startedAt != nil)
        if let startedAt { writer.write(startedAt.nanoseconds) }
        writer.write(finishedAt.nanoseconds)
        writer.write(failure != nil)
        failure?.write(to: &writer)
        writer.write(lostLogLines)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        exitCode = try reader.readInt32()
        let signal = try reader.readInt32()
        self.signal = signal == 0 ? nil : signal
        wasOutOfMemory = try reader.readBool()
        startedAt = try reader.readBool() ? Timestamp(nanoseconds: try reader.readInt64()) : nil
        finishedAt = Timestamp(nanoseconds: try reader.readInt64())
        failure = try reader.readBool() ? try LaunchFailure(from: &reader) : nil
        lostLogLines = try reader.readUInt64()
    }
}

/// The socket on which a supervisor listens, in the container's run folder.
public enum ControlSocket {
    public static let fileName = "control.sock"
}
