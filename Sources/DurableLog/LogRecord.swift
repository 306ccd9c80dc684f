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

extension LogBatch {
    /// In the order in which they are read again.
    var records: [LogRecord] {
        var records: [LogRecord] = []
        if let index = resetsBehind { records.append(.reset(index)) }
        if let state = hardState { records.append(.hardState(state)) }
        if let index = truncatesFrom { records.append(.truncate(index)) }
        for entry in entries { records.append(.entry(entry)) }
        return records
    }
}

/// A record of a batch: the payload's length, then the payload. The batch around it is checked as a whole.
enum LogRecord: Hashable {
    case entry(StoredEntry)
    case hardState(StoredHardState)
    case truncate(UInt64)
    case reset(UInt64)

    static let headerBytes = 4

    private var payloadBytes: Int {
        switch self {
        case .entry(let entry): 18 + entry.data.count
        case .hardState: 25
        case .truncate, .reset: 9
        }
    }

    /// With its header.
    var encodedBytes: Int { LogRecord.headerBytes + payloadBytes }

    func encode(into writer: inout ByteWriter) {
        writer.write(UInt32(payloadBytes))
        switch self {
        case .entry(let entry):
            writer.write(UInt8(2))
            writer.write(entry.index)
            writer.write(entry.term)
            writer.write(entry.kind)
            writer.write(bytes: entry.data)
        case .hardState(let state):
            writer.write(UInt8(3))
            writer.write(state.term)
            writer.write(state.vote)
            writer.write(state.commit)
        case .truncate(let index):
            writer.write(UInt8(4))
            writer.write(index)
        case .reset(let index):
            writer.write(UInt8(5))
            writer.write(index)
        }
    }

    /// All that a batch holds.
    ///
    /// - Throws: what is wrong with them, although they were written so.
    static func all(in content: ArraySlice<UInt8>) throws(DecodeError) -> [LogRecord] {
        var reader = ByteReader(content)
        var records: [LogRecord] = []
        while !reader.isAtEnd {
            records.append(try LogRecord(payload: try reader.readPrefixedBytes(maximum: reader.remaining)))
        }
        return records
    }

    private init(payload: ArraySlice<UInt8>) throws(DecodeError) {
        var reader = ByteReader(payload)
        switch try reader.readUInt8() {
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
