public import Primitives

/// One message on a control socket: a request, its answer with the same number, or an event with number 0.
public struct ControlMessage<Body: LaunchCodable & Sendable>: Sendable, LaunchCodable {
    public var number: UInt32
    public var body: Body

    public init(number: UInt32, body: Body) {
        self.number = number
        self.body = body
    }

    public func write(to writer: inout ByteWriter) {
        writer.write(number)
        body.write(to: &writer)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        number = try reader.readUInt32()
        body = try Body(from: &reader)
    }
}

/// What a daemon asks of a supervisor.
public enum ControlRequest: Hashable, Sendable, LaunchCodable {
    case status
    case start
    case signal(Int32)
    case execute(ExecRequest)
    /// Keeps the descriptors that come with the message under a name, in place of those kept before.
    case storeDescriptors(name: String)
    /// Asks for a copy of them.
    case fetchDescriptors(name: String)

    private enum Tag: UInt8 {
        case status = 1
        case start = 2
        case signal = 3
        case execute = 4
        case storeDescriptors = 5
        case fetchDescriptors = 6
    }

    public func write(to writer: inout ByteWriter) {
        switch self {
        case .status: writer.write(Tag.status.rawValue)
        case .start: writer.write(Tag.start.rawValue)
        case .signal(let signal):
            writer.write(Tag.signal.rawValue)
            writer.write(signal)
        case .execute(let request):
            writer.write(Tag.execute.rawValue)
            request.write(to: &writer)
        case .storeDescriptors(let name):
            writer.write(Tag.storeDescriptors.rawValue)
            writer.write(name)
        case .fetchDescriptors(let name):
            writer.write(Tag.fetchDescriptors.rawValue)
            writer.write(name)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        switch try reader.readCase(Tag.self) {
        case .status: self = .status
        case .start: self = .start
        case .signal: self = .signal(try reader.readInt32())
        case .execute: self = .execute(try ExecRequest(from: &reader))
        case .storeDescriptors: self = .storeDescriptors(name: try reader.readText())
        case .fetchDescriptors: self = .fetchDescriptors(name: try reader.readText())
        }
    }
}

/// What a supervisor answers, or says of itself (`created`, `exited`).
public enum ControlReply: Hashable, Sendable, LaunchCodable {
    case done
    case failed(LaunchFailure)
    case status(SupervisorStatus)
    case executed(ExecResult)
    /// The namespaces and mounts are there, the program waits for `start`.
    case created(StateRecord)
    case exited(ExitRecord)

    private enum Tag: UInt8 {
        case done = 1
        case failed = 2
        case status = 3
        case executed = 4
        case created = 5
        case exited = 6
    }

    public func write(to writer: inout ByteWriter) {
        switch self {
        case .done: writer.write(Tag.done.rawValue)
        case .failed(let failure):
            writer.write(Tag.failed.rawValue)
            failure.write(to: &writer)
        case .status(let status):
            writer.write(Tag.status.rawValue)
            status.write(to: &writer)
        case .executed(let result):
            writer.write(Tag.executed.rawValue)
            result.write(to: &writer)
        case .created(let state):
            writer.write(Tag.created.rawValue)
            state.write(to: &writer)
        case .exited(let record):
            writer.write(Tag.exited.rawValue)
            record.write(to: &writer)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        switch try reader.readCase(Tag.self) {
        case .done: self = .done
        case .failed: self = .failed(try LaunchFailure(from: &reader))
        case .status: self = .status(try SupervisorStatus(from: &reader))
        case .executed: self = .executed(try ExecResult(from: &reader))
        case .created: self = .created(try StateRecord(from: &reader))
        case .exited: self = .exited(try ExitRecord(from: &reader))
        }
    }
}

/// A program to run in a running container, as its user and as confined as its own.
public struct ExecRequest: Hashable, Sendable, LaunchCodable {
    public var arguments: [String]
    /// Added to the container's.
    public var environment: [String]
    /// nil: the container's.
    public var user: String?
    public var workingDirectory: String?
    /// It is killed then; 0: never.
    public var timeoutMilliseconds: UInt32
    /// Of both streams together; what comes later is thrown away. At most ``Limits/execOutputBytesMax``.
    public var outputBytesMax: UInt32

    public init(
        arguments: [String], environment: [String] = [], user: String? = nil, workingDirectory: String? = nil,
        timeoutMilliseconds: UInt32, outputBytesMax: UInt32
    ) {
        self.arguments = arguments
        self.environment = environment
        self.user = user
        self.workingDirectory = workingDirectory
        self.timeoutMilliseconds = timeoutMilliseconds
        self.outputBytesMax = outputBytesMax
    }

    public func write(to writer: inout ByteWriter) {
        writer.write(arguments)
        writer.write(environment)
        writer.write(user)
        writer.write(workingDirectory)
        writer.write(timeoutMilliseconds)
        writer.write(outputBytesMax)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        arguments = try reader.readTexts()
        environment = try reader.readTexts()
        user = try reader.readOptionalText()
        workingDirectory = try reader.readOptionalText()
        timeoutMilliseconds = try reader.readUInt32()
        outputBytesMax = try reader.readUInt32()
    }
}

/// How such a program ended.
public struct ExecResult: Hashable, Sendable, LaunchCodable {
    /// 128 and the signal's number when it was killed.
    public var exitCode: Int32
    public var timedOut: Bool
    /// What it wrote to both streams, from the start.
    public var output: [UInt8]
    public var outputWasCut: Bool

    public init(exitCode: Int32, timedOut: Bool, output: [UInt8], outputWasCut: Bool) {
        self.exitCode = exitCode
        self.timedOut = timedOut
        self.output = output
        self.outputWasCut = outputWasCut
    }

    public func write(to writer: inout ByteWriter) {
        writer.write(exitCode)
        writer.write(timedOut)
        writer.writePrefixed(bytes: output)
        writer.write(outputWasCut)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        exitCode = try reader.readInt32()
        timedOut = try reader.readBool()
        output = Array(try reader.readPrefixedBytes(maximum: Limits.execOutputBytesMax))
        outputWasCut = try reader.readBool()
    }
}

/// What a supervisor is busy with.
public struct SupervisorStatus: Hashable, Sendable, LaunchCodable {
    public enum Phase: UInt8, Hashable, Sendable {
        /// Namespaces and mounts are being made.
        case launching = 0
        /// Waiting for `start`.
        case created = 1
        case running = 2
        case exited = 3
    }

    public var phase: Phase
    public var state: StateRecord?
    public var startedAt: Timestamp?
    public var lostLogLines: UInt64

    public init(phase: Phase, state: StateRecord?, startedAt: Timestamp?, lostLogLines: UInt64) {
        self.phase = phase
        self.state = state
        self.startedAt = startedAt
        self.lostLogLines = lostLogLines
    }

    public func write(to writer: inout ByteWriter) {
        writer.write(phase.rawValue)
        writer.write(state != nil)
        state?.write(to: &writer)
        writer.write(startedAt != nil)
        if let startedAt { writer.write(startedAt.nanoseconds) }
        writer.write(lostLogLines)
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        phase = try reader.readCase()
        state = try reader.readBool() ? try StateRecord(from: &reader) : nil
        startedAt = try reader.readBool() ? Timestamp(nanoseconds: try reader.readInt64()) : nil
        lostLogLines = try reader.readUInt64()
    }
}
