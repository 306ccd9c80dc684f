public import Primitives
import Sealing

/// A snapshot that is written beside the log, possibly on another thread; ``SegmentedLog/adoptSnapshot(index:term:)`` gives
/// it its name.
public struct AsideSnapshot<Files: LogFiles> {
    private var files: Files
    private let header: SnapshotHeader
    private let key: SecretBytes
    private let metadata: [UInt8]

    /// - Parameter files: the log's folder, by a handle of the writer's own.
    init(_ files: consuming Files, header: SnapshotHeader, key: SecretBytes, metadata: [UInt8]) {
        self.files = files
        self.header = header
        self.key = key
        self.metadata = metadata
    }

    static func name(index: UInt64, term: UInt64) -> String {
        SnapshotHeader.name(index: index, term: term) + ".aside.tmp"
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
        var synced = offset
        var sealer = ChunkSealer(stream: stream, chunkBytes: header.chunkBytes)
        for piece in pieces {
            count += piece.count
            let sealed = sealer.append(piece)
            if sealed.isEmpty { continue }
            try files.write(name, sealed, at: offset)
            offset += sealed.count
            // All at once at the end would keep the disk from the log for as long.
            if offset - synced >= LogLimits.snapshotSyncBytes {
                try files.sync(name)
                synced = offset
            }
        }
        try files.write(name, sealer.finish(), at: offset)
        try files.sync(name)
        return count
    }

    public mutating func close() { files.close() }
}

extension AsideSnapshot: Sendable where Files: Sendable {}
