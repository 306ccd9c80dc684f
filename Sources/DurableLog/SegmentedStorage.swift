public import Consensus
public import Primitives

/// A Raft member's storage in a ``SegmentedLog``. Every call returns once its effect is durable.
public struct SegmentedStorage<Files: LogFiles> {
    private var log: SegmentedLog<Files>

    /// Opens the log, or begins one.
    ///
    /// Where the power went between a received snapshot and the log's new beginning behind it, that beginning is written
    /// now: what is appended next would otherwise stand behind entries that it does not follow.
    ///
    /// Of a snapshot only the beginning is read; the caller reads the rest before it uses the log.
    ///
    /// - Parameter founders: the voters of a cluster that begins here; ignored where there is a log already.
    public static func open(
        _ files: consuming Files, founders: [RaftID], sealing: LogSealing
    ) throws(Failure) -> (storage: SegmentedStorage, restored: RestoredState, snapshot: SnapshotReader<Files>?) {
        try open(files, founders: founders, sealing: sealing, sizes: LogSizes())
    }

    package static func open(
        _ files: consuming Files, founders: [RaftID], sealing: LogSealing, sizes: LogSizes
    ) throws(Failure) -> (storage: SegmentedStorage, restored: RestoredState, snapshot: SnapshotReader<Files>?) {
        let folder = files.path(of: "")
        var (log, recovered) = try SegmentedLog.open(files, sealing: sealing, sizes: sizes)
        var restored = RestoredState.founding(voters: founders)
        if let state = recovered.hardState { restored.hardState = HardState(stored: state) }
        if let snapshot = recovered.snapshot {
            let membership = try decoded("the snapshot's membership") { () throws(DecodeError) in
                try Membership(encoded: snapshot.metadata)
            }
            restored.snapshot = SnapshotMetadata(index: snapshot.index, term: snapshot.term, membership: membership)
            #if !MUTANT_APPLIED_INDEX_NOT_RESTORED
                restored.applied = snapshot.index
            #endif
            // The snapshot is durable before the hard state that goes with it.
            if restored.hardState.term < snapshot.term {
                restored.hardState = HardState(term: snapshot.term, vote: nil, commit: snapshot.index)
            }
            restored.hardState.commit = max(restored.hardState.commit, snapshot.index)
        }
        for entry in recovered.entries { restored.entries.append(try LogEntry(stored: entry)) }
        let isReplaced = restored.isLogReplacedBySnapshot
        if isReplaced { restored.entries = [] }
        do throws(InvalidRestoredState) {
            try restored.validate()
        } catch {
            throw Failure(
                .dataLoss, "the log in \(folder) is no Raft member's: \(error); \(remedy)")
        }
        if isReplaced {
            try log.append(LogBatch(resetsBehind: restored.snapshot.index, hardState: restored.hardState.stored))
        }
        return (SegmentedStorage(log: log), restored, recovered.snapshot)
    }

    private init(log: consuming SegmentedLog<Files>) {
        self.log = log
    }

    /// Performs the requests in order.
    public mutating func persist(_ requests: [PersistRequest]) throws(Failure) {
        for request in requests {
            try log.append(
                LogBatch(
                    resetsBehind: request.snapshot?.index, hardState: request.hardState?.stored,
                    truncatesFrom: request.truncatesFrom, entries: request.entries.map(\.stored)))
        }
    }

    /// Keeps a snapshot beside the log; the log goes on as it was.
    ///
    /// - Parameter pieces: its bytes, one piece behind the other.
    /// - Returns: how many bytes it has.
    @discardableResult
    public mutating func saveSnapshot(
        _ metadata: SnapshotMetadata, _ pieces: some Sequence<[UInt8]>
    ) throws(Failure) -> Int {
        #if MUTANT_SNAPSHOT_WITHOUT_MEMBERSHIP
            let membership = Membership()
        #else
            let membership = metadata.membership
        #endif
        return try log.saveSnapshot(
            index: metadata.index, term: metadata.term, metadata: membership.encoded, pieces)
    }

    /// Puts a snapshot in the place of the whole log: a member begins anew from it. It must be newer than all that was
    /// stored; then it counts as soon as it is there, whatever becomes of the rest.
    public mutating func replaceLog(
        with metadata: SnapshotMetadata, _ pieces: some Sequence<[UInt8]>
    ) throws(Failure) {
        try saveSnapshot(metadata, pieces)
        let state = HardState(term: metadata.term, vote: nil, commit: metadata.index)
        try log.append(LogBatch(resetsBehind: metadata.index, hardState: state.stored))
    }

    /// Gives a snapshot that was written aside its name; then the one before it goes.
    public mutating func adoptSnapshot(_ metadata: SnapshotMetadata) throws(Failure) {
        try log.adoptSnapshot(index: metadata.index, term: metadata.term)
    }

    /// Removes a snapshot that was written aside and came too late.
    public mutating func discardSnapshot(_ metadata: SnapshotMetadata) throws(Failure) {
        try log.discardSnapshot(index: metadata.index, term: metadata.term)
    }

    /// The last snapshot that was saved, chunk by chunk, also on another thread.
    public func snapshotReader() throws(Failure) -> SnapshotReader<Files>? { try log.snapshotReader() }

    /// Lets go of the files.
    public mutating func close() { log.close() }

    /// Entries through `index` are not needed any more.
    public mutating func compact(through index: LogIndex) throws(Failure) { try log.compact(through: index) }
}

private func decoded<Value>(_ what: String, _ body: () throws(DecodeError) -> Value) throws(Failure) -> Value {
    do throws(DecodeError) {
        return try body()
    } catch {
        throw Failure(.dataLoss, "\(what) cannot be read: \(error); \(remedy)")
    }
}

extension HardState {
    fileprivate var stored: StoredHardState { StoredHardState(term: term, vote: vote ?? 0, commit: commit) }

    fileprivate init(stored: StoredHardState) {
        self.init(term: stored.term, vote: stored.vote == 0 ? nil : stored.vote, commit: stored.commit)
    }
}

extension LogEntry {
    /// A membership stands before the data that goes with it.
    fileprivate var stored: StoredEntry {
        switch kind {
        case .normal: StoredEntry(index: index, term: term, kind: 0, data: data)
        case .empty: StoredEntry(index: index, term: term, kind: 1, data: data)
        case .membership(let membership):
            StoredEntry(index: index, term: term, kind: 2, data: membership.encoded + data)
        }
    }

    fileprivate init(stored: StoredEntry) throws(Failure) {
        switch stored.kind {
        case 0: self.init(index: stored.index, term: stored.term, kind: .normal, data: stored.data)
        case 1: self.init(index: stored.index, term: stored.term, kind: .empty, data: stored.data)
        case 2:
            self = try decoded("log entry \(stored.index)") { () throws(DecodeError) in
                var reader = ByteReader(stored.data)
                let membership = try Membership(from: &reader)
                return LogEntry(
                    index: stored.index, term: stored.term, kind: .membership(membership),
                    data: Array(try reader.readBytes(reader.remaining)))
            }
        default: throw Failure(.dataLoss, "log entry \(stored.index) is of unknown kind \(stored.kind): \(remedy)")
        }
    }
}

/// Voters, outgoing voters and learners, each counted by 32 bits.
extension Membership {
    fileprivate var encoded: [UInt8] {
        var writer = ByteWriter()
        for ids in [voters, outgoingVoters, learners] {
            writer.write(UInt32(ids.count))
            for id in ids { writer.write(id) }
        }
        return writer.bytes
    }

    fileprivate init(encoded: [UInt8]) throws(DecodeError) {
        var reader = ByteReader(encoded)
        try self.init(from: &reader)
        guard reader.isAtEnd else { throw DecodeError("\(reader.remaining) bytes too many", offset: reader.offset) }
    }

    fileprivate init(from reader: inout ByteReader) throws(DecodeError) {
        var lists: [[RaftID]] = []
        for _ in 0..<3 {
            let count = Int(try reader.readUInt32())
            guard count <= LogLimits.members else { throw DecodeError("\(count) members", offset: reader.offset) }
            var ids: [RaftID] = []
            for _ in 0..<count { ids.append(try reader.readUInt64()) }
            lists.append(ids)
        }
        self.init(voters: lists[0], outgoingVoters: lists[1], learners: lists[2])
    }
}

extension SegmentedStorage {
    /// Begins a snapshot that is written in pieces, possibly on another thread.
    public mutating func asideSnapshot(_ metadata: SnapshotMetadata) -> AsideSnapshot<Files> {
        log.asideSnapshot(index: metadata.index, term: metadata.term, metadata: metadata.membership.encoded)
    }
}

extension SegmentedStorage: Sendable where Files: Sendable {}
