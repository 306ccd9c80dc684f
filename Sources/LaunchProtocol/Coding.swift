public import Primitives

/// A value with one encoding, in which order is everything: integers are big-endian, texts and lists are counted.
public protocol LaunchCodable {
    func write(to writer: inout ByteWriter)
    init(from reader: inout ByteReader) throws(DecodeError)
}

extension LaunchCodable {
    /// The encoding behind the protocol's version.
    public var versionedBytes: [UInt8] {
        var writer = ByteWriter()
        writer.write(Limits.protocolVersion)
        write(to: &writer)
        return writer.bytes
    }

    /// Reads a whole encoding; refuses a newer version, naming both, and bytes behind the end.
    public init(versionedBytes bytes: [UInt8]) throws(DecodeError) {
        var reader = ByteReader(bytes)
        let version = try reader.readUInt16()
        guard version == Limits.protocolVersion else {
            throw DecodeError(
                "launch protocol version \(version), this program speaks \(Limits.protocolVersion)", offset: 0)
        }
        try self.init(from: &reader)
        guard reader.isAtEnd else { throw DecodeError("\(reader.remaining) bytes too many", offset: reader.offset) }
    }
}

extension ByteWriter {
    mutating func write(_ flag: Bool) { write(UInt8(flag ? 1 : 0)) }
    mutating func write(_ number: Int32) { write(UInt32(bitPattern: number)) }
    mutating func write(_ number: Int64) { write(UInt64(bitPattern: number)) }
    mutating func write(_ text: String) { writePrefixed(string: text) }

    mutating func write(_ texts: [String]) {
        write(UInt32(texts.count))
        for text in texts { writePrefixed(string: text) }
    }

    mutating func write(_ values: [some LaunchCodable]) {
        write(UInt32(values.count))
        for value in values { value.write(to: &self) }
    }

    mutating func write(_ numbers: [UInt32]) {
        write(UInt32(numbers.count))
        for number in numbers { write(number) }
    }

    mutating func write(_ text: String?) {
        write(text != nil)
        if let text { write(text) }
    }
}

extension ByteReader {
    mutating func readBool() throws(DecodeError) -> Bool {
        let start = offset
        switch try readUInt8() {
        case 0: return false
        case 1: return true
        case let other: throw DecodeError("\(other) where yes or no was expected", offset: start)
        }
    }

    mutating func readInt32() throws(DecodeError) -> Int32 { Int32(bitPattern: try readUInt32()) }
    mutating func readInt64() throws(DecodeError) -> Int64 { Int64(bitPattern: try readUInt64()) }
    mutating func readText() throws(DecodeError) -> String { try readPrefixedString(maximum: Limits.textBytesMax) }
    mutating func readOptionalText() throws(DecodeError) -> String? { try readBool() ? try readText() : nil }

    private mutating func readCount() throws(DecodeError) -> Int {
        let start = offset
        let count = Int(try readUInt32())
        // Each entry takes a byte at least: a count beyond the input is refused before room is made for it.
        guard count <= Limits.listCountMax, count <= remaining else {
            throw DecodeError("a list of \(count) entries in \(remaining) bytes", offset: start)
        }
        return count
    }

    mutating func readTexts() throws(DecodeError) -> [String] {
        var texts: [String] = []
        for _ in 0..<(try readCount()) { texts.append(try readText()) }
        return texts
    }

    mutating func readNumbers() throws(DecodeError) -> [UInt32] {
        var numbers: [UInt32] = []
        for _ in 0..<(try readCount()) { numbers.append(try readUInt32()) }
        return numbers
    }

    mutating func readList<Value: LaunchCodable>(_: Value.Type = Value.self) throws(DecodeError) -> [Value] {
        var values: [Value] = []
        for _ in 0..<(try readCount()) { values.append(try Value(from: &self)) }
        return values
    }

    /// The case that the next byte names.
    mutating func readCase<Value: RawRepresentable<UInt8>>(_: Value.Type = Value.self) throws(DecodeError) -> Value {
        let start = offset
        let number = try readUInt8()
        guard let value = Value(rawValue: number) else {
            throw DecodeError("unknown \(Value.self) \(number)", offset: start)
        }
        return value
    }
}
