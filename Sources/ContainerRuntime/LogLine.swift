public import Primitives

/// One line, or a piece of a long one, that a container wrote.
public struct LogEntry: Hashable, Sendable {
    public enum Stream: String, Hashable, Sendable {
        case stdout
        case stderr
    }

    public var stream: Stream
    public var time: Timestamp
    /// With its newline; a piece of a line longer than 16 KiB has none.
    public var text: [UInt8]

    public init(stream: Stream, time: Timestamp, text: [UInt8]) {
        self.stream = stream
        self.time = time
        self.text = text
    }
}

extension LogEntry {
    /// Reads `{"log":"…","stream":"…","time":"…"}`; nil for anything else.
    init?(jsonLine line: ArraySlice<UInt8>) {
        var scanner = JSONScanner(line)
        guard scanner.skip("{") else { return nil }
        var text: [UInt8]?
        var stream: Stream?
        var time: Timestamp?
        repeat {
            guard let key = scanner.string(), scanner.skip(":"), let value = scanner.string() else { return nil }
            switch String(decoding: key, as: UTF8.self) {
            case "log": text = value
            case "stream": stream = Stream(rawValue: String(decoding: value, as: UTF8.self))
            case "time": time = Timestamp(rfc3339: String(decoding: value, as: UTF8.self))
            default: break
            }
        } while scanner.skip(",")
        guard scanner.skip("}"), let text, let stream, let time else { return nil }
        self.init(stream: stream, time: time, text: text)
    }
}

/// As much of JSON as a flat object of strings has.
private struct JSONScanner {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        while let byte = rest.first, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { rest.removeFirst() }
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func string() -> [UInt8]? {
        guard skip("\"") else { return nil }
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return bytes
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), appendEscaped(escaped, to: &bytes) else { return nil }
            default: bytes.append(byte)
            }
        }
        return nil
    }

    private mutating func appendEscaped(_ escaped: UInt8, to bytes: inout [UInt8]) -> Bool {
        switch escaped {
        case UInt8(ascii: "n"): bytes.append(UInt8(ascii: "\n"))
        case UInt8(ascii: "t"): bytes.append(UInt8(ascii: "\t"))
        case UInt8(ascii: "r"): bytes.append(UInt8(ascii: "\r"))
        case UInt8(ascii: "b"): bytes.append(8)
        case UInt8(ascii: "f"): bytes.append(12)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(escaped)
        case UInt8(ascii: "u"):
            guard var value = unit() else { return false }
            if (0xd800..<0xdc00).contains(value), rest.starts(with: Array("\\u".utf8)) {
                rest = rest.dropFirst(2)
                guard let low = unit(), (0xdc00..<0xe000).contains(low) else { return false }
                value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
            }
            bytes += Array(String(Unicode.Scalar(value) ?? "\u{fffd}").utf8)
        default: return false
        }
        return true
    }

    private mutating func unit() -> UInt32? {
        guard rest.count >= 4 else { return nil }
        defer { rest = rest.dropFirst(4) }
        return UInt32(String(decoding: rest.prefix(4), as: UTF8.self), radix: 16)
    }
}
