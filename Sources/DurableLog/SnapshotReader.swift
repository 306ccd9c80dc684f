public import Primitives

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
        guard SnapshotHeader.name(index: header.index, term: header.term) == name else { throw damage(path, 0) }
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
