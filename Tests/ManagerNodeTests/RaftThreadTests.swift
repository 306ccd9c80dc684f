import ClusterModel
import ClusterState
import Consensus
import Glibc
import Primitives
import Synchronization
import Testing

@testable import ManagerNode

/// Keeps nothing; notes what it was asked to keep.
private struct NotingStorage: RaftStorage, Sendable {
    final class Notes: Sendable {
        let saved = Mutex<[LogIndex]>([])
        let begunBehind = Mutex<[LogIndex]>([])
        /// Snapshots whose writing has begun, whose writing may end, and that took their place.
        let begun = Mutex<[LogIndex]>([])
        let mayEnd = Mutex(false)
        let ended = Mutex<[LogIndex]>([])
        /// Snapshots that were still written when the storage was closed.
        let begunWhenClosed = Mutex<Int?>(nil)
        let adopted = Mutex<[LogIndex]>([])
        let compacted = Mutex<[LogIndex]>([])
    }

    let notes = Notes()

    func persist(_ requests: [PersistRequest]) {
        notes.begunBehind.withLock { $0 += requests.compactMap(\.snapshot?.index) }
    }
    func saveSnapshot(_ metadata: SnapshotMetadata, _ pieces: some Sequence<[UInt8]>) -> Int {
        notes.saved.withLock { $0.append(metadata.index) }
        return pieces.reduce(0) { $0 + $1.count }
    }
    func readSnapshot() -> (any SnapshotSource)? { nil }
    func compact(through index: LogIndex) { notes.compacted.withLock { $0.append(index) } }
    func snapshotWriter(_ metadata: SnapshotMetadata) -> @Sendable (any Sequence<[UInt8]>) throws -> Int {
        { [notes] pieces in
            notes.begun.withLock { $0.append(metadata.index) }
            // Without a piece: it is given up.
            while !notes.mayEnd.withLock({ $0 }), pieces.contains(where: { _ in true }) { usleep(1_000) }
            notes.ended.withLock { $0.append(metadata.index) }
            return 0
        }
    }
    func adoptSnapshot(_ metadata: SnapshotMetadata) { notes.adopted.withLock { $0.append(metadata.index) } }
    func discardSnapshot(_ metadata: SnapshotMetadata) {}
    func close() {
        notes.begunWhenClosed.withLock { $0 = notes.begun.withLock(\.count) - notes.ended.withLock(\.count) }
    }
}

@Suite struct RaftThreadTests {
    private func start(
        _ thread: RaftThread, _ storage: NotingStorage = NotingStorage(),
        send: @escaping @Sendable ([Message]) -> Void = { _ in }
    ) throws {
        let node = try RaftNode(id: 1, restored: .founding(voters: [1, 2, 3]), random: SeededRandom(seed: 1))
        try thread.start(
            node: node, storage: storage, tables: ClusterTables(), send: send, sendSnapshot: { _, _ in })
    }

    private func snapshot(_ index: LogIndex) -> RaftInput {
        let metadata = SnapshotMetadata(index: index, term: 1, membership: Membership(voters: [1, 2, 3]))
        var tables = ClusterTables()
        tables.skip(to: index)
        return .snapshot(tables, Message(from: 2, to: 1, term: 1, payload: .installSnapshot(metadata)))
    }

    /// What would cost the quorum is found out before, on what was known then.
    @Test func managersAreChangedOnlyFromTheMembershipThatWasJudged() async throws {
        let thread = RaftThread()
        let node = try RaftNode(id: 1, restored: .founding(voters: [1]), random: SeededRandom(seed: 1))
        try thread.start(
            node: node, storage: NotingStorage(), tables: ClusterTables(), send: { _ in }, sendSnapshot: { _, _ in })
        defer { thread.push(.stop) }
        try await eventually { thread.replica.view.status.role == .leader && thread.replica.view.index > 0 }
        func change(from membership: Membership) async -> Result<LogIndex, Failure> {
            await withCheckedContinuation { continuation in
                thread.push(
                    .changeMembership([.addLearner(2), .addLearner(3)], from: membership) {
                        continuation.resume(returning: $0)
                    })
            }
        }
        let stale = await change(from: Membership(voters: [1], learners: [4]))
        let refusal = #expect(throws: Failure.self) { try stale.get() }
        #expect(refusal?.code == .unavailable)
        _ = try await change(from: Membership(voters: [1])).get()
        #expect(thread.replica.view.membership == Membership(voters: [1], learners: [2, 3]))
    }

    private let dueEntries = Int(ManagerLimits.entriesBetweenSnapshots) + 10

    /// A lone member that has so many entries that it writes a snapshot.
    private func beginSnapshot(_ thread: RaftThread, _ storage: NotingStorage) async throws {
        let node = try RaftNode(id: 1, restored: .founding(voters: [1]), random: SeededRandom(seed: 1))
        try thread.start(
            node: node, storage: storage, tables: ClusterTables(), send: { _ in }, sendSnapshot: { _, _ in })
        try await eventually { thread.replica.view.status.role == .leader }
        let proposal = Proposal(Transaction(time: .zero))
        for _ in 0..<dueEntries { thread.push(.propose(proposal) { _ in }) }
        try await eventually { !storage.notes.begun.withLock { $0 }.isEmpty }
    }

    /// A slow disk under a snapshot must not hold up writes; the log is cut only behind a snapshot that is durable.
    @Test func writesGoOnWhileASnapshotIsWritten() async throws {
        let thread = RaftThread()
        let storage = NotingStorage()
        defer { thread.push(.stop) }
        try await beginSnapshot(thread, storage)
        let before = thread.replica.view.index
        thread.push(.propose(Proposal(Transaction(time: .zero))) { _ in })
        try await eventually { thread.replica.view.index > max(before, LogIndex(dueEntries)) }
        #expect(storage.notes.adopted.withLock { $0 }.isEmpty)
        #expect(storage.notes.compacted.withLock { $0 }.isEmpty)
        storage.notes.mayEnd.withLock { $0 = true }
        try await eventually { !storage.notes.compacted.withLock { $0 }.isEmpty }
        let index = try #require(storage.notes.begun.withLock { $0 }.first)
        #expect(storage.notes.adopted.withLock { $0 } == [index])
        #expect(storage.notes.compacted.withLock { $0 } == [index - ManagerLimits.entriesKeptBehindSnapshot])
    }

    /// Its folder may be another member's next.
    @Test func whoIsStoppedWritesNoMoreOfItsSnapshot() async throws {
        let thread = RaftThread()
        let storage = NotingStorage()
        try await beginSnapshot(thread, storage)
        thread.push(.stop)
        try await eventually { storage.notes.begunWhenClosed.withLock { $0 } != nil }
        #expect(storage.notes.begunWhenClosed.withLock { $0 } == 0)
    }

    /// The second one is of no use, and must not take the place of the first.
    @Test func twoSnapshotsInOneTurnAreStoredEachByItself() async throws {
        let thread = RaftThread()
        let storage = NotingStorage()
        thread.push(snapshot(10))
        thread.push(snapshot(5))
        try start(thread, storage)
        defer { thread.push(.stop) }
        try await eventually { thread.replica.view.index == 10 || thread.replica.view.failure != nil }
        #expect(thread.replica.view.failure == nil)
        #expect(storage.notes.saved.withLock { $0 } == [10])
        #expect(storage.notes.begunBehind.withLock { $0 } == [10])
    }

    /// The question, or the answer, was lost on the way: whoever asked can ask again.
    @Test func aReadThatNobodyConfirmsEnds() async throws {
        final class Outcome: Sendable { let result = Mutex<Result<LogIndex, Failure>?>(nil) }
        let outcome = Outcome()
        let thread = RaftThread()
        thread.push(.message(Message(from: 2, to: 1, term: 1, payload: .heartbeat(Heartbeat(commit: 0, readRound: 0)))))
        thread.push(.read { result in outcome.result.withLock { $0 = result } })
        try start(thread)
        defer { thread.push(.stop) }
        try await eventually {
            // The leader goes on speaking: it is no change of leaders that ends the read, unless the machine is too slow.
            let heartbeat = Heartbeat(commit: 0, readRound: 0)
            thread.push(.message(Message(from: 2, to: 1, term: 1, payload: .heartbeat(heartbeat))))
            return outcome.result.withLock { $0 } != nil
        }
        let result = outcome.result.withLock { $0 }
        let failure = #expect(throws: Failure.self) { try result?.get() }
        #expect(failure?.code == .unavailable)
    }

    /// An answer that was under way when the member restarted must not fit a new read.
    @Test func readsOfTwoLivesHaveDifferentNumbers() async throws {
        final class Contexts: Sendable { let seen = Mutex<[UInt64]>([]) }
        let contexts = Contexts()
        for life in 1...2 {
            let thread = RaftThread()
            let heartbeat = Heartbeat(commit: 0, readRound: 0)
            thread.push(.message(Message(from: 2, to: 1, term: 1, payload: .heartbeat(heartbeat))))
            thread.push(.read { _ in })
            try start(thread) { messages in
                for message in messages {
                    if case .readIndex(let context) = message.payload { contexts.seen.withLock { $0.append(context) } }
                }
            }
            defer { thread.push(.stop) }
            try await eventually { contexts.seen.withLock { $0.count } >= life }
        }
        #expect(Set(contexts.seen.withLock { $0 }).count == 2)
    }
}
