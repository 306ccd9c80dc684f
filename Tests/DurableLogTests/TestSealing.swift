import Primitives
import Synchronization

@testable import DurableLog

extension LogSealing {
    private static let openings = Atomic<UInt64>(0)

    /// A key that follows from its number, and a salt that no other opening has.
    static func test(key number: UInt64 = 1) -> LogSealing {
        let salt = openings.wrappingAdd(1, ordering: .relaxed).newValue
        return LogSealing(key: .test(number), salt: UInt128(salt))
    }
}

extension LogKey {
    static func test(_ number: UInt64 = 1) -> LogKey {
        var random = SeededRandom(seed: number)
        return LogKey(using: &random)
    }
}

/// A snapshot as a value.
struct StoredSnapshot: Hashable {
    var index: UInt64
    var term: UInt64
    var metadata: [UInt8]
    var bytes: [UInt8]
}

extension SegmentedLog {
    mutating func saveSnapshot(_ snapshot: StoredSnapshot) throws(Failure) {
        try saveSnapshot(
            index: snapshot.index, term: snapshot.term, metadata: snapshot.metadata, CollectionOfOne(snapshot.bytes))
    }
}

/// All that was there when a log was opened, the snapshot read to its end.
struct ReadLog {
    var hardState: StoredHardState?
    var entries: [StoredEntry]
    var snapshot: StoredSnapshot?

    static func open(
        _ files: TornFiles, key: UInt64 = 1, _ sizes: LogSizes
    ) throws(Failure) -> (log: SegmentedLog<TornFiles>, recovered: ReadLog) {
        let (log, recovered) = try SegmentedLog.open(files, sealing: .test(key: key), sizes: sizes)
        var read = ReadLog(hardState: recovered.hardState, entries: recovered.entries)
        if var reader = recovered.snapshot {
            let bytes = try reader.readAll()
            read.snapshot = StoredSnapshot(
                index: reader.index, term: reader.term, metadata: reader.metadata, bytes: bytes)
        }
        return (log, read)
    }
}
