public import Primitives

/// The log of a Raft member on disk: segments of sealed batches, and the last snapshot beside them, sealed too.
///
/// Every change is durable when its call returns. It knows nothing of Raft: entries are bytes with an index.
public struct SegmentedLog<Files: LogFiles> {
    /// What was there when the log was opened.
    public struct Recovered {
        public var hardState: StoredHardState?
        /// Consecutive. They may begin below the snapshot.
        public var entries: [StoredEntry]
        /// Only its beginning has been read.
        public var snapshot: SnapshotReader<Files>?
    }

    private var files: Files
    private var sealer: LogSealer
    /// The last one is written to.
    private var segments: [Segment]
    private var offset: Int
    private var batchNumber: UInt64
    private var hardState: StoredHardState?
    private var snapshotName: String?
    private let sizes: LogSizes

    // MARK: Opening

    /// Reads what is there, or begins an empty log.
    ///
    /// A write that was under way when the machine stopped is cut off, as a whole. What is found is made durable: after
    /// a process that was killed it may be in memory alone.
    ///
    /// - Throws: ``Failure`` `dataLoss` for damage anywhere else, naming file and offset; `failedPrecondition` for files
    ///   of another format version or sealed with another key.
    public static func open(
        _ files: consuming Files, sealing: LogSealing
    ) throws(Failure) -> (log: SegmentedLog, recovered: Recovered) {
        try open(files, sealing: sealing, sizes: LogSizes())
    }

    static func open(
        _ files: consuming Files, sealing: LogSealing, sizes: LogSizes
    ) throws(Failure) -> (log: SegmentedLog, recovered: Recovered) {
        var log = SegmentedLog(files: files, sealer: try LogSealer(sealing), sizes: sizes)
        try log.files.syncFolder()
        try log.sweep()
        let snapshot = try log.openSnapshot()
        let entries = try log.readSegments()
        if let last = log.segments.last {
            try log.files.sync(last.name)
        } else {
            try log.beginSegment(number: 1)
        }
        return (log, Recovered(hardState: log.hardState, entries: entries, snapshot: snapshot))
    }

    private init(files: consuming Files, sealer: LogSealer, sizes: LogSizes) {
        self.files = files
        self.sealer = sealer
        self.sizes = sizes
        segments = []
        offset = 0
        batchNumber = 0
    }

    /// Files that were not finished.
    private mutating func sweep() throws(Failure) {
        for name in try files.list() where name.hasSuffix(".tmp") { try files.remove(name) }
    }

    private mutating func readSegments() throws(Failure) -> [StoredEntry] {
        var entries: [StoredEntry] = []
        let numbers = try files.list().compactMap { Segment.number(of: $0) }.sorted()
        for number in numbers {
            let name = Segment.name(number)
            let path = files.path(of: name)
            let bytes = try files.read(name)
            let isLast = number == numbers.last
            let opened = try Segment(number: number, of: bytes, fingerprint: sealer.fingerprint, path: path)
            guard var segment = opened else {
                guard isLast else { throw damage(path, 0) }
                // Nothing was acknowledged from it: the log goes on in the segment before.
                try files.remove(name)
                try files.syncFolder()
                break
            }
            var reader = SegmentReader(bytes, of: segment, key: sealer.batchKey, lastBatch: batchNumber)
            try read(&reader, of: &segment, path: path, isLast: isLast, into: &entries)
            segments.append(segment)
            offset = reader.offset
        }
        return entries
    }

    private mutating func read(
        _ reader: inout SegmentReader, of segment: inout Segment, path: String, isLast: Bool,
        into entries: inout [StoredEntry]
    ) throws(Failure) {
        while true {
            let start = reader.offset
            switch reader.next() {
            case .end: return
            case .foreign: throw notSealedHere(path, start)
            case .damaged(let isTail):
                guard isLast, isTail else { throw damage(path, start) }
                // What is cut off is overwritten with zeros, so that no old byte is taken for a record later.
                let count = reader.bytes.count
                try files.truncate(segment.name, to: start)
                try files.write(segment.name, [UInt8](repeating: 0, count: count - start), at: start)
                try files.sync(segment.name)
                return
            case .batch(let number, let records):
                guard number == batchNumber + 1 || batchNumber == 0 else { throw damage(path, start) }
                batchNumber = number
                for record in records {
                    guard replay(record, of: &segment, into: &entries) else { throw damage(path, start) }
                }
            }
        }
    }

    /// False for a record that cannot stand there.
    private mutating func replay(
        _ record: LogRecord, of segment: inout Segment, into entries: inout [StoredEntry]
    ) -> Bool {
        switch record {
        case .hardState(let state): hardState = state
        case .truncate(let index):
            if let first = entries.first?.index, index >= first {
                entries.removeLast(max(0, entries.count - Int(index - first)))
            } else {
                entries = []
            }
        case .reset: entries = []
        case .entry(let entry):
            if let last = entries.last, entry.index != last.index + 1 { return false }
            entries.append(entry)
            segment.lastIndex = max(segment.lastIndex, entry.index)
        }
        return true
    }

    // MARK: Writing

    /// Writes a batch with one fdatasync.
    ///
    /// - Throws: ``Failure`` when the disk does not take it; the log must not be used any more then.
    public mutating func append(_ batch: LogBatch) throws(Failure) {
        if let state = batch.hardState { hardState = state }
        var sealed = try SealedBatch(batch)
        if offset + sealed.bytes.count > sizes.segmentBytes, offset > Segment.headerBytes {
            try beginSegment(number: (segments.last?.number ?? 0) + 1)
            // The segment must tell the hard state by itself once the ones before it are gone.
            var withState = batch
            withState.hardState = hardState
            sealed = try SealedBatch(withState)
        }
        guard let segment = segments.last else { throw Failure(.internal, "the log has no segment") }
        sealed.seal(number: batchNumber + 1, in: segment, with: &sealer)
        try files.write(segment.name, sealed.bytes, at: offset)
        try files.sync(segment.name)
        offset += sealed.bytes.count
        batchNumber += 1
        for entry in batch.entries {
            segments[segments.count - 1].lastIndex = max(segments[segments.count - 1].lastIndex, entry.index)
        }
    }

    private mutating func beginSegment(number: UInt64) throws(Failure) {
        let segment = Segment(number: number, salt: sealer.salt, fingerprint: sealer.fingerprint)
        try files.create(segment.name, bytes: sizes.segmentBytes)
        try files.write(segment.name, segment.header, at: 0)
        try files.sync(segment.name)
        #if !MUTANT_FOLDER_FSYNC_DROPPED
            try files.syncFolder()
        #endif
        segments.append(segment)
        offset = Segment.headerBytes
    }

    /// Removes segments whose entries all lie at or below `index`; a snapshot must hold them by now.
    public mutating func compact(through index: UInt64) throws(Failure) {
        while segments.count > 1, let first = segments.first, first.lastIndex <= index {
            try files.remove(first.name)
            // Each by itself: a gap between two segments would be damage.
            try files.syncFolder()
            segments.removeFirst()
        }
    }

    // MARK: Snapshots

    /// Keeps a snapshot beside the log, in the place of the one before.
    ///
    /// - Parameter pieces: its bytes, one piece behind the other.
    /// - Returns: how many bytes it has.
    @discardableResult
    public mutating func saveSnapshot(
        index: UInt64, term: UInt64, metadata: [UInt8], _ pieces: some Sequence<[UInt8]>
    ) throws(Failure) -> Int {
        var aside = asideSnapshot(index: index, term: term, metadata: metadata)
        defer { aside.close() }
        let count = try aside.write(pieces)
        try adoptSnapshot(index: index, term: term)
        return count
    }

    /// Begins a snapshot that another thread may write.
    public mutating func asideSnapshot(index: UInt64, term: UInt64, metadata: [UInt8]) -> AsideSnapshot<Files> {
        let header = SnapshotHeader(
            index: index, term: term, salt: sealer.salt, number: sealer.nextSnapshotNumber(),
            metadataBytes: metadata.count, chunkBytes: sizes.snapshotChunkBytes, fingerprint: sealer.fingerprint)
        return AsideSnapshot(files.another(), header: header, key: header.key(of: sealer.key), metadata: metadata)
    }

    /// Gives a snapshot that was written aside its name, durably; then the one before it goes.
    public mutating func adoptSnapshot(index: UInt64, term: UInt64) throws(Failure) {
        let name = SnapshotHeader.name(index: index, term: term)
        try files.rename(AsideSnapshot<Files>.name(index: index, term: term), to: name)
        try files.syncFolder()
        if let old = snapshotName, old != name { try files.remove(old) }
        snapshotName = name
    }

    /// Removes a snapshot that was written aside and came too late.
    public mutating func discardSnapshot(index: UInt64, term: UInt64) throws(Failure) {
        try files.remove(AsideSnapshot<Files>.name(index: index, term: term))
    }

    /// The last snapshot, chunk by chunk, also on another thread.
    ///
    /// - Throws: ``Failure`` naming the file, when its beginning is damaged, of another version or sealed with another key.
    public func snapshotReader() throws(Failure) -> SnapshotReader<Files>? {
        guard let snapshotName else { return nil }
        return try SnapshotReader(
            files.another(), name: snapshotName, key: sealer.key, fingerprint: sealer.fingerprint)
    }

    private mutating func openSnapshot() throws(Failure) -> SnapshotReader<Files>? {
        let names = try files.list().filter { $0.hasPrefix("snapshot-") }.sorted()
        snapshotName = names.last
        // Nothing is removed from a folder that is refused.
        let snapshot = try snapshotReader()
        for name in names.dropLast() { try files.remove(name) }
        return snapshot
    }

    /// Lets go of the files.
    public mutating func close() { files.close() }
}

/// How large files and what is in memory of them become.
package struct LogSizes: Sendable {
    package var segmentBytes: Int
    package var snapshotChunkBytes: Int

    package init(
        segmentBytes: Int = LogLimits.segmentBytes, snapshotChunkBytes: Int = LogLimits.snapshotChunkBytes
    ) {
        self.segmentBytes = segmentBytes
        self.snapshotChunkBytes = snapshotChunkBytes
    }
}

extension SegmentedLog: Sendable where Files: Sendable {}
