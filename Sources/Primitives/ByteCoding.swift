/// What was wrong with bytes that were to be decoded, and where.
public struct DecodeError: Error, Hashable, Sendable, CustomStringConvertible {
    public var what: String
    /// Byte offset in the input.
    public var offset: Int

    public init(_ what: String, offset: Int) {
        self.what = what
        self.offset = offset
    }

    public var description: String { "\(what) at byte \(offset)" }
}

/// A cursor over bytes: every read is bounds-checked and integers are big-endian (network order).
public struct ByteReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    public init(_ bytes: [UInt8]) {
        self.init(bytes[...])
    }

    public var offset: Int { position - bytes.startIndex }
    public var remaining: Int { bytes.endIndex - position }
    public var isAtEnd: Bool { remaining == 0 }

    public mutating func readUInt8() throws(DecodeError) -> UInt8 {
        UInt8(truncatingIfNeeded: try readInteger(bytes: 1))
    }

    public mutating func readUInt16() throws(DecodeError) -> UInt16 {
        UInt16(truncatingIfNeeded: try readInteger(bytes: 2))
    }

    public mutating func readUInt32() throws(DecodeError) -> UInt32 {
        UInt32(truncatingIfNeeded: try readInteger(bytes: 4))
    }

    public mutating func readUInt64() throws(DecodeError) -> UInt64 { try readInteger(bytes: 8) }

    public mutating func readBytes(_ count: Int) throws(DecodeError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else {
            throw DecodeError("\(count) bytes wanted, \(remaining) left", offset: offset)
        }
        defer { position += count }
        return bytes[position..<position + count]
    }

    /// Bytes preceded by their count as a 32-bit integer; a count above `maximum` is refused before anything is read.
    public mutating func readPrefixedBytes(maximum: Int) throws(DecodeError) -> ArraySlice<UInt8> {
        let start = offset
        let count = Int(try readUInt32())
        guard count <= maximum else {
            throw DecodeError("length \(count) above the limit of \(maximum)", offset: start)
        }
        return try readBytes(count)
    }

    /// UTF-8 text preceded by its length in bytes.
    public mutating func readPrefixedString(maximum: Int) throws(DecodeError) -> String {
        let start = offset
        guard let text = String(validating: try readPrefixedBytes(maximum: maximum), as: UTF8.self) else {
            throw DecodeError("text that is not UTF-8", offset: start)
        }
        return text
    }

    private mutating func readInteger(bytes count: Int) throws(DecodeError) -> UInt64 {
        var value: UInt64 = 0
        for byte in try readBytes(count) { value = value << 8 | UInt64(byte) }
        return value
    }
}

/// Appends what ``ByteReader`` reads.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init(reserving capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    public mutating func write(_ value: UInt8) { bytes.append(value) }
    public mutating func write(_ value: UInt16) { append(UInt64(value), bytes: 2) }
    public mutating func write(_ value: UInt32) { append(UInt64(value), bytes: 4) }
    public mutating func write(_ value: UInt64) { append(value, bytes: 8) }
    public mutating func write(bytes other: some Sequence<UInt8>) { bytes.append(contentsOf: other) }

    public mutating func writePrefixed(bytes other: some Collection<UInt8>) {
        write(UInt32(other.count))
        bytes.append(contentsOf: other)
    }

    public mutating func writePrefixed(string: String) { writePrefixed(bytes: string.utf8) }

    private mutating func append(_ value: UInt64, bytes count: Int) {
        for index in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }
}
