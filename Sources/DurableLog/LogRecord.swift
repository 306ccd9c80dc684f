import Primitives

/// What the log keeps of an entry; the content is the caller's business.
public struct StoredEntry: Hashable, Sendable {
    public var index: UInt64
    public var term: UInt64
    public var kind: UInt8
    public var data: [UInt8]

    public init(index: UInt64, term: UInt64, kind: UInt8, data: [UInt8]) {
        self.index = index
        self.term = term
        self.kind = kind
        self.data = data
    }
}

/// Term, vote (0: none) and commit index.
public struct StoredHardState: Hashable, Sendable {
    public var term: UInt64
    public var vote: UInt64
    public var commit: UInt64

    public init(term: UInt64, vote: UInt64, commit: UInt64) {
        self.term = term
        self.vote = vote
        self.commit = commit
    }
}

/// One write, durable as a whole.
public struct LogBatch: Hashable, Sendable {
    /// Forget the whole log first: it starts again behind this index.
    public var resetsBehind: UInt64?
    public var hardState: StoredHardState?
    /// Forget the entries from this index on before the new ones.
    public var truncatesFrom: UInt64?
    public var entries: [StoredEntry]

    public init(
        resetsBehind: UInt64? = nil, hardState: StoredHardState? = nil, truncatesFrom: UInt64? = nil,
        entries: [StoredEntry] = []
    ) {
        self.resetsBehind = resetsBehind
        self.hardState = hardState
        self.truncatesFrom = truncatesFrom
        self.entries = entries
    }
}

/// A record on disk: length, CRC-32C of the payload, payload. A zero length is the end: segments are made of zeros.
enum LogRecord: Hashable {
    /// Begins what one write holds, and tells how long it is: counts only when all of it is there. The number counts up
    /// by one from write to write, over all segments.
    case batch(number: UInt64, bytes: UInt64)
    case entry(StoredEntry)
    case hardState(StoredHardState)
    case truncate(UInt64)
    case reset(UInt64)

    static let headerBytes = 8
    static let batchPayloadBytes: UInt8 = 17
    static let batchBytes = headerBytes + Int(batchPayloadBytes)

    func encode(into writer: inout ByteWriter) {
        var payload = ByteWriter(reserving: 32)
        switch self {
        case .batch(let number, let bytes):
            payload.write(UInt8(1))
            payload.write(number)
            payload.write(bytes)
        case .entry(let entry):
            payload.write(UInt8(2))
            payload.write(entry.index)
            payload.write(entry.term)
            payload.write(entry.kind)
            payload.write(bytes: entry.data)
        case .hardState(let state):
            payload.write(UInt8(3))
            payload.write(state.term)
            payload.write(state.vote)
            payload.write(state.commit)
        case .truncate(let index):
            payload.write(UInt8(4))
            payload.write(index)
        case .reset(let index):
            payload.write(UInt8(5))
            payload.write(index)
        }
        writer.write(UInt32(payload.bytes.count))
        writer.write(CRC32C.checksum(payload.bytes))
        writer.write(bytes: payload.bytes)
    }

    /// - Throws: what is wrong with the payload, whose checksum was right.
    init(payload: ArraySlice<UInt8>) throws(DecodeError) {
        var reader = ByteReader(payload)
        switch try reader.readUInt8() {
        case 1:
            let number = try reader.readUInt64()
            self = .batch(number: number, bytes: try reader.readUInt64())
        case 2:
            let index = try reader.readUInt64()
            let term = try reader.readUInt64()
            let kind = try reader.readUInt8()
            self = .entry(
                StoredEntry(index: index, term: term, kind: kind, data: Array(try reader.readBytes(reader.remaining))))
        case 3:
            let term = try reader.readUInt64()
            let vote = try reader.readUInt64()
            self = .hardState(StoredHardState(term: term, vote: vote, commit: try reader.readUInt64()))
        case 4: self = .truncate(try reader.readUInt64())
        case 5: self = .reset(try reader.readUInt64())
        case let type: throw DecodeError("unknown type \(type) of record", offset: 0)
        }
        guard reader.isAtEnd else { throw DecodeError("\(reader.remaining) bytes too many", offset: reader.offset) }
    }
}
