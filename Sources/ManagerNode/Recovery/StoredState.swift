import ClusterMessages
import ClusterModel
public import ClusterState
public import Consensus
public import DurableLog
import Primitives

/// The log of a manager that does not run, as a whole: to look at, and to put another beginning in its place.
public struct StoredState<Files: SharedLogFiles> {
    private var storage: SegmentedStorage<Files>
    private let restored: RestoredState
    /// All that the log holds. Entries that this manager does not know to be committed count, too: the others may have
    /// committed them, and who would know?
    public let tables: ClusterTables

    public init(_ files: consuming Files, sealing: LogSealing) throws {
        let snapshot: SnapshotReader<Files>?
        (storage, restored, snapshot) = try SegmentedStorage.open(files, founders: [], sealing: sealing)
        var tables = try Snapshot.load(snapshot).tables
        for entry in restored.entries where entry.index > restored.snapshot.index {
            if entry.kind == .normal {
                _ = tables.apply(try Transaction(encoded: entry.data), at: entry.index)
            } else {
                tables.skip(to: entry.index)
            }
        }
        self.tables = tables
    }

    /// Puts the state in the place of the log, of which `member` is the only voter: all of it, or nothing.
    public mutating func replace(with tables: ClusterTables, voter member: RaftID) throws {
        let term = max(restored.hardState.term, restored.entries.last?.term ?? 0, restored.snapshot.term) + 1
        let metadata = SnapshotMetadata(
            index: tables.index, term: term, membership: Membership(voters: [member]))
        try storage.replaceLog(with: metadata, Snapshot.pieces(tables, metadata))
    }

    public mutating func close() { storage.close() }
}
