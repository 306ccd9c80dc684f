import ClusterState
import Consensus
import LinuxSystem
import Primitives
import Synchronization

/// A snapshot of the state that a thread of its own encodes and writes, while the Raft thread goes on.
final class SnapshotJob: Sendable {
    let metadata: SnapshotMetadata
    /// Its bytes, once it is durable.
    private let result = Mutex<Result<Int, any Error>?>(nil)

    private init(_ metadata: SnapshotMetadata) {
        self.metadata = metadata
    }

    var outcome: Result<Int, any Error>? { result.withLock { $0 } }

    static func start(
        _ metadata: SnapshotMetadata, _ tables: ClusterTables,
        write: @escaping @Sendable (any Sequence<[UInt8]>) throws -> Int
    ) throws -> SnapshotJob {
        let job = SnapshotJob(metadata)
        do {
            try SystemThread.start(name: "snapshot") {
                let outcome = Result { try write(Snapshot.pieces(tables, metadata)) }
                job.result.withLock { $0 = outcome }
            }
        } catch { throw Failure(.resourceExhausted, "no thread for a snapshot: \(error)") }
        return job
    }
}
