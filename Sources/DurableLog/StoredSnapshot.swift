public import Primitives

/// A snapshot as a file: index and term by which it is named, what the caller says of it, and its bytes.
public struct StoredSnapshot: Hashable, Sendable {
    public var index: UInt64
    public var term: UInt64
    public var metadata: [UInt8]
    public var bytes: [UInt8]

    public init(index: UInt64, term: UInt64, metadata: [UInt8], bytes: [UInt8]) {
        self.index = index
        self.term = term
        self.metadata = metadata
        self.bytes = bytes
    }

    private static let magic: [UInt8] = Array("SWRMSNP\n".utf8)

    /// Sorts by index.
    var name: String { StoredSnapshot.name(index: index, term: term) }

    static func name(index: UInt64, term: UInt64) -> String { "snapshot-\(hex(index))-\(hex(term))" }

    /// What stands before the bytes in the file; behind them is the checksum of all.
    static func header(index: UInt64, term: UInt64, metadata: [UInt8], bytes: Int) -> [UInt8] {
        var writer = ByteWriter(reserving: metadata.count + 64)
        writer.write(bytes: StoredSnapshot.magic)
        writer.write(LogLimits.formatVersion)
        writer.write(index)
        writer.write(term)
        writer.writePrefixed(bytes: metadata)
        writer.write(UInt64(bytes))
        return writer.bytes
    }

    /// - Throws: ``Failure`` naming the file, when it is damaged or of another version.
    init(encoded: [UInt8], path: String) throws(Failure) {
        if encoded.count >= 10, encoded.starts(with: StoredSnapshot.magic) {
            try requireVersion(UInt16(encoded[8]) << 8 | UInt16(encoded[9]), path: path)
        }
        do throws(DecodeError) {
            var reader = ByteReader(encoded)
            guard Array(try reader.readBytes(8)) == StoredSnapshot.magic else {
                throw DecodeError("not a snapshot", offset: 0)
            }
            _ = try reader.readUInt16()
            index = try reader.readUInt64()
            term = try reader.readUInt64()
            metadata = Array(try reader.readPrefixedBytes(maximum: encoded.count))
            bytes = Array(try reader.readBytes(Int(clamping: try reader.readUInt64())))
            let end = reader.offset
            let checksum = try reader.readUInt32()
            guard checksum == CRC32C.checksum(encoded[..<end]) else {
                throw DecodeError("wrong checksum", offset: end)
            }
        } catch {
            throw Failure(
                .dataLoss,
                "\(path) cannot be read: \(error); move the log aside with `swarmd --discard-log`, which says how this "
                    + "manager comes back; where there is no other one, restore a backup")
        }
    }
}

/// A snapshot that is written beside the log, possibly on another thread; ``SegmentedLog/adoptSnapshot(index:term:)`` gives
/// it its name.
public struct AsideSnapshot<Files: LogFiles> {
    private var files: Files
    private let index: UInt64
    private let term: UInt64
    private let metadata: [UInt8]

    /// - Parameter files: the log's folder, by a handle of the writer's own.
    init(_ files: consuming Files, index: UInt64, term: UInt64, metadata: [UInt8]) {
        self.files = files
        self.index = index
        self.term = term
        self.metadata = metadata
    }

    static func name(index: UInt64, term: UInt64) -> String {
        StoredSnapshot.name(index: index, term: term) + ".aside.tmp"
    }

    /// Writes the pieces one behind the other, and returns once they are durable.
    public mutating func write(_ pieces: [[UInt8]]) throws(Failure) {
        try AsideSnapshot<Files>.write(pieces, index: index, term: term, metadata: metadata, to: &files)
    }

    static func write(
        _ pieces: [[UInt8]], index: UInt64, term: UInt64, metadata: [UInt8], to files: inout Files
    ) throws(Failure) {
        let name = name(index: index, term: term)
        let count = pieces.reduce(0) { $0 + $1.count }
        try files.create(name, bytes: 0)
        var offset = 0
        var checksum: UInt32 = 0
        for piece in [StoredSnapshot.header(index: index, term: term, metadata: metadata, bytes: count)] + pieces {
            try files.write(name, piece, at: offset)
            checksum = CRC32C.checksum(piece, after: checksum)
            offset += piece.count
        }
        var end = ByteWriter()
        end.write(checksum)
        try files.write(name, end.bytes, at: offset)
        try files.sync(name)
    }
}

extension AsideSnapshot where Files: SharedLogFiles {
    public mutating func close() { files.close() }
}

extension AsideSnapshot: Sendable where Files: Sendable {}
