public import Consensus
public import DurableLog

/// Where a member keeps its log. Used from the Raft thread alone; every call returns only once its effect is durable.
public protocol RaftStorage: ~Copyable {
    /// Performs the requests in order, with one fsync for all of them.
    mutating func persist(_ requests: [PersistRequest]) throws
    /// Keeps a snapshot beside the log; the log goes on as it was.
    mutating func saveSnapshot(_ metadata: SnapshotMetadata, _ bytes: [UInt8]) throws
    /// The last snapshot that was saved.
    mutating func readSnapshot() throws -> [UInt8]?
    /// Entries through `index` are not needed any more.
    mutating func compact(through index: LogIndex) throws
}

extension SegmentedStorage: RaftStorage {}
