import ClusterMessages
import ClusterModel
import ClusterState
import Consensus
import DurableLog
import Orchestration
import Primitives

/// The process died between two directives.
struct CrashedAtDirective: Error {}

/// A manager's Raft thread: the order of work is that of `RaftThread`, which runs on real machines.
///
/// A turn happens at one virtual moment; what it takes (fsyncs) delays what leaves it and the next turn.
final class ManagerProcess {
    static let tickMicroseconds: Microseconds = 50_000
    private static let electionTicks = 10
    /// Small, so that snapshots have several.
    private static let snapshotChunkBytes = 512

    unowned let world: Simulation
    unowned let manager: SimulatedManager
    var node: RaftNode
    var storage: SegmentedStorage<SimulatedDisk>
    var tables: ClusterTables
    private(set) var isOver = false
    /// While it leads.
    var duties: LeaderDuties?
    var roles: RoleKeeper?

    private let startedAt: Microseconds
    private var inbox: [ManagerInput] = []
    private var busyUntil: Microseconds = 0
    private var nextTick: Microseconds = 0
    private var planned: Microseconds?
    var pausedUntil: Microseconds = 0
    /// Until then nothing reaches the machine.
    var suspendedUntil: Microseconds = 0
    /// Directives until the process dies; nil: never.
    var directivesLeft: Int?

    var proposals: [LogIndex: (term: Term, completion: (WriteOutcome) -> Void)] = [:]
    var membershipChanges: [LogIndex: () -> Void] = [:]
    var reads: [UInt64: (ReadOutcome) -> Void] = [:]
    /// Reads whose index is not applied yet.
    var waitingReads: [(index: LogIndex, completion: (ReadOutcome) -> Void)] = []
    private var nextRead: UInt64
    var received: [SnapshotMetadata: ClusterTables] = [:]
    var snapshotIndex: LogIndex
    var pendingWrites: [PersistRequest] = []
    var isWriting = false

    var id: RaftID { manager.id }

    /// - Throws: ``Failure`` where the folder is refused or the disk fails, ``Violation`` where what was restored is wrong.
    init(_ manager: SimulatedManager, in world: Simulation) throws {
        self.manager = manager
        self.world = world
        manager.disk.spent = 0
        let opened = try SegmentedStorage.open(
            manager.disk, founders: manager.founders, sealing: manager.sealing(),
            sizes: LogSizes(segmentBytes: world.options.segmentBytes, snapshotChunkBytes: Self.snapshotChunkBytes))
        storage = opened.storage
        tables = ClusterTables()
        if var snapshot = opened.snapshot { tables = try StateSnapshot.decode { try snapshot.next() } }
        do {
            node = try RaftNode(
                id: manager.id, restored: opened.restored,
                configuration: RaftConfiguration(
                    electionTicks: Self.electionTicks, heartbeatTicks: 2, usesLeases: world.options.usesLeases,
                    maximumAppendBytes: world.options.appendBytes),
                random: SeededRandom(seed: world.chance.seed()))
        } catch {
            throw Failure(.dataLoss, "\(error)")
        }
        snapshotIndex = tables.index
        startedAt = world.now
        nextRead = world.chance.seed()
        busyUntil = world.now + manager.disk.spent
        nextTick = busyUntil + tickInterval
        if tables.index > 0 {
            world.coverage.note(.stateComparedAfterSnapshot)
            try world.checker.compare(tables, of: id, world.coverage)
        }
        plan()
    }

    func end() {
        isOver = true
        endLeading()
        proposals = [:]
        membershipChanges = [:]
        reads = [:]
        waitingReads = []
        inbox = []
    }

    func endLeading() {
        duties?.end()
        duties = nil
        roles?.end()
        roles = nil
    }

    private var tickInterval: Microseconds { Self.tickMicroseconds * 1000 / manager.clockPerMille }

    /// What the turn has taken until now.
    var elapsed: Microseconds { manager.disk.spent }

    // MARK: Turns

    func push(_ input: ManagerInput) {
        if isOver { return }
        inbox.append(input)
        plan()
    }

    private func plan() {
        var time = max(busyUntil, pausedUntil, world.now)
        if inbox.isEmpty { time = max(time, nextTick) }
        if let planned, planned <= time { return }
        planned = time
        world.scheduler.after(time - world.now) { [self] in
            guard planned == time, !isOver else { return }
            planned = nil
            if pausedUntil > world.now { return plan() }
            try turn()
            if !isOver { plan() }
        }
    }

    private func turn() throws {
        manager.disk.spent = 0
        do {
            try work()
        } catch is CrashedAtDirective {
            world.coverage.note(.crashAtDirective)
            return world.crash(manager, losesPower: world.chance.percent(50))
        } catch let failure as Failure {
            return try world.ended(manager, failure)
        } catch let error as ProtocolViolation {
            throw Violation.safety("manager \(id) was sent what no correct member sends: \(error)")
        }
        busyUntil = world.now + elapsed
    }

    private func work() throws {
        let inputs = inbox
        inbox = []
        for input in inputs { try take(input) }
        if world.now >= nextTick {
            node.tick(manager.clock(at: world.now))
            nextTick = world.now + tickInterval
        }
        try performAll()
        try world.checker.observeLeader(node, world.coverage)
    }

    private func take(_ input: ManagerInput) throws {
        switch input {
        case .message(let message):
            noteVoteAfterRestart(message)
            try node.step(message)
        case .propose(let data, let completion):
            do {
                let proposed = try node.propose([data])
                proposals[proposed.indices.lowerBound] = (proposed.term, completion)
            } catch { completion(.notTaken(leader: node.leader)) }
        case .changeMembership(let changes, let base, let completion):
            if base == nil || base == node.membership, let proposed = try? node.proposeMembership(changes) {
                membershipChanges[proposed.indices.lowerBound] = completion
            } else {
                completion?()
            }
        case .read(let completion):
            nextRead &+= 1
            do {
                let isLeased = try node.readByLease(
                    context: nextRead, clock: manager.clock(at: world.now + elapsed))
                if isLeased { world.coverage.note(.readByLease) }
                reads[nextRead] = completion
            } catch { completion(.notTaken(leader: node.leader)) }
        case .snapshot(let state, let message, let stepped):
            guard case .installSnapshot(let metadata) = message.payload else { return }
            received[metadata] = state
            try node.step(message)
            // Performed at once: whether the member wants it shows in its next write.
            try performAll()
            if !isAwaited(metadata) { received[metadata] = nil }
            stepped()
        case .snapshotSent(let peer, let succeeded): node.onSnapshotSent(to: peer, succeeded: succeeded)
        case .unreachable(let peer): node.onUnreachable(peer)
        case .transferLeadership(let peer): try? node.transferLeadership(to: peer)
        case .persisted(let number): node.onPersisted(number)
        case .perform(let directive): try performNow(directive)
        }
    }

    /// What it promised before it restarted, it does not know: so it must keep still.
    private func noteVoteAfterRestart(_ message: Message) {
        guard case .requestVote(let request) = message.payload, !request.isTransfer, world.options.usesLeases,
            node.leader == nil, world.now < startedAt + Self.electionTicks * Self.tickMicroseconds
        else { return }
        world.coverage.note(.voteAskedAfterRestart)
    }

    private func isAwaited(_ metadata: SnapshotMetadata) -> Bool { node.appliedIndex < metadata.index }

    /// Made of what the real manager publishes to its own.
    var rolePlan: RolePlan {
        RolePlan(
            roster: tables.roster, membership: node.membership, own: id,
            active: Set(node.membership.members.filter { node.isRecentlyActive($0) == true }),
            ready: Set(node.learners(lackingAtMost: OrchestrationLimits.learnerLagEntries)))
    }
}
