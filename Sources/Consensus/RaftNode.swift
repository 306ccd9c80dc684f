import DequeModule
public import Primitives

/// One member of a Raft group: elections with pre-vote and check-quorum, pipelined replication, snapshots, membership
/// changes one at a time, leader transfer and ReadIndex. It does no I/O: a shell feeds it events and performs what
/// ``ready()`` asks for.
///
/// # The contract
///
/// Calls
/// 1. One shell owns the node and calls it from one thread of control. After one or several calls of whatever kind
///    (`tick`, `step`, `propose`, …, `on…`) it calls ``ready()`` once and performs the directives. Many events before one
///    `ready()` make larger batches: fewer messages, fewer fsyncs.
/// 2. `ready()` never waits for the directives of an earlier one: several may be under way. An empty array means that
///    there is nothing to do.
/// 3. ``tick()`` comes every 50 ms. A shell that was held up calls it once, not once for every tick it missed.
///
/// Storage
/// 4. `persist` directives are performed in the order of their numbers, each as a whole: the snapshot's new beginning of
///    the log, hard state, truncation, entries. Several may share one fsync.
/// 5. ``onPersisted(_:)`` comes after the fsync, with the number of the last request that it covers.
/// 6. The shell never holds messages back for storage: `send` holds only what may leave at once. What depends on a write
///    (votes, acknowledgements) is kept in the node until `onPersisted`, and comes out of the `ready()` after it. A
///    leader's appends leave in parallel with its own write (thesis §10.2.1), and its own log counts for the commit index
///    only when `onPersisted` said so.
/// 7. The commit index is stored with the next write that is needed anyway; it makes none by itself, except that a
///    membership entry is announced and applied only when its commitment is durable here.
/// 8. A write that fails ends the member: stop it, never go on with the same node.
///
/// State machine
/// 9. `installSnapshot` and `apply` directives are performed in order, one at a time: the next one comes out of a
///    `ready()` after ``onApplied(through:)`` for the whole of the last. Only entries that are committed and durable on
///    this member are applied. Empty and membership entries are in the list too.
/// 10. A membership entry takes effect when `onApplied` covers it, as in etcd where the application calls ApplyConfChange;
///     the shell does nothing for it. A leader that is no longer a voter steps down then. A leader refuses to remove
///     itself (transfer first), and a member that finds itself removed answers votes for a few election timeouts more:
///     it may be the only one who knows that the change is committed.
/// 11. To compact, the shell takes a snapshot of a state machine that has applied exactly ``appliedMetadata``, makes it
///     durable, and calls ``compact(through:snapshot:)``; entries that are kept behind serve slow followers.
///
/// Snapshots to others
/// 12. `sendSnapshot` asks for the snapshot last given to `compact`, which the shell must keep readable until it has
///     given a newer one and no transfer uses the old. It streams the bytes and then the message, and always reports
///     ``onSnapshotSent(to:succeeded:)``: success only when the receiver's shell has stepped the message.
/// 13. The receiving shell steps `installSnapshot` when the bytes are durable and verified. Whether the node wants it shows
///     in the next `persist`; if its `snapshot` is another or none, the bytes may be deleted.
///
/// Messages
/// 14. Messages may be lost, delayed, doubled and reordered. A shell that cannot reach a peer says so with
///     ``onUnreachable(_:)``. Whether the sender belongs to this cluster is checked before `step`.
/// 15. A ``ProtocolViolation`` thrown by ``step(_:)`` means that a log was lost or damaged: stop the member.
///
/// Clients
/// 16. A proposal is done when an entry of the returned term and index is applied. If another term stands at that index it
///     was lost; if the member follows somebody meanwhile, its fate is unknown until then.
/// 17. Reads are answered by `serveReads`, or never if leadership changes or a message is lost: ask again after `status`
///     or a timeout. The context must not repeat while an earlier read of it may still be answered.
/// 18. Where ``RaftConfiguration/usesLeases`` is set on all members, ``readByLease(context:clock:)`` saves the round of
///     messages. The shell passes its clocks with every ``tick(_:)``, and reads them for a read after the read has come.
public struct RaftNode: Sendable {
    public let id: RaftID
    public let configuration: RaftConfiguration
    var random: SeededRandom

    public internal(set) var term: Term
    var vote: RaftID?
    var log: RaftLog
    /// The membership as of what is applied.
    public internal(set) var membership: Membership
    /// Membership entries that are with the state machine, ascending.
    var membershipsToAdopt: Deque<LogEntry> = []
    /// The snapshot that the state machine does not have yet.
    var pendingInstall: SnapshotMetadata?
    var latestSnapshot: SnapshotMetadata

    public internal(set) var leader: RaftID?
    /// Present while (pre-)candidate only.
    var ballot: Ballot?
    /// Present while leader only.
    var leadership: Leadership?
    /// All members, ascending by id; meaningful on a leader.
    var peers: [Progress] = []

    var electionElapsed = 0
    /// Ticks since a leader was last heard, in whatever term; since the start, where none was.
    var quietTicks = 0
    /// As the shell last read it.
    var clock: ClockReading?
    var heartbeatElapsed = 0
    var electionTimeout = 0

    var storage = PersistQueue()
    /// What storage was last asked to hold, and what it holds.
    var offeredHardState: HardState
    var durableHardState: HardState
    /// The snapshot that storage has not been told of.
    var unofferedSnapshot: SnapshotMetadata?
    var outbox: [Message] = []
    var transfers: [SnapshotTransfer] = []
    var servableReads: [ReadState] = []
    var reportedStatus: RaftStatus?

    /// Starts a member, as a follower, with what its storage holds.
    public init(
        id: RaftID, restored: RestoredState, configuration: RaftConfiguration = .standard, random: SeededRandom
    ) throws(InvalidRestoredState) {
        guard id != 0 else { throw InvalidRestoredState("0 is no member's id") }
        let log = try restored.log()
        // A snapshot may be durable before the hard state that came with it: nothing was promised in its term yet.
        let hardState = restored.hardState
        let isSnapshotAhead = restored.snapshot.term > hardState.term
        let term = isSnapshotAhead ? restored.snapshot.term : hardState.term
        guard term >= log.lastTerm else {
            throw InvalidRestoredState("the term is \(term), the log ends in term \(log.lastTerm)")
        }
        self.id = id
        self.configuration = configuration
        self.random = random
        self.log = log
        self.term = term
        vote = isSnapshotAhead ? nil : hardState.vote
        membership = restored.membership(in: log)
        latestSnapshot = restored.snapshot
        offeredHardState = hardState
        durableHardState = hardState
        electionTimeout = drawElectionTimeout()
    }

    public var role: RaftRole {
        if leadership != nil { return .leader }
        guard let ballot else { return .follower }
        return ballot.isPreVote ? .preCandidate : .candidate
    }

    public var status: RaftStatus { RaftStatus(role: role, term: term, leader: leader) }
    public var commitIndex: LogIndex { log.committed }
    public var appliedIndex: LogIndex { log.applied }
    public var firstIndex: LogIndex { log.firstIndex }
    public var lastIndex: LogIndex { log.lastIndex }

    /// The term of the entry at `index`; nil where it is compacted away or not there yet. For checkers.
    package func term(at index: LogIndex) -> Term? { log.term(at: index) }

    /// What a snapshot of the state machine taken now stands for; nil while a received one is being installed.
    public var appliedMetadata: SnapshotMetadata? {
        guard pendingInstall == nil, let term = log.term(at: log.applied) else { return nil }
        return SnapshotMetadata(index: log.applied, term: term, membership: membership)
    }

    /// How far a member's log is known to equal the leader's; nil on others than the leader and for others than members.
    public func matchIndex(of member: RaftID) -> LogIndex? {
        guard leadership != nil, let slot = slot(of: member) else { return nil }
        return peers[slot].match
    }

    /// Whether this member heard from a peer within the last two election timeouts; nil as for `matchIndex`.
    public func isRecentlyActive(_ member: RaftID) -> Bool? {
        guard leadership != nil, let slot = slot(of: member) else { return nil }
        return member == id || peers[slot].silentTicks.map { $0 <= 2 * configuration.electionTicks } ?? false
    }

    /// Learners that were heard from lately and lack at most so many entries; empty on others than the leader. One that
    /// lacks more would slow the quorum down if it voted (thesis §4.2.1).
    public func learners(lackingAtMost entries: UInt64) -> [RaftID] {
        membership.learners.filter { learner in
            // A match of 0 is one that nobody has confirmed.
            let match = matchIndex(of: learner) ?? 0
            return isRecentlyActive(learner) == true && match > 0 && match + entries >= commitIndex
        }
    }
}

// MARK: Time and messages

extension RaftNode {
    /// 50 ms have passed.
    public mutating func tick() {
        electionElapsed += 1
        quietTicks += 1
        guard leadership != nil else {
            if electionElapsed >= electionTimeout, isPromotable { campaign() }
            return
        }
        for slot in peers.indices { peers[slot].silentTicks? += 1 }
        if electionElapsed >= configuration.electionTicks {
            electionElapsed = 0
            guard hasQuorumContact() else { return becomeFollower(term: term, leader: nil) }
            leadership?.transferee = nil
        }
        heartbeatElapsed += 1
        if heartbeatElapsed >= configuration.heartbeatTicks { broadcastHeartbeat() }
    }

    /// Takes a message from a peer. Stale ones and those for somebody else are ignored.
    public mutating func step(_ message: Message) throws(ProtocolViolation) {
        guard message.to == id, message.from != id, message.from != 0 else { return }
        switch message.payload {
        case .requestVote(let request): try learn(request.known)
        case .voteResponse(let response): try learn(response.known)
        default: break
        }
        if message.term > term {
            guard meetHigherTerm(message) else { return }
        } else if message.term < term {
            return answerLowerTerm(message)
        }
        let from = message.from
        switch message.payload {
        case .requestVote(let request): answerVote(request, from: from, term: message.term)
        case .voteResponse(let response): countVote(response, from: from, term: message.term)
        case .append(let append):
            try follow(from)
            try acceptAppend(append, from: from)
        case .heartbeat(let heartbeat):
            try follow(from)
            try log.commit(to: heartbeat.commit)
            send(.heartbeatResponse(HeartbeatResponse(readRound: heartbeat.readRound)), to: from)
        case .installSnapshot(let snapshot):
            try follow(from)
            try acceptSnapshot(snapshot, from: from)
        case .appendResponse(let response): try takeAppendResponse(response, from: from)
        case .heartbeatResponse(let response): takeHeartbeatResponse(response, from: from)
        case .timeoutNow: if leader == from { campaign(isTransfer: true) }
        case .readIndex(let context): enqueueRead(ReadQueue.Request(from: from, context: context))
        case .readIndexResponse(let read): servableReads.append(read)
        }
    }

    /// Adopts a higher term where the message says that there is one. False if the message is to be ignored.
    private mutating func meetHigherTerm(_ message: Message) -> Bool {
        switch message.payload {
        case .requestVote(let request):
            // Thesis §4.2.3: as long as a leader is heard, campaigns that it did not ask for are ignored.
            let hearsLeader = leader != nil && electionElapsed < configuration.electionTicks
            if hearsLeader || isBoundByLease, !request.isTransfer { return false }
            if !request.isPreVote { becomeFollower(term: message.term, leader: nil) }
        case .voteResponse(let response) where response.isPreVote && response.isGranted:
            break
        case .append, .heartbeat, .installSnapshot:
            becomeFollower(term: message.term, leader: message.from)
        default:
            becomeFollower(term: message.term, leader: nil)
        }
        return true
    }

    private mutating func answerLowerTerm(_ message: Message) {
        switch message.payload {
        case .append, .heartbeat, .installSnapshot:
            // A leader whose term has passed would never hear of it: with pre-vote nobody raises its term.
            send(.heartbeatResponse(HeartbeatResponse(readRound: 0)), to: message.from)
        case .requestVote(let request) where request.isPreVote:
            // Likewise a candidate that has the more complete log and the lower term.
            let refusal = VoteResponse(isPreVote: true, isGranted: false, known: knownCommit)
            hold(.voteResponse(refusal), to: message.from, term: term)
        default:
            break
        }
    }

    func slot(of member: RaftID) -> Int? { peers.firstIndex { $0.id == member } }

    /// Sends at the next `ready()`, whatever storage does.
    mutating func send(_ payload: Message.Payload, to peer: RaftID, term other: Term? = nil) {
        outbox.append(Message(from: id, to: peer, term: other ?? term, payload: payload))
    }

    /// Sends once all that is in memory now is durable.
    mutating func hold(_ payload: Message.Payload, to peer: RaftID, term: Term) {
        storage.hold(Message(from: id, to: peer, term: term, payload: payload))
    }
}
