public import Consensus
public import DurableLog

/// Where a member keeps its log. Used from the Raft thread alone; every call returns only once its effect is durable.
public protocol RaftStorage: ~Copyable {
    /// Performs the requests in order, with one fsync for all of them.
    mutating func persist(_ requests: [PersistRequest]) throws
    /// Keeps a snapshot beside the log; the log goes on as it was. Returns how many bytes it has.
    mutating func saveSnapshot(_ metadata: SnapshotMetadata, _ pieces: some Sequence<[UInt8]>) throws -> Int
    /// What writes a snapshot in pieces, durably, beside the log: on another thread, while the log goes on. Called once at
    /// most; returns how many bytes the snapshot has.
    mutating func snapshotWriter(_ metadata: SnapshotMetadata) -> @Sendable (any Sequence<[UInt8]>) throws -> Int
    /// Puts a snapshot that was so written in the place of the one before.
    mutating func adoptSnapshot(_ metadata: SnapshotMetadata) throws
    /// Removes a snapshot that was so written and came too late.
    mutating func discardSnapshot(_ metadata: SnapshotMetadata) throws
    /// The last snapshot that was saved.
    mutating func readSnapshot() throws -> (any SnapshotSource)?
    /// Entries through `index` are not needed any more.
    mutating func compact(through index: LogIndex) throws
    /// The member has ended: nothing is written any more.
    mutating func close()
}

/// A stored snapshot, read piece by piece, also on another thread than Raft's.
public protocol SnapshotSource: Sendable {
    /// The next bytes, nil behind the last.
    mutating func next() throws -> [UInt8]?
}

extension SnapshotReader: SnapshotSource where Files: SharedLogFiles {}

extension SegmentedStorage: RaftStorage where Files: SharedLogFiles {
    public mutating func snapshotWriter(
        _ metadata: SnapshotMetadata
    ) -> @Sendable (any Sequence<[UInt8]>) throws -> Int {
        let aside = asideSnapshot(metadata)
        return { pieces in
            var aside = aside
            defer { aside.close() }
            return try aside.write(pieces)
        }
    }

    public mutating func readSnapshot() throws -> (any SnapshotSource)? { try snapshotReader() }
}
