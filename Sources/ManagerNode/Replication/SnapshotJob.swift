import ClusterState
import Consensus
import LinuxSystem
import Primitives
import Synchronization

/// A snapshot of the state that a thread of its own encodes and writes, while the Raft thread goes on.
///
/// It rests again and again: a thread that computes at a stretch was seen to keep its processor for 40 ms from those that wait
/// for it (Linux 6.18, CONFIG_PREEMPT_NONE), and a write waits several times.
final class SnapshotJob: Sendable {
    let metadata: SnapshotMetadata
    /// Its bytes, once it is durable.
    private let result = Mutex<Result<Int, any Error>?>(nil)
    private let isGivenUp = Atomic(false)
    private let wake = ThreadSignal()
    private let hasEnded = ThreadSignal()

    private init(_ metadata: SnapshotMetadata) {
        self.metadata = metadata
    }

    var outcome: Result<Int, any Error>? { result.withLock { $0 } }

    /// Gives it up, and returns once it writes no more: the folder may be another member's next.
    func end() {
        isGivenUp.store(true, ordering: .relaxed)
        wake.set()
        while outcome == nil { hasEnded.wait(until: Clock.now + .seconds(1)) }
    }

    static func start(
        _ metadata: SnapshotMetadata, _ tables: ClusterTables,
        write: @escaping @Sendable (any Sequence<[UInt8]>) throws -> Int
    ) throws -> SnapshotJob {
        let job = SnapshotJob(metadata)
        do {
            try SystemThread.start(name: "snapshot") {
                // What is given up is never adopted.
                let pieces = Snapshot.pieces(tables, metadata).lazy.prefix { _ in
                    job.wake.wait(until: Clock.now + ManagerLimits.snapshotRest)
                    return !job.isGivenUp.load(ordering: .relaxed)
                }
                let outcome = Result { try write(pieces) }
                job.result.withLock { $0 = outcome }
                job.hasEnded.set()
            }
        } catch { throw Failure(.resourceExhausted, "no thread for a snapshot: \(error)") }
        return job
    }
}
