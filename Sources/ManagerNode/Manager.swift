import ClusterMessages
public import ClusterModel
public import ClusterState
public import ClusterWire
public import Consensus
import GRPCCore
import LinuxSystem
public import Logging
import Orchestration
public import Primitives
import SwiftProtobuf
import Synchronization

/// A manager of the cluster: its Raft member, its copy of the state, and while it leads the loops that act on it.
public final class Manager: Sendable {
    /// What a manager starts from.
    public struct Settings: Sendable {
        public var raftID: RaftID
        /// `HOST:PORT` of its own listener, as others reach it.
        public var address: String
        /// Networks of this machine, which no overlay network may overlap.
        public var hostRoutes: [IPv4Network]
        /// Bytes of a frame inside the overlay.
        public var overlayMTU: UInt16
        /// Managers that this one calls on when it starts, `HOST:PORT`: where the addresses that it knows may be old.
        public var namedManagers: [String]

        public init(
            raftID: RaftID, address: String, hostRoutes: [IPv4Network], overlayMTU: UInt16, namedManagers: [String] = []
        ) {
            self.namedManagers = namedManagers
            self.raftID = raftID
            self.address = address
            self.hostRoutes = hostRoutes
            self.overlayMTU = overlayMTU
        }
    }

    let settings: Settings
    let credentials: CredentialStore
    let log: Logger
    private let raft: RaftThread
    private let transport: PeerTransport
    private let calls: LeaderCalls
    let peers: PeerBook
    /// What happened of late on this manager, in people's terms.
    public let history = EventHistory()
    private let leading = Mutex<Leader?>(nil)
    /// Whether a change that takes managers out is on its way: the next one is judged on what it left.
    private let isChangingRoles = Mutex(false)
    /// How many want ``RolePlan`` to do nothing for a moment.
    private let rolePauses = Mutex(0)

    private var replica: Replica { raft.replica }

    /// - Parameters:
    ///   - peers: where the members are that the state does not name yet: on a joiner, the managers of its token.
    public init(
        settings: Settings, credentials: CredentialStore, connections: NodeConnections,
        peers: [RaftID: String] = [:], log: Logger
    ) {
        self.settings = settings
        self.credentials = credentials
        self.log = log
        let raft = RaftThread()
        calls = LeaderCalls(connections)
        self.raft = raft
        let book = PeerBook(peers)
        self.peers = book
        let replica = raft.replica
        transport = PeerTransport(
            connections: connections, log: log,
            announcement: PeerAnnouncement(member: settings.raftID, address: settings.address),
            addressOf: { id in
                let roster = replica.view.roster
                let stored = roster.managerAddress(of: id)
                return stored == nil && roster.isRevoked(member: id) ? nil : book.address(of: id, stored: stored)
            },
            report: { raft.push($0) })
    }

    /// Starts Raft from what its storage holds and returns at once.
    public func start<Storage: RaftStorage & Sendable>(
        storage: Storage, restored: RestoredState, snapshot: (any SnapshotSource)?, seed: UInt64
    ) throws {
        var (tables, snapshotBytes) = try Snapshot.load(snapshot)
        tables.skip(to: restored.applied)
        _ = replica.observe { [history] changes, view in
            if !changes.isEmpty { history.record(changes, view.roster, at: Clock.wallTime) }
            if let failure = view.failure { history.end(failure) }
        }
        let node = try RaftNode(id: settings.raftID, restored: restored, random: SeededRandom(seed: seed))
        try raft.start(
            node: node, storage: storage, tables: tables, snapshotBytes: snapshotBytes,
            send: { [transport] in transport.send($0) },
            sendSnapshot: { [transport] in transport.sendSnapshot($0, $1) })
    }

    /// Leads whenever Raft says so; until cancelled, or until Raft stops for good.
    public func run() async throws {
        let (statuses, continuation) = AsyncStream.makeStream(
            of: Replica.View.self, bufferingPolicy: .bufferingNewest(1))
        let observer = replica.observe { _, view in continuation.yield(view) }
        defer { replica.endObservation(observer) }
        continuation.yield(replica.view)
        var term: (number: Term, task: Task<Void, Never>)?
        let addresses = Task {
            async let calls: Void = callOnNamedManagers()
            await keepAddresses()
            await calls
        }
        defer {
            term?.task.cancel()
            addresses.cancel()
        }
        var revocations = 0
        for await view in statuses {
            if let known = view.roster.cluster?.revocations, known.count != revocations {
                revocations = known.count
                transport.end { view.roster.isRevoked(member: $0) }
            }
            if let failure = view.failure {
                term?.task.cancel()
                throw failure
            }
            if let leader = view.status.leader, let address = address(of: leader) { calls.follow(address) }
            let leads = view.status.role == .leader
            if let current = term, !leads || current.number != view.status.term {
                current.task.cancel()
                term = nil
                leading.withLock { $0 = nil }
            }
            if leads, term == nil {
                // Cancelled with the term, above.
                term = (view.status.term, Task { await self.lead() })
            }
        }
    }

    private func lead() async {
        // Everything of earlier terms is applied here before anything is decided on it.
        while true {
            do {
                try await replica.waitUntilApplied(readIndex())
                break
            } catch {
                // Whoever leads no more is cancelled.
                if Task.isCancelled || failure != nil { return }
                log.debug("not leading yet: \(error)")
                try? await Task.sleep(for: ManagerLimits.proposeRetry)
            }
        }
        log.info("leading the cluster in term \(replica.view.status.term)")
        let leader = Leader(
            replica: replica, hostRoutes: settings.hostRoutes, mtu: settings.overlayMTU,
            seed: UInt64.random(in: .min ... .max), log: log
        ) { [self] transaction in _ = try await proposeHere(transaction) }
        leading.withLock { $0 = leader }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepRoles() }
            group.addTask { await self.keepRoots() }
            await leader.run()
            group.cancelAll()
        }
        leading.withLock { if $0 === leader { $0 = nil } }
    }

    public func stop() {
        raft.push(.stop)
        transport.close()
        calls.close()
    }

    /// Stops, and returns once nothing is written to its log any more; also when the caller is cancelled.
    public func end() async {
        stop()
        let replica = replica
        // A task of its own, as the caller may be cancelled; no state has this index, so it waits for the end alone.
        await Task { try? await replica.waitUntilApplied(.max) }.value
    }

    // MARK: State

    /// All that is known here, of one moment.
    var view: Replica.View { replica.view }
    /// The state as it is applied here.
    public var tables: ClusterTables { replica.tables }
    /// As ``tables``, of the cluster and its nodes alone.
    public var roster: Roster { replica.view.roster }

    /// The state with everything that was committed before the call.
    public func freshTables() async throws -> ClusterTables {
        // A read changes nothing, so one that a change of leaders cut off is simply made again.
        let index = try await retrying { () async throws in
            do {
                return try await self.readIndex()
            } catch let failure as Failure where failure.code == .unavailable {
                throw Failure(.unavailable, "the cluster has no leader at the moment: too few managers can be reached")
            }
        }
        try await replica.waitUntilApplied(index)
        return replica.tables
    }

    public var isLeader: Bool { replica.view.status.role == .leader }
    public var leaderAddress: String? { replica.view.status.leader.flatMap { address(of: $0) } }
    public var leaderID: RaftID? { replica.view.status.leader }
    public var membership: Membership { replica.view.membership }
    /// Whether a manager counts for the quorum, as far as is known here: not before it has caught up.
    public func votes(_ member: RaftID) -> Bool { membership.isVoter(member) }
    /// Managers that the leader heard from lately, on the leader; elsewhere nil.
    public var activeMembers: Set<RaftID>? { isLeader ? replica.view.active : nil }
    /// Why Raft stopped on this manager for good; nil while it runs.
    public var failure: Failure? { replica.view.failure }

    var leader: Leader? { leading.withLock { $0 } }

    func address(of id: RaftID) -> String? {
        peers.address(of: id, stored: roster.managerAddress(of: id))
    }

    /// Tells the manager at an address where this one is.
    func introduce(to address: String) async throws { try await transport.introduce(to: address) }

    public func waitUntilApplied(_ index: LogIndex) async throws { try await replica.waitUntilApplied(index) }

    // MARK: Writing

    /// Writes through whichever manager leads, and returns once the change is applied here.
    ///
    /// An attempt whose outcome is not known, because the leader died or the connection broke, is made again; where that
    /// is refused because the first one was made after all, the change counts as made.
    ///
    /// - Returns: the raft index of the change.
    /// - Throws: ``Failure``: `conflict` for a stale version, `unavailable` when no leader was found in time, `unknown` when
    ///   nobody knows whether the change was made.
    public func propose(_ transaction: Transaction) async throws -> LogIndex {
        var uncertainty: Failure?
        do {
            let index = try await retrying {
                do {
                    return try await self.proposeOnce(transaction)
                } catch let failure as Failure where failure.code == .unknown {
                    uncertainty = failure
                    throw failure
                } catch let refusal as Failure where uncertainty != nil && refusal.mayBeOwnDoing {
                    let tables = try await self.freshTables()
                    if tables.reflects(transaction) { return tables.index }
                    // The first attempt may have been made, and overwritten: a refusal would deny that.
                    if !tables.mayHide(transaction) { uncertainty = nil }
                    throw refusal
                }
            }
            try await replica.waitUntilApplied(index)
            return index
        } catch {
            throw uncertainty ?? error
        }
    }

    private func proposeOnce(_ transaction: Transaction) async throws -> LogIndex {
        if isLeader { return try await proposeHere(transaction) }
        guard let address = leaderAddress else {
            throw Failure(.unavailable, "the cluster has no leader at the moment")
        }
        return try await calls.call(to: address).propose(encoded(transaction))
    }

    /// Proposes on this manager, which must lead.
    ///
    /// - Throws: ``Failure`` `failedPrecondition` where managers would go that the others cannot do without.
    func proposeHere(_ transaction: Transaction) async throws -> LogIndex {
        if let refusal = refusalOfMoves(in: transaction) { throw refusal }
        guard RolePlan.concerns(transaction, roster) else { return try await append(transaction) }
        let isFirst = isChangingRoles.withLock { isChanging in
            defer { isChanging = true }
            return !isChanging
        }
        guard isFirst else { throw Failure(.unavailable, "another change of the managers is under way") }
        defer { isChangingRoles.withLock { $0 = false } }
        try await checkRoles(transaction)
        return try await append(transaction)
    }

    var rolesArePaused: Bool { rolePauses.withLock { $0 > 0 } }

    /// - Returns: what ends the pause.
    func pauseRoles() -> () -> Void {
        rolePauses.withLock { $0 += 1 }
        return { self.rolePauses.withLock { $0 -= 1 } }
    }

    private func append(_ transaction: Transaction) async throws -> LogIndex {
        let proposal = Proposal(transaction: transaction, data: try encoded(transaction))
        return try await onRaft { .propose(proposal, $0) }
    }

    private func encoded(_ transaction: Transaction) throws(Failure) -> [UInt8] {
        let data = transaction.encoded()
        guard data.count <= StateLimits.transactionBytes else {
            throw Failure(
                .invalidArgument, "the change has \(data.count) bytes, the limit is \(StateLimits.transactionBytes)")
        }
        return data
    }

    /// As ``proposeHere(_:)``, without waiting: `completion` is called once, on any thread.
    func submit(_ proposal: Proposal, _ completion: @escaping RaftCompletion<LogIndex>) {
        if let refusal = refusalOfMoves(in: proposal.transaction) { return completion(.failure(refusal)) }
        guard RolePlan.concerns(proposal.transaction, roster) else {
            if !raft.push(.propose(proposal, completion)) { completion(.failure(notTaken)) }
            return
        }
        // Ends by itself: a proposal has a time limit.
        Task {
            do {
                completion(.success(try await proposeHere(proposal.transaction)))
            } catch { completion(.failure(error as? Failure ?? Failure(.internal, "\(error)"))) }
        }
    }

    private func readIndex() async throws -> LogIndex { try await onRaft { .read($0) } }

    /// All changes at once, of the membership that they were judged on.
    ///
    /// - Throws: ``Failure`` `unavailable` where that one is not in force any more.
    func changeMembership(_ changes: [MembershipChange], from membership: Membership) async throws -> LogIndex {
        try await onRaft { .changeMembership(changes, from: membership, $0) }
    }

    func receive(_ input: RaftInput) { raft.push(input) }

    private func onRaft<Value: Sendable>(
        _ input: (@escaping RaftCompletion<Value>) -> RaftInput
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            let isTaken = raft.push(input { continuation.resume(with: $0.mapError { $0 as any Error }) })
            if !isTaken { continuation.resume(throwing: notTaken) }
        }
    }

    private var notTaken: Failure {
        failure.map(Failure.stopped)
            ?? Failure(.resourceExhausted, "too many changes are under way: try again in a moment")
    }

    /// Again and again while there is no leader, for the time that a user would wait.
    private func retrying<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let deadline = Clock.now + ManagerLimits.proposeTimeout
        while true {
            do {
                return try await body()
            } catch let error where error.isWorthRetrying && Clock.now < deadline {
                try await Task.sleep(for: ManagerLimits.proposeRetry)
            }
        }
    }
}

extension Roster {
    func managerAddress(of id: RaftID) -> String? { node(ofMember: id)?.manager?.address }
}

extension Error {
    /// It may work in a moment; where it may have been done already, doing it again shows that.
    fileprivate var isWorthRetrying: Bool {
        [.unavailable, .unknown].contains((self as? Failure)?.code)
    }
}

extension Failure {
    /// What a change is refused with that has been made already.
    fileprivate var mayBeOwnDoing: Bool { [.alreadyExists, .conflict, .notFound].contains(code) }
}
