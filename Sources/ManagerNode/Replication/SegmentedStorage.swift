import ClusterMessages
public import Consensus
public import DurableLog
import Primitives
import SwiftProtobuf

/// Raft's storage in a ``SegmentedLog``.
public struct SegmentedStorage<Files: LogFiles>: RaftStorage {
    private var log: SegmentedLog<Files>

    /// Opens the log, or begins one.
    ///
    /// - Parameter founders: the voters of a cluster that begins here; ignored where there is a log already.
    public static func open(
        _ files: consuming Files, founders: [RaftID]
    ) throws -> (storage: SegmentedStorage, restored: RestoredState, snapshot: [UInt8]?) {
        let (log, recovered) = try SegmentedLog.open(files)
        var restored = RestoredState.founding(voters: founders)
        if let state = recovered.hardState { restored.hardState = HardState(stored: state) }
        if let snapshot = recovered.snapshot {
            restored.snapshot = try SnapshotMetadata(
                wire: WireRaftSnapshotMetadata(serializedBytes: snapshot.metadata))
            restored.applied = snapshot.index
            // The snapshot is durable before the hard state that goes with it.
            if restored.hardState.term < snapshot.term {
                restored.hardState = HardState(term: snapshot.term, vote: nil, commit: snapshot.index)
            }
            restored.hardState.commit = max(restored.hardState.commit, snapshot.index)
        }
        let behind = restored.snapshot.index
        let entries = try recovered.entries.drop { $0.index <= behind }.map { try LogEntry(stored: $0) }
        // Entries that do not follow the snapshot were cut off by it, and the power went before that was written.
        restored.entries = entries.first.map { $0.index == behind + 1 } ?? true ? entries : []
        return (SegmentedStorage(log: log), restored, recovered.snapshot?.bytes)
    }

    private init(log: consuming SegmentedLog<Files>) {
        self.log = log
    }

    public mutating func persist(_ requests: [PersistRequest]) throws {
        for request in requests {
            try log.append(
                LogBatch(
                    resetsBehind: request.snapshot?.index, hardState: request.hardState?.stored,
                    truncatesFrom: request.truncatesFrom, entries: try request.entries.map { try $0.stored() }))
        }
    }

    public mutating func saveSnapshot(_ metadata: SnapshotMetadata, _ bytes: [UInt8]) throws {
        try log.saveSnapshot(
            StoredSnapshot(
                index: metadata.index, term: metadata.term, metadata: try metadata.wire.serializedBytes(), bytes: bytes)
        )
    }

    public mutating func readSnapshot() throws -> [UInt8]? { try log.readSnapshot()?.bytes }

    public mutating func compact(through index: LogIndex) throws { try log.compact(through: index) }
}

extension HardState {
    var stored: StoredHardState { StoredHardState(term: term, vote: vote ?? 0, commit: commit) }

    init(stored: StoredHardState) {
        self.init(term: stored.term, vote: stored.vote == 0 ? nil : stored.vote, commit: stored.commit)
    }
}

extension LogEntry {
    /// A plain entry's data goes to disk as it is; a membership is encoded.
    func stored() throws -> StoredEntry {
        switch kind {
        case .normal: StoredEntry(index: index, term: term, kind: 0, data: data)
        case .empty: StoredEntry(index: index, term: term, kind: 1, data: [])
        case .membership(let membership):
            StoredEntry(index: index, term: term, kind: 2, data: try membership.wire.serializedBytes())
        }
    }

    init(stored: StoredEntry) throws {
        switch stored.kind {
        case 0: self.init(index: stored.index, term: stored.term, kind: .normal, data: stored.data)
        case 1: self.init(index: stored.index, term: stored.term, kind: .empty)
        case 2:
            let wire = try WireRaftMembership(serializedBytes: stored.data)
            self.init(index: stored.index, term: stored.term, kind: .membership(Membership(wire: wire)))
        default: throw Failure(.dataLoss, "log entry \(stored.index) is of unknown kind \(stored.kind)")
        }
    }
}

extension SegmentedStorage: Sendable where Files: Sendable {}
