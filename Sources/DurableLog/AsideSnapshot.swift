public import Primitives

/// A snapshot that is written beside the log, possibly on another thread; ``SegmentedLog/adoptSnapshot(index:term:)`` gives
/// it its name.
public struct AsideSnapshot<Files: LogFiles> {
    private var files: Files
    private let header: SnapshotHeader
    private let key: SecretKey
    private let metadata: [UInt8]

    /// - Parameter files: the log's folder, by a handle of the writer's own.
    init(_ files: consuming Files, header: SnapshotHeader, key: SecretKey, metadata: [UInt8]) {
        self.files = files
        self.header = header
        self.key = key
        self.metadata = metadata
    }

    static func name(index: UInt64, term: UInt64) -> String {
        StoredSnapshot.name(index: index, term: term) + ".aside.tmp"
    }

    /// Writes the pieces one behind the other, and returns once they are durable. Once only: other pieces would be sealed
    /// with the same nonces.
    ///
    /// No more is in memory than a piece and a chunk.
    ///
    /// - Returns: the bytes of all pieces.
    @discardableResult
    public mutating func write(_ pieces: some Sequence<[UInt8]>) throws(Failure) -> Int {
        let name = AsideSnapshot.name(index: header.index, term: header.term)
        var stream = SnapshotStream(key: key)
        try files.create(name, bytes: 0)
        let start = header.encoded + stream.seal(metadata, isLast: false)
        try files.write(name, start, at: 0)
        var offset = start.count
        var count = 0
        var chunk: [UInt8] = []
        chunk.reserveCapacity(header.chunkBytes)
        for piece in pieces {
            count += piece.count
            var rest = piece[...]
            while !rest.isEmpty {
                if chunk.count == header.chunkBytes {
                    let sealed = stream.seal(chunk, isLast: false)
                    try files.write(name, sealed, at: offset)
                    offset += sealed.count
                    chunk.removeAll(keepingCapacity: true)
                }
                let part = rest.prefix(header.chunkBytes - chunk.count)
                chunk += part
                rest = rest.dropFirst(part.count)
            }
        }
        try files.write(name, stream.seal(chunk, isLast: true), at: offset)
        try files.sync(name)
        return count
    }

    public mutating func close() { files.close() }
}

extension AsideSnapshot: Sendable where Files: Sendable {}

/// Reads a snapshot chunk by chunk, by a handle of its own: it goes on when a newer one takes its place.
public struct SnapshotReader<Files: LogFiles> {
    public let index: UInt64
    public let term: UInt64
    /// What its writer said of it.
    public let metadata: [UInt8]

    private var files: Files
    private let name: String
    private let chunkBytes: Int
    private var stream: SnapshotStream
    private var offset: Int
    private var isAtEnd = false

    private var path: String { files.path(of: name) }

    /// - Throws: ``Failure`` naming the file, when its beginning is damaged, of another version or sealed with another key.
    init(_ files: consuming Files, name: String, key: LogKey, fingerprint: [UInt8]) throws(Failure) {
        self.files = files
        self.name = name
        let path = self.files.path(of: name)
        let header = try SnapshotHeader(
            self.files.read(name, at: 0, count: SnapshotHeader.bytes), fingerprint: fingerprint, path: path)
        guard StoredSnapshot.name(index: header.index, term: header.term) == name else { throw damage(path, 0) }
        index = header.index
        term = header.term
        chunkBytes = header.chunkBytes
        stream = SnapshotStream(key: header.key(of: key))
        let sealed = try self.files.read(
            name, at: SnapshotHeader.bytes, count: header.metadataBytes + SnapshotStream.overhead)
        metadata = try opened(stream.open(sealed, isLast: false), path, SnapshotHeader.bytes)
        offset = SnapshotHeader.bytes + sealed.count
    }

    /// The next bytes, nil behind the last. They may be used at once, but that nothing is missing is known at the end only.
    ///
    /// - Throws: ``Failure`` naming file and offset, when a chunk is damaged or not the one that was written there.
    public mutating func next() throws(Failure) -> [UInt8]? {
        if isAtEnd { return nil }
        let whole = chunkBytes + SnapshotStream.overhead
        // One byte more tells whether another chunk follows.
        var sealed = try files.read(name, at: offset, count: whole + 1)
        isAtEnd = sealed.count <= whole
        if !isAtEnd { sealed.removeLast() }
        let chunk = try opened(stream.open(sealed, isLast: isAtEnd), path, offset)
        offset += sealed.count
        if isAtEnd { files.close() }
        return chunk
    }

    /// All that is left of it in one array.
    public mutating func readAll() throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = try next() { bytes += chunk }
        return bytes
    }

    /// Lets go of the file.
    public mutating func close() { files.close() }
}

extension SnapshotReader: Sendable where Files: Sendable {}

private func opened(_ outcome: SnapshotStream.Opened, _ path: String, _ offset: Int) throws(Failure) -> [UInt8] {
    switch outcome {
    case .chunk(let bytes): return bytes
    case .damaged: throw damage(path, offset)
    case .foreign: throw notSealedHere(path, offset)
    }
}
