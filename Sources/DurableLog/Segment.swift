import Primitives
import Sealing

/// One file of the log: a header, then sealed batches.
struct Segment: Hashable {
    /// Counts up; the order in which segments are read.
    let number: UInt64
    /// Magic, format version, number, a salt of its own, the key's fingerprint, CRC-32C. Batches are sealed for it.
    let header: [UInt8]
    /// The highest index of an entry that was written here; 0: none.
    var lastIndex: UInt64 = 0

    private static let magic: [UInt8] = Array("SWRMLOG\n".utf8)
    private static let fixedBytes = 18
    static let headerBytes = fixedBytes + 16 + LogLimits.fingerprintBytes + 4

    var name: String { Segment.name(number) }

    static func name(_ number: UInt64) -> String { "log-" + hex(number) }

    static func number(of name: String) -> UInt64? {
        guard name.hasPrefix("log-"), name.utf8.count == 20 else { return nil }
        return UInt64(name.dropFirst(4), radix: 16)
    }

    /// A new one.
    init(number: UInt64, salt: UInt128, fingerprint: [UInt8]) {
        self.number = number
        var writer = ByteWriter(reserving: Segment.headerBytes)
        writer.write(bytes: Segment.fixed(number))
        writer.write(salt)
        writer.write(bytes: fingerprint)
        writer.write(CRC32C.checksum(writer.bytes))
        header = writer.bytes
    }

    /// The one whose file begins so; nil if the power went while it was made: it holds nothing then.
    ///
    /// - Throws: ``Failure`` for another format's version, for another key, and for a header that was whole once.
    init?(number: UInt64, of bytes: [UInt8], fingerprint: [UInt8], path: String) throws(Failure) {
        let header = Array(bytes.prefix(Segment.headerBytes))
        let fixed = Segment.fixed(number)
        if header.count == Segment.headerBytes, header.starts(with: fixed), hasOwnChecksum(header) {
            try requireKey(fingerprint, header.dropLast(4).suffix(LogLimits.fingerprintBytes), path: path)
            self.number = number
            self.header = header
            return
        }
        let isTorn = zip(bytes, fixed).allSatisfy { $0 == $1 || $0 == 0 }
        if isTorn, isZero(bytes, from: header.count) { return nil }
        if bytes.count >= 10, bytes.starts(with: Segment.magic) {
            try requireVersion(UInt16(bytes[8]) << 8 | UInt16(bytes[9]), path: path)
        }
        throw damage(path, 0)
    }

    private static func fixed(_ number: UInt64) -> [UInt8] {
        var writer = ByteWriter(reserving: fixedBytes)
        writer.write(bytes: magic)
        writer.write(LogLimits.formatVersion)
        writer.write(number)
        return writer.bytes
    }
}

/// Whether the last four bytes are the CRC-32C of those before.
func hasOwnChecksum(_ bytes: [UInt8]) -> Bool {
    var reader = ByteReader(bytes.suffix(4))
    return (try? reader.readUInt32()) == CRC32C.checksum(bytes.dropLast(4))
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
    private let segment: Segment
    private let key: SecretBytes
    /// Where the next batch begins.
    private(set) var offset = Segment.headerBytes
    private var lastBatch: UInt64

    init(_ bytes: [UInt8], of segment: Segment, key: SecretBytes, lastBatch: UInt64) {
        self.bytes = bytes
        self.segment = segment
        self.key = key
        self.lastBatch = lastBatch
    }

    enum Next {
        case batch(number: UInt64, records: [LogRecord])
        case end
        /// Not a whole batch; `isTail` when no later write was begun, so that it may be a write that never ended.
        case damaged(isTail: Bool)
        /// Whole, but not what this node's key sealed for this place.
        case foreign
    }

    mutating func next() -> Next {
        guard let header = BatchHeader(bytes, at: offset) else {
            if isZero(bytes, from: min(offset, bytes.count)) { return .end }
            return .damaged(isTail: !hasBatch(after: lastBatch, from: offset + 1))
        }
        let start = offset + BatchHeader.bytes
        guard header.sealedBytes <= bytes.count - start else { return .damaged(isTail: true) }
        let end = start + header.sealedBytes
        guard CRC32C.checksum(bytes[start..<end]) == header.checksum else {
            return .damaged(isTail: !hasBatch(after: header.number, from: end))
        }
        guard let records = SealedBatch.open(bytes[start..<end], header, in: segment, with: key) else {
            return .foreign
        }
        lastBatch = header.number
        offset = end
        return .batch(number: header.number, records: records)
    }

    /// A write is begun only after the one before it is durable: if one follows, what is broken before it once was whole.
    private func hasBatch(after last: UInt64, from start: Int) -> Bool {
        var position = start
        while position + BatchHeader.bytes <= bytes.count {
            if let header = BatchHeader(bytes, at: position), header.number > last { return true }
            position += 1
        }
        return false
    }
}
