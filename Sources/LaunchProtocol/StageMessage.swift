public import Primitives

/// What passes between the supervisor and the process that becomes the container's (or an exec's) program.
///
///     supervisor                stage
///         |  clone3               |
///         |---------------------->|  namespaces, mounts, root
///         |<------- ready --------|
///         |  (the daemon wires the network)
///         |-------- start ------->|  user, capabilities, seccomp, exec
///         |<------- failed -------|  at any point, instead
///         |<---- end of stream ---|  exec has closed the socket: the program runs
public enum StageMessage: Hashable, Sendable, LaunchCodable {
    case ready
    case start
    case failed(LaunchFailure)

    private enum Tag: UInt8 {
        case ready = 1
        case start = 2
        case failed = 3
    }

    public func write(to writer: inout ByteWriter) {
        switch self {
        case .ready: writer.write(Tag.ready.rawValue)
        case .start: writer.write(Tag.start.rawValue)
        case .failed(let failure):
            writer.write(Tag.failed.rawValue)
            failure.write(to: &writer)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodeError) {
        switch try reader.readCase(Tag.self) {
        case .ready: self = .ready
        case .start: self = .start
        case .failed: self = .failed(try LaunchFailure(from: &reader))
        }
    }
}
