public import Primitives

/// DNS messages over one TCP connection (RFC 1035 section 4.2.2, RFC 7766), within limits and without any I/O.
///
/// A client that asks faster than it reads is not read from until it has caught up: the kernel's buffers fill, and the
/// client waits. One that does not catch up is closed at the deadline.
public struct MessageStream: Sendable {
    /// Bytes with a start, so that taking from the front moves nothing but now and then.
    private struct Buffer: Sendable {
        private var bytes: [UInt8] = []
        private var start = 0

        var count: Int { bytes.count - start }
        var content: ArraySlice<UInt8> { bytes[start...] }

        mutating func append(_ more: [UInt8]) { bytes += more }

        mutating func drop(_ count: Int) {
            start += count
            if start == bytes.count {
                bytes.removeAll(keepingCapacity: true)
                start = 0
            } else if start > bytes.count / 2 {
                bytes.removeFirst(start)
                start = 0
            }
        }
    }

    private var input = Buffer()
    private var output = Buffer()
    private var unanswered = 0
    private let patience: Duration
    /// When the connection is to be closed; later with each query and each time that the client has read everything.
    public private(set) var deadline: Instant

    public init(patience: Duration, now: Instant) {
        self.patience = patience
        deadline = now + patience
    }

    /// Whether the client has to read, or to wait for answers, before it is read from again.
    private var isFull: Bool {
        output.count >= NameLimits.waitingAnswerBytes || unanswered >= NameLimits.queriesPerConnection
    }

    /// Whether to read from the connection now.
    public var wantsInput: Bool { !isFull && !hasMessage }

    /// What waits to be written.
    public var waitingOutput: ArraySlice<UInt8> { output.content }

    private var messageLength: Int? {
        let content = input.content
        guard content.count >= 2 else { return nil }
        return Int(content[content.startIndex]) << 8 | Int(content[content.startIndex + 1])
    }

    /// Whether a whole message is here.
    public var hasMessage: Bool { messageLength.map { input.count >= 2 + $0 } ?? false }

    public mutating func received(_ bytes: [UInt8]) { input.append(bytes) }

    /// The next whole query; nil when there is none or the limits are reached. Each is told ``answered()`` once.
    public mutating func nextQuery(now: Instant) -> [UInt8]? {
        guard !isFull, let message = takeMessage() else { return nil }
        if output.count == 0 { deadline = now + patience }
        unanswered += 1
        return message
    }

    /// The next whole message, for the side that asks.
    public mutating func takeMessage() -> [UInt8]? {
        guard let length = messageLength, hasMessage else { return nil }
        let message = Array(input.content.dropFirst(2).prefix(length))
        input.drop(2 + length)
        return message
    }

    /// A query has its answer, or gets none.
    public mutating func answered() { unanswered = max(0, unanswered - 1) }

    /// Puts a message behind what waits; one that is too long for the length in front of it is left out.
    public mutating func append(_ message: [UInt8]) {
        guard message.count <= NameLimits.greatestMessageBytes else { return }
        output.append([UInt8(message.count >> 8), UInt8(message.count & 0xff)])
        output.append(message)
    }

    /// The socket has taken so many of the bytes that waited.
    public mutating func wrote(_ count: Int, now: Instant) {
        guard count > 0 else { return }
        output.drop(count)
        if output.count == 0 { deadline = now + patience }
    }
}
