import ClusterMessages
import ClusterModel
import ClusterState
import Consensus
import LinuxSystem
import Orchestration
import Primitives

/// The thread that owns a manager's Raft member, its log and the writing side of its state.
///
/// It blocks on the disk, so it is a thread and not a task; everything else talks to it through its queue.
final class RaftThread: Sendable {
    private let queue = InputQueue()
    let replica = Replica()

    /// False when the queue is full.
    @discardableResult
    func push(_ input: RaftInput) -> Bool { queue.push(input) }

    /// - Parameters:
    ///   - snapshotBytes: the size of the snapshot that the tables are of.
    ///   - send: hands messages to the network; must not block.
    ///   - sendSnapshot: starts a transfer that ends in `snapshotSent`.
    func start<Storage: RaftStorage & Sendable>(
        node: RaftNode, storage: Storage, tables: ClusterTables, snapshotBytes: Int = 0,
        send: @escaping @Sendable ([Message]) -> Void,
        sendSnapshot: @escaping @Sendable (SnapshotTransfer, any SnapshotSource) -> Void
    ) throws {
        replica.change { $0 = tables }
        replica.update(Replica.View(roster: tables.roster, index: tables.index, membership: node.membership))
        do {
            try SystemThread.start(name: "raft") { [queue, replica] in
                var loop = RaftLoop(
                    node: node, storage: storage, replica: replica, snapshotBytes: snapshotBytes,
                    send: send, sendSnapshot: sendSnapshot)
                loop.run(queue)
            }
        } catch { throw Failure(.resourceExhausted, "no thread for Raft: \(error)") }
    }
}

/// One turn after the other: take what waits, step the member, perform its directives in order.
struct RaftLoop<Storage: RaftStorage> {
    private var node: RaftNode
    private var storage: Storage
    private let replica: Replica
    private let send: @Sendable ([Message]) -> Void
    private let sendSnapshot: @Sendable (SnapshotTransfer, any SnapshotSource) -> Void

    private var proposals: [LogIndex: Proposed] = [:]
    private struct Proposed {
        let term: Term
        let transaction: Transaction
        let completion: RaftCompletion<LogIndex>
    }

    private struct Committed {
        let entry: LogEntry
        let proposed: Proposed?
        /// nil where the entry has none.
        let transaction: Transaction?
    }

    private var membershipChanges: [LogIndex: (term: Term, completion: RaftCompletion<LogIndex>)] = [:]
    private var reads: [UInt64: (deadline: Instant, completion: RaftCompletion<LogIndex>)] = [:]
    /// Not from 0: an answer to a read of before a restart must not complete another one now.
    private var nextRead = UInt64.random(in: .min ... .max)
    private var received: (metadata: SnapshotMetadata, tables: ClusterTables)?
    private var snapshotIndex: LogIndex
    private var snapshotBytes: Int
    private var bytesSinceSnapshot = 0
    private var snapshotJob: SnapshotJob?
    private var publishedActive: Set<RaftID> = []
    private var publishedReady: Set<RaftID> = []
    private var nextTick = Clock.now
    /// Not to be taken before.
    private var nextProposals = Clock.now

    init(
        node: RaftNode, storage: Storage, replica: Replica, snapshotBytes: Int,
        send: @escaping @Sendable ([Message]) -> Void,
        sendSnapshot: @escaping @Sendable (SnapshotTransfer, any SnapshotSource) -> Void
    ) {
        self.node = node
        self.storage = storage
        self.replica = replica
        self.send = send
        self.sendSnapshot = sendSnapshot
        self.snapshotBytes = snapshotBytes
        snapshotIndex = replica.view.index
    }

    mutating func run(_ queue: InputQueue) {
        var inputs: [RaftInput] = []
        do {
            while true {
                let begun = Clock.now
                if case .stop? = inputs.first(where: { if case .stop = $0 { true } else { false } }) { break }
                for input in inputs { try take(input) }
                if Clock.now >= nextTick {
                    node.tick()
                    expireReads()
                    try finishSnapshot()
                    if active != publishedActive || ready != publishedReady { publish() }
                    nextTick = Clock.now + ManagerLimits.tick
                }
                try performAll()
                if let company = company(of: inputs) { nextProposals = begun + company }
                inputs = queue.take(until: nextTick, proposalsFrom: nextProposals)
            }
            end(Failure(.unavailable, "this manager is shutting down"), queue)
        } catch let failure as Failure {
            end(failure, queue)
        } catch {
            end(Failure(.internal, "Raft stopped on this manager", cause: error), queue)
        }
    }

    /// How long proposals that come after these wait for each other: to append and to send costs as much as the work of ten
    /// proposals, here and on every follower. What makes these count is not waited for, and whoever writes alone does not
    /// wait at all: it asks again later than this.
    ///
    /// - Returns: nil where nothing was proposed.
    private func company(of inputs: [RaftInput]) -> Duration? {
        let count = inputs.count { if case .propose = $0 { true } else { false } }
        return count == 0 ? nil : min(ManagerLimits.companyPerProposal * count, ManagerLimits.longestCompany)
    }

    // MARK: Inputs

    private mutating func take(_ input: RaftInput) throws {
        switch input {
        case .message(let message): try node.step(message)
        case .propose(let proposal, let completion):
            do {
                let proposed = try node.propose([proposal.data])
                proposals[proposed.indices.lowerBound] = Proposed(
                    term: proposed.term, transaction: proposal.transaction, completion: completion)
            } catch { completion(.failure(error.failure)) }
        case .changeMembership(let changes, let base, let completion):
            // What was judged on another membership is to be judged again.
            guard base == node.membership else {
                return completion(.failure(ProposalRefused.membershipChangePending(index: node.appliedIndex).failure))
            }
            do {
                let proposed = try node.proposeMembership(changes)
                membershipChanges[proposed.indices.lowerBound] = (proposed.term, completion)
            } catch { completion(.failure(error.failure)) }
        case .read(let completion):
            nextRead &+= 1
            do {
                try node.readIndex(context: nextRead)
                reads[nextRead] = (Clock.now + ManagerLimits.readTimeout, completion)
            } catch { completion(.failure(error.failure)) }
        case .snapshot(let tables, let message):
            guard case .installSnapshot(let metadata) = message.payload else { return }
            received = (metadata, tables)
            try node.step(message)
            // Performed at once: the next snapshot takes the place of this one.
            try performAll()
            received = nil
        case .snapshotSent(let peer, let succeeded): node.onSnapshotSent(to: peer, succeeded: succeeded)
        case .unreachable(let peer): node.onUnreachable(peer)
        case .transferLeadership(let peer): try? node.transferLeadership(to: peer)
        case .stop: break
        }
    }

    /// A question, or its answer, may be lost on the way to the leader and back; then nobody answers.
    private mutating func expireReads() {
        let now = Clock.now
        for (context, read) in reads where read.deadline <= now {
            reads[context] = nil
            read.completion(.failure(Failure(.unavailable, "the leader did not confirm the read in time")))
        }
    }

    // MARK: Directives

    /// Until nothing more follows from what was done.
    private mutating func performAll() throws {
        while case let directives = node.ready(), !directives.isEmpty {
            for directive in directives { try perform(directive) }
        }
    }

    private mutating func perform(_ directive: Directive) throws {
        switch directive {
        case .status(let status):
            if status.role != .leader { failPending(.lostToNewLeader, others: .noLongerLeading) }
            publish()
        case .send(let messages): send(messages)
        case .persist(let request):
            if let metadata = request.snapshot {
                snapshotBytes = try storage.saveSnapshot(
                    metadata, Snapshot.pieces(receivedTables(of: metadata), metadata))
            }
            try storage.persist([request])
            node.onPersisted(request.number)
        case .sendSnapshot(let transfer):
            if let source = try storage.readSnapshot() {
                sendSnapshot(transfer, source)
            } else {
                node.onSnapshotSent(to: transfer.message.to, succeeded: false)
            }
        case .installSnapshot(let metadata): try install(metadata)
        case .apply(let entries): try apply(entries)
        case .serveReads(let states):
            for state in states { reads.removeValue(forKey: state.context)?.completion(.success(state.index)) }
        }
    }

    private mutating func apply(_ entries: [LogEntry]) throws {
        let committed = try entries.map { entry in
            let proposed = proposals[entry.index]
            // The proposer's own value saves reading it from its bytes.
            let own = proposed.flatMap { $0.term == entry.term ? $0.transaction : nil }
            return Committed(
                entry: entry, proposed: proposed,
                transaction: entry.kind == .normal ? try own ?? Transaction(encoded: entry.data) : nil)
        }
        for entry in entries { proposals[entry.index] = nil }
        var changes: [StateChange] = []
        var outcomes: [Result<LogIndex, Failure>] = []
        let slice = ManagerLimits.entriesAppliedAtOnce
        for start in stride(from: 0, to: committed.count, by: slice) {
            // Readers come in between.
            replica.change { Self.apply(committed[start...].prefix(slice), to: &$0, &changes, &outcomes) }
        }
        bytesSinceSnapshot += entries.reduce(0) { $0 + $1.data.count }
        guard let last = entries.last?.index else { return }
        node.onApplied(through: last)
        publish(changes)
        for (committed, outcome) in zip(committed, outcomes) {
            guard let proposed = committed.proposed else { continue }
            proposed.completion(proposed.term == committed.entry.term ? outcome : .failure(.lostToNewLeader))
        }
        for entry in entries {
            guard let (term, completion) = membershipChanges.removeValue(forKey: entry.index) else { continue }
            completion(term == entry.term ? .success(entry.index) : .failure(.noLongerLeading))
        }
        try snapshotIfDue()
    }

    private static func apply(
        _ committed: ArraySlice<Committed>, to tables: inout ClusterTables, _ changes: inout [StateChange],
        _ outcomes: inout [Result<LogIndex, Failure>]
    ) {
        for committed in committed {
            let index = committed.entry.index
            guard let transaction = committed.transaction else {
                tables.skip(to: index)
                outcomes.append(.success(index))
                continue
            }
            switch tables.apply(transaction, at: index) {
            case .success(let applied):
                changes += applied
                outcomes.append(.success(index))
            case .failure(let refusal): outcomes.append(.failure(refusal.failure))
            }
        }
    }

    /// Members that this one heard from lately, while it leads.
    private var active: Set<RaftID> {
        node.role == .leader ? Set(node.membership.members.filter { node.isRecentlyActive($0) == true }) : []
    }

    /// Learners that may vote.
    private var ready: Set<RaftID> { Set(node.learners(lackingAtMost: OrchestrationLimits.learnerLagEntries)) }

    private mutating func publish(_ changes: [StateChange] = []) {
        let (active, ready) = (active, ready)
        publishedActive = active
        publishedReady = ready
        let (roster, index) = replica.look { ($0.roster, $0.index) }
        replica.update(
            Replica.View(
                roster: roster, index: index, status: node.status, membership: node.membership, active: active,
                ready: ready),
            changes)
    }

    /// Outcomes that this member will not learn in time: the entry may still be committed by the next leader.
    private mutating func failPending(_ failure: Failure, others: Failure) {
        for proposed in proposals.values { proposed.completion(.failure(failure)) }
        for (_, completion) in membershipChanges.values { completion(.failure(others)) }
        for (_, completion) in reads.values { completion(.failure(others)) }
        proposals = [:]
        membershipChanges = [:]
        reads = [:]
    }

    /// Whoever waits is told why; what comes later is not taken.
    private mutating func end(_ failure: Failure, _ queue: InputQueue) {
        snapshotJob?.end()
        storage.close()
        let view = replica.view
        replica.update(
            Replica.View(
                roster: view.roster, index: view.index,
                status: RaftStatus(role: .follower, term: view.status.term, leader: nil),
                membership: view.membership, active: view.active, failure: failure))
        let told = Failure.stopped(failure)
        failPending(told, others: told)
        for input in queue.close() {
            switch input {
            case .propose(_, let completion): completion(.failure(told))
            case .changeMembership(_, _, let completion): completion(.failure(told))
            case .read(let completion): completion(.failure(told))
            case .message, .snapshot, .snapshotSent, .unreachable, .transferLeadership, .stop: continue
            }
        }
    }

    // MARK: Snapshots

    /// The log may become twice as large as the last snapshot before there is a new one: what is written for snapshots is
    /// then at most half of what is written for the log.
    private mutating func snapshotIfDue() throws {
        guard snapshotJob == nil, let metadata = node.appliedMetadata,
            metadata.index >= snapshotIndex + ManagerLimits.entriesBetweenSnapshots,
            bytesSinceSnapshot >= min(2 * snapshotBytes, ManagerLimits.logBytesBetweenSnapshots)
        else { return }
        snapshotJob = try SnapshotJob.start(metadata, replica.tables, write: storage.snapshotWriter(metadata))
        snapshotIndex = metadata.index
        bytesSinceSnapshot = 0
    }

    private mutating func finishSnapshot() throws {
        guard let job = snapshotJob, let outcome = job.outcome else { return }
        snapshotJob = nil
        let metadata = job.metadata
        guard metadata.index >= snapshotIndex else {
            // One that was received meanwhile is newer. What of this one was written, if any, is of no use.
            if case .success = outcome { try storage.discardSnapshot(metadata) }
            return
        }
        snapshotBytes = try outcome.get()
        try storage.adoptSnapshot(metadata)
        let through = metadata.index - min(metadata.index, ManagerLimits.entriesKeptBehindSnapshot)
        try storage.compact(through: node.compact(through: through, snapshot: metadata))
    }

    /// Never a log that begins behind a snapshot without the snapshot.
    private func receivedTables(of metadata: SnapshotMetadata) throws -> ClusterTables {
        guard let received, received.metadata == metadata else {
            throw Failure(.internal, "the snapshot at index \(metadata.index) that is to be installed is not here")
        }
        return received.tables
    }

    private mutating func install(_ metadata: SnapshotMetadata) throws {
        var tables = try receivedTables(of: metadata)
        // What it was is freed when nobody waits for it.
        replica.change { swap(&$0, &tables) }
        snapshotIndex = metadata.index
        bytesSinceSnapshot = 0
        node.onApplied(through: metadata.index)
        // Whoever follows changes looks at everything again.
        publish([StateChange(before: nil, after: nil)])
    }
}
