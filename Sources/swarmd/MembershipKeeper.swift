import AgentCore
import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import LinuxSystem
import Logging
import ManagerNode
import Primitives
import Synchronization
import WorkerNode

/// Keeps the node's place in its cluster: its session with the managers, its certificate, and its manager as long as it
/// is to be one.
///
/// What the node is to be, as which member of Raft, and whom it is to trust, comes with its assignments. Where its
/// certificate or its manager do not fit that, or half of the certificate's time is over, it asks the leader for a new one,
/// whose role is the one that the state says. A manager whose certificate has run out signs its own.
actor MembershipKeeper {
    /// What a manager is made of and leaves behind.
    struct Parts: Sendable {
        var open: @Sendable (NodeMembership) throws -> Manager
        var wipe: @Sendable () throws(Failure) -> Void
        var setAside: @Sendable () -> Void
    }

    private enum Event: Sendable {
        case look
        case managerEnded(Failure)
    }

    private let record: MembershipRecord
    private let credentials: CredentialStore
    private let keys: KeyRing
    private let connections: NodeConnections
    private let slot: ManagerSlot
    private let worker: Worker
    private let parts: Parts
    private let log: Logger
    private let describe: @Sendable () async throws -> NodeDescription
    private let events: AsyncStream<Event>
    private let source: AsyncStream<Event>.Continuation

    private var standing: NodeStanding { didSet { noteHindrance() } }
    private var pace = RenewalPace()
    private var running: (manager: Manager, task: Task<Void, Never>)? { didSet { noteHindrance() } }
    private var session: Task<Void, Never>?
    private var isPaused = false
    private var isTaking = false
    private var turns: [CheckedContinuation<Void, Never>] = []
    private var isLookQueued = false
    private let complaints = ComplaintFilter()
    /// ``NodeStanding/hindrance(_:)``, for those who ask before every change of the state.
    private nonisolated let hindrance: Mutex<Failure?>

    /// Between two looks at the clock, and two attempts.
    private static let period = Duration.seconds(1)

    init(
        record: MembershipRecord, credentials: CredentialStore, keys: KeyRing, connections: NodeConnections,
        slot: ManagerSlot, worker: Worker, parts: Parts, loss: Failure?, log: Logger,
        describe: @escaping @Sendable () async throws -> NodeDescription
    ) {
        self.record = record
        self.credentials = credentials
        self.keys = keys
        self.connections = connections
        self.slot = slot
        self.worker = worker
        self.parts = parts
        standing = NodeStanding(loss: loss)
        hindrance = Mutex(loss)
        self.log = log
        self.describe = describe
        (events, source) = AsyncStream.makeStream(of: Event.self)
    }

    /// Until cancelled, or until Raft stops on this node for good.
    func run() async throws {
        if let manager = slot.manager { watch(manager) }
        startSession()
        let ticker = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: MembershipKeeper.period)
                self.knock()
            }
        }
        defer {
            ticker.cancel()
            session?.cancel()
            running?.task.cancel()
        }
        for await event in events {
            switch event {
            case .look: await look()
            case .managerEnded(let failure): throw failure
            }
        }
    }

    // MARK: Session

    private func startSession() {
        let session = ManagerSession(
            worker: worker, connections: connections, log: log, describe: describe,
            onWishes: { [weak self] in await self?.take($0, trust: $1) },
            onRefusal: { [weak self] in await self?.refused($0) })
        // Cancelled in `pause()`, or with `run()`.
        self.session = Task { await session.run() }
    }

    private func take(_ role: WantedRole?, trust: [UInt8]) {
        standing.onAssignments(role: role, trust: trust)
        knock()
    }

    private var present: NodeStanding.Present {
        NodeStanding.Present(
            role: credentials.current.identity.role, raftID: record.value.raftID, isManagerRunning: running != nil)
    }

    private func refused(_ failure: Failure) async {
        if standing.onRefusal(failure) { log.error("the managers refuse this node: \(failure)") }
        guard standing.holdsCopy(present), let copy = running else { return }
        running = nil
        slot.set(nil)
        await end(copy)
        parts.setAside()
        standing.onCopyEnded(
            Failure(
                .dataLoss,
                "this manager was a copy of another one, so its log counts no more: `swarmctl join --renew TOKEN` with the "
                    + "token of `swarmctl token manager` makes it a manager again once the other machine is gone"))
        log.warning("the manager of this copy is stopped")
    }

    /// The node is about to leave: no session, no change of its role.
    func pause() async {
        isPaused = true
        session?.cancel()
        await session?.value
    }

    func resume() {
        isPaused = false
        startSession()
    }

    // MARK: Role and certificate

    /// One look waits at most.
    private func knock() {
        guard !isLookQueued else { return }
        isLookQueued = true
        source.yield(.look)
    }

    private var isCertificateDue: Bool {
        let own = credentials.current
        return standing.isCertificateDue(renewsAt: own.renewsAt, trust: own.trustDigest, now: Clock.wallTime)
    }

    private func look() async {
        isLookQueued = false
        followLock()
        guard !isPaused else { return }
        connections.dropExpired()
        do {
            if try renewItself() { return }
            guard standing.isRoleDue(present) || isCertificateDue && pace.allows(Clock.now) else { return }
            try await renew()
            let isStillDue = credentials.current.renewsAt <= Clock.wallTime
            pace.onSuccess(Clock.now, isStillDue: isStillDue)
            if isStillDue { complain("\(clocks) after it was renewed: set the clocks") } else { complaints.forget() }
        } catch {
            pace.onFailure(Clock.now)
            complain("the node's certificate is not renewed yet: \(error)")
        }
    }

    private func complain(_ complaint: String) {
        if complaints.isNews(complaint, at: Clock.now) { log.warning("\(complaint)") }
    }

    /// A manager's keys are locked as its state says; those of a worker never are.
    private func followLock() {
        do {
            guard record.value.raftID != 0 else { return try keys.release() }
            if let cluster = slot.manager?.roster.cluster, try keys.follow(cluster) {
                log.info("the node's keys are \(cluster.unlockKey == nil ? "not locked any more" : "locked anew")")
            }
        } catch { complain("the node's keys are not locked as the cluster says: \(error)") }
    }

    private var clocks: String {
        let now = credentials.current
        return "the clock here says \(Clock.wallTime.rfc3339), and the certificate is to be renewed from "
            + "\(now.renewsAt.rfc3339) on"
    }

    private func renewItself() throws -> Bool {
        guard let manager = running?.manager else { return false }
        let renewal = SelfRenewal(manager: manager, record: record, credentials: credentials, log: log)
        guard try renewal.attempt() else { return false }
        connections.close()
        return true
    }

    /// Why the node takes no part as it should; nil while it does.
    nonisolated var problem: Failure? {
        let now = Clock.wallTime
        let own = credentials.current
        if let lapse = own.certificate.validityProblem(at: now) {
            var text = lapse.text("the certificate of node \(own.identity.node)", "the clock here", now: now)
            if case .expired = lapse { text += ": \(ValidityProblem.renewal)" }
            return Failure(.unauthenticated, text)
        }
        return hindrance.withLock { $0 }
    }

    private func noteHindrance() {
        let current = standing.hindrance(present)
        hindrance.withLock { $0 = current }
    }

    /// The node is to be a manager, and its log is gone.
    var hasLostLog: Bool { standing.hasLostLog(present) }

    /// Another machine is this node, and this one is a copy.
    var isFenced: Bool { standing.isFenced }

    nonisolated var isExpired: Bool {
        if case .expired = credentials.current.certificate.validityProblem(at: Clock.wallTime) { return true }
        return false
    }

    /// A manager has let this node in again, by a token.
    func readmit(_ ask: @Sendable () async throws -> WireAdmission) async throws {
        let known = standing.answersTaken
        let admission = try await ask()
        let renewed = try credentials(of: admission)
        guard renewed.identity.node == credentials.current.identity.node else {
            throw Failure(.internal, "the managers answered with another node's certificate")
        }
        await pause()
        defer { resume() }
        await worker.follow(admission.managers.map(\.address))
        try await take(renewed, admission, after: known)
        standing.onReadmission()
        pace = RenewalPace()
    }

    private func renew() async throws {
        let known = standing.answersTaken
        let call = RenewalCall(
            connections: connections, advertisedAddress: record.value.advertiseAddress,
            leader: slot.manager?.leaderAddress, managers: await worker.managers)
        let admission = try await call.run()
        try await take(try credentials(of: admission), admission, after: known)
    }

    /// - Throws: ``Failure`` `failedPrecondition` for a certificate that does not count by this machine's clock: it would
    ///   be worse than the one that the node has.
    private func credentials(of admission: WireAdmission) throws -> Credentials {
        let renewed = try Credentials(
            certificatePEM: admission.certificate, keyPEM: credentials.current.keyPEM(),
            rootsPEM: admission.rootCertificates)
        let now = Clock.wallTime
        if let problem = renewed.certificate.validityProblem(at: now) {
            throw Failure(
                .failedPrecondition,
                problem.text("the certificate that a manager has just made", "the clock here", now: now))
        }
        return renewed
    }

    /// Under the same role. Connections of before end: they were made with a certificate that is to count no more.
    private func adopt(_ renewed: Credentials) throws {
        try record.update(with: renewed) { _ in }
        credentials.replace(with: renewed)
        connections.close()
    }

    /// One answer after the other: two managers of one raft id could vote twice.
    ///
    /// - Parameter known: ``NodeStanding/answersTaken`` when it was asked for.
    private func take(_ renewed: Credentials, _ admission: WireAdmission, after known: Int) async throws {
        while isTaking { await withCheckedContinuation { turns.append($0) } }
        let step = try standing.take(renewed.identity.role, raftID: admission.raftID, askedAfter: known, present)
        isTaking = true
        defer {
            isTaking = false
            for turn in turns { turn.resume() }
            turns = []
        }
        try await perform(step, renewed, admission)
        standing.onTaken(renewed.identity.role, raftID: admission.raftID)
    }

    private func perform(_ step: NodeStanding.Step, _ renewed: Credentials, _ admission: WireAdmission) async throws {
        switch step {
        case .renew:
            try adopt(renewed)
            log.info("the node's certificate is renewed")
        case .promote: try promote(renewed, admission)
        case .replace:
            try await retire(renewed)
            try standing.checkFence()
            log.info("Raft went on without this manager: it begins again as another member")
            try promote(renewed, admission)
        case .demote:
            try await retire(renewed)
            log.info("this node is a worker now")
        }
    }

    private func promote(_ renewed: Credentials, _ admission: WireAdmission) throws {
        // Of an earlier time as a manager, under another raft id.
        try parts.wipe()
        try record.update(with: renewed) { membership in
            membership.raftID = admission.raftID
            membership.isFounder = false
            membership.peers = Dictionary(admission.managers.map { ($0.raftID, $0.address) }) { $1 }
        }
        standing.onMemberGone()
        credentials.replace(with: renewed)
        // Open connections were made by a worker.
        connections.close()
        let manager = try parts.open(record.value)
        slot.set(manager)
        watch(manager)
        log.info("this node is a manager now")
    }

    /// The manager, if one runs, is no member of Raft any more.
    private func retire(_ renewed: Credentials) async throws {
        let former = running
        try record.update(with: renewed) { membership in
            membership.raftID = 0
            membership.isFounder = false
            membership.peers = [:]
        }
        standing.onMemberGone()
        credentials.replace(with: renewed)
        running = nil
        slot.set(nil)
        if let former { await end(former) }
        try parts.wipe()
        connections.close()
    }

    private func watch(_ manager: Manager) {
        running = (
            manager,
            // Ends with the manager; cancelled with `run()`.
            Task {
                do {
                    try await manager.run()
                } catch { self.ended(manager, error) }
            }
        )
    }

    /// Returns once it writes nothing any more.
    private func end(_ former: (manager: Manager, task: Task<Void, Never>)) async {
        await former.manager.end()
        await former.task.value
    }

    private func ended(_ manager: Manager, _ error: any Error) {
        guard running?.manager === manager else { return }
        source.yield(.managerEnded(error as? Failure ?? Failure(.internal, "\(error)")))
    }
}
