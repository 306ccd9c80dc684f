public import Consensus
public import DurableLog

/// Where a member keeps its log. Used from the Raft thread alone; every call returns only once its effect is durable.
public protocol RaftStorage: ~Copyable {
    /// Performs the requests in order, with one fsync for all of them.
    mutating func persist(_ requests: [PersistRequest]) throws
    /// Keeps a snapshot beside the log; the log goes on as it was.
    mutating func saveSnapshot(_ metadata: SnapshotMetadata, _ bytes: [UInt8]) throws
    /// What writes a snapshot in pieces, durably, beside the log: on another thread, while the log goes on.
    /// Called once at most.
    mutating func snapshotWriter(_ metadata: SnapshotMetadata) -> @Sendable ([[UInt8]]) throws -> Void
    /// Puts a snapshot that was so written in the place of the one before.
    mutating func adoptSnapshot(_ metadata: SnapshotMetadata) throws
    /// Removes a snapshot that was so written and came too late.
    mutating func discardSnapshot(_ metadata: SnapshotMetadata) throws
    /// The last snapshot that was saved.
    mutating func readSnapshot() throws -> [UInt8]?
    /// Entries through `index` are not needed any more.
    mutating func compact(through index: LogIndex) throws
    /// The member has ended: nothing is written any more.
    mutating func close()
}

extension SegmentedStorage: RaftStorage where Files: SharedLogFiles {
    public mutating func snapshotWriter(_ metadata: SnapshotMetadata) -> @Sendable ([[UInt8]]) throws -> Void {
        let aside = asideSnapshot(metadata)
        return { pieces in
            var aside = aside
            defer { aside.close() }
            try aside.write(pieces)
        }
    }
}
