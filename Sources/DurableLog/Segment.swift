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

    /// Whether the header is durable. If it is not, the power went while the segment was made, and it holds nothing.
    ///
    /// - Throws: ``Failure`` for another format's version, and for a header that was whole once.
    func check(_ bytes: [UInt8], path: String) throws(Failure) -> Bool {
        let header = header
        if bytes.starts(with: header) { return true }
        let isTorn = zip(bytes, header).allSatisfy { $0 == $1 || $0 == 0 }
        if isTorn, isZero(bytes, from: min(Segment.headerBytes, bytes.count)) { return false }
        if bytes.count >= Segment.headerBytes, bytes.starts(with: Segment.magic) {
            try requireVersion(UInt16(bytes[8]) << 8 | UInt16(bytes[9]), path: path)
        }
        throw damage(path, 0)
    }
}

func requireVersion(_ version: UInt16, path: String) throws(Failure) {
    let ours = LogLimits.formatVersion
    if version == ours { return }
    let remedy =
        version > ours
        ? "upgrade it"
        : "start the release that wrote it, or remove this manager from the cluster and let it join again with an "
            + "empty folder"
    throw Failure(
        .failedPrecondition, "\(path) has format version \(version), this swarmd reads version \(ours): \(remedy)")
}

func damage(_ path: String, _ offset: Int) -> Failure {
    Failure(
        .dataLoss,
        "\(path) is damaged at byte \(offset), before its end: move it aside with `swarmd --discard-log`, which says how "
            + "this manager comes back; where there is no other one, restore a backup")
}

/// Eight bytes at a step: what a segment has not been filled with yet is megabytes, read at each start.
func isZero(_ bytes: [UInt8], from start: Int) -> Bool {
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

func hex(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// Reads one segment's batches up to its end or the first one that is not whole.
struct SegmentReader {
    let bytes: [UInt8]
    /// Where the next batch begins.
    private(set) var offset = Segment.headerBytes
    private var lastBatch: UInt64

    init(_ bytes: [UInt8], lastBatch: UInt64) {
        self.bytes = bytes
        self.lastBatch = lastBatch
    }

    enum Next {
        case batch(number: UInt64, records: [LogRecord])
        case end
        /// Not a whole batch; `isTail` when no later write was begun, so that it may be a write that never ended.
        case damaged(isTail: Bool)
    }

    mutating func next() -> Next {
        guard let (record, length) = record(at: offset), case .batch(let number, let content) = record else {
            if isZero(bytes, from: min(offset, bytes.count)) { return .end }
            return .damaged(isTail: !hasBatch(after: lastBatch, from: offset + 1))
        }
        let start = offset + length
        guard content <= UInt64(bytes.count - start) else { return .damaged(isTail: true) }
        let end = start + Int(content)
        guard let records = records(from: start, to: end) else {
            return .damaged(isTail: !hasBatch(after: number, from: end))
        }
        lastBatch = number
        offset = end
        return .batch(number: number, records: records)
    }

    /// All that a batch holds, or nil.
    private func records(from start: Int, to end: Int) -> [LogRecord]? {
        var records: [LogRecord] = []
        var position = start
        while position < end {
            guard let (record, length) = record(at: position) else { return nil }
            records.append(record)
            position += length
        }
        return position == end ? records : nil
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

    /// A write is begun only after the one before it is durable: if one follows, what is broken before it once was whole.
    private func hasBatch(after last: UInt64, from start: Int) -> Bool {
        var position = start
        while position + LogRecord.batchBytes <= bytes.count {
            if bytes[position + 3] == LogRecord.batchPayloadBytes,
                bytes[position] | bytes[position + 1] | bytes[position + 2] == 0,
                case .batch(let number, _)? = record(at: position)?.0, number > last
            {
                return true
            }
            position += 1
        }
        return false
    }
}
