import Primitives

/// One file of the log: a header, then records.
struct Segment: Hashable {
    /// Counts up; the order in which segments are read.
    var number: UInt64
    /// The highest index of an entry that was written here; 0: none.
    var lastIndex: UInt64 = 0

    private static let magic: [UInt8] = Array("SWRMLOG\n".utf8)
    static let headerBytes = 18

    var name: String { "log-" + hex(number) }

    static func number(of name: String) -> UInt64? {
        guard name.hasPrefix("log-"), name.utf8.count == 20 else { return nil }
        return UInt64(name.dropFirst(4), radix: 16)
    }

    var header: [UInt8] {
        var writer = ByteWriter()
        writer.write(bytes: Segment.magic)
        writer.write(LogLimits.formatVersion)
        writer.write(number)
        return writer.bytes
    }

    /// Whether the file begins as this segment does.
    ///
    /// - Throws: a text for people when the format is newer.
    static func check(_ bytes: [UInt8], path: String) throws(Failure) -> Bool {
        guard bytes.count >= headerBytes, Array(bytes[..<8]) == magic else { return false }
        let version = UInt16(bytes[8]) << 8 | UInt16(bytes[9])
        guard version <= LogLimits.formatVersion else {
            throw Failure(
                .failedPrecondition,
                "\(path) has format version \(version), this swarmd reads up to \(LogLimits.formatVersion): upgrade it")
        }
        return true
    }
}

func hex(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// Reads one segment's records up to its end or the first one that is not whole.
struct SegmentReader {
    let bytes: [UInt8]
    private(set) var offset = Segment.headerBytes
    private var lastBatch: UInt64

    init(_ bytes: [UInt8], lastBatch: UInt64) {
        self.bytes = bytes
        self.lastBatch = lastBatch
    }

    enum Next {
        case record(LogRecord)
        case end
        /// Not a whole record; `isTail` when no later write was begun, so that it may be a write that never ended.
        case damaged(isTail: Bool)
    }

    mutating func next() -> Next {
        guard let (record, length) = record(at: offset) else {
            if isZero(from: min(offset, bytes.count)) { return .end }
            return .damaged(isTail: !hasLaterBatch)
        }
        if case .batch(let number) = record { lastBatch = number }
        offset += length
        return .record(record)
    }

    /// Eight bytes at a step: what a segment has not been filled with yet is megabytes, read at each start.
    private func isZero(from start: Int) -> Bool {
        bytes.withUnsafeBytes { raw in
            var position = start
            while position + 8 <= raw.count {
                if raw.loadUnaligned(fromByteOffset: position, as: UInt64.self) != 0 { return false }
                position += 8
            }
            while position < raw.count {
                if raw[position] != 0 { return false }
                position += 1
            }
            return true
        }
    }

    private func record(at offset: Int) -> (LogRecord, Int)? {
        guard offset + LogRecord.headerBytes <= bytes.count else { return nil }
        var reader = ByteReader(bytes[offset...])
        guard let length = try? Int(reader.readUInt32()), length > 0, length <= LogLimits.recordBytes,
            let checksum = try? reader.readUInt32(), let payload = try? reader.readBytes(length),
            CRC32C.checksum(payload) == checksum, let record = try? LogRecord(payload: payload)
        else { return nil }
        return (record, LogRecord.headerBytes + length)
    }

    /// A write is begun only after the one before it is durable: if one follows, what is broken here once was whole.
    private var hasLaterBatch: Bool {
        guard bytes.count >= LogRecord.batchBytes else { return false }
        let prefix: [UInt8] = [0, 0, 0, 9]
        var position = offset + 1
        while position + LogRecord.batchBytes <= bytes.count {
            if bytes[position + 3] == 9, Array(bytes[position..<position + 4]) == prefix,
                case .batch(let number)? = record(at: position)?.0, number > lastBatch
            {
                return true
            }
            position += 1
        }
        return false
    }
}
