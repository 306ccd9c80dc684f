public import ClusterModel
public import Primitives

/// Where a node stands with its cluster: what it is to be, what keeps it from that, and what an answer with a certificate
/// makes of it.
public struct NodeStanding: Sendable {
    /// The node as it is.
    public struct Present: Hashable, Sendable {
        /// The one of its certificate.
        public var role: NodeRole
        /// 0 on a worker.
        public var raftID: UInt64
        /// Whether its manager has been started here, and not been stopped.
        public var isManagerRunning: Bool

        /// A node that is so.
        public init(role: NodeRole, raftID: UInt64, isManagerRunning: Bool) {
            self.role = role
            self.raftID = raftID
            self.isManagerRunning = isManagerRunning
        }
    }

    /// What follows from an answer.
    public enum Step: Hashable, Sendable {
        /// The certificate alone is another one.
        case renew
        /// The node becomes a manager, with an empty log.
        case promote
        /// Raft went on without this manager: it ends, then the node becomes another member.
        case replace
        /// The manager ends, and what is left of its log goes.
        case demote
    }

    /// Why the managers have nothing to do with this node any more; nil while they have.
    public private(set) var refusal: Failure?
    /// Why the log that its raft id stands for must not be begun here; nil where it may.
    private var loss: Failure?
    private var wanted: WantedRole?
    /// Digest of what the node is to trust; empty: what it does.
    private var wantedTrust: [UInt8] = []
    /// The manager of a copy is about to end.
    private var isHeld = false
    /// Answers that were taken.
    public private(set) var answersTaken = 0

    /// - Parameter loss: why the manager that the node was is not started.
    public init(loss: Failure?) {
        self.loss = loss
    }

    // MARK: What the managers say

    /// - Parameter role: nil: as it is.
    public mutating func onAssignments(role: WantedRole?, trust: [UInt8]) {
        refusal = nil
        if let role { wanted = role }
        wantedTrust = trust
    }

    /// - Returns: whether it is news.
    public mutating func onRefusal(_ failure: Failure) -> Bool {
        defer { refusal = failure }
        return refusal == nil
    }

    /// A token has let the node in again.
    public mutating func onReadmission() { refusal = nil }

    /// Another machine is this node, and this one is a copy.
    public var isFenced: Bool { refusal?.code == .alreadyExists }

    /// Two members of Raft with one id could vote twice: the copy's manager is to end.
    ///
    /// - Returns: false where there is none, or it is about to end.
    public mutating func holdsCopy(_ present: Present) -> Bool {
        guard isFenced, !isHeld, present.isManagerRunning else { return false }
        isHeld = true
        return true
    }

    /// The other machine has voted and acknowledged since they parted: this log must not speak for the member again, even if
    /// this machine is the node after all one day.
    public mutating func onCopyEnded(_ loss: Failure) {
        self.loss = loss
        isHeld = false
    }

    // MARK: What is due

    /// The node is to be a manager, and its log is gone.
    public func hasLostLog(_ present: Present) -> Bool { loss != nil && !present.isManagerRunning }

    /// What keeps the node from being what it is to be; nil while nothing does.
    public func hindrance(_ present: Present) -> Failure? { refusal ?? (hasLostLog(present) ? loss : nil) }

    /// Whether the node is not what it is to be, and asking helps.
    public func isRoleDue(_ present: Present) -> Bool {
        guard refusal == nil, !isHeld, let wanted else { return false }
        switch wanted {
        case .worker: return present.role == .manager || present.isManagerRunning
        case .manager(let raftID):
            // Where Raft went on without it and wants it again, it is to be another member: it may have promised things since.
            let isAnother = raftID.map { $0 != present.raftID } ?? false
            // The member whose log is lost is not begun again.
            if hasLostLog(present) { return isAnother }
            return present.role != .manager || !present.isManagerRunning || isAnother
        }
    }

    /// - Parameters:
    ///   - renewsAt: when half of the certificate's time is over.
    ///   - trust: digest of what the node trusts.
    public func isCertificateDue(renewsAt: Timestamp, trust: [UInt8], now: Timestamp) -> Bool {
        guard refusal == nil else { return false }
        return renewsAt <= now || !wantedTrust.isEmpty && wantedTrust != trust
    }

    // MARK: Answers

    /// Another machine may be found to be this node while an answer is under way.
    ///
    /// - Throws: the refusal; ``Failure`` `unavailable` as long as the copy's manager ends.
    public func checkFence() throws(Failure) {
        if isFenced, let refusal { throw refusal }
        if isHeld { throw Failure(.unavailable, "the manager of this copy of the node is ending: try again") }
    }

    /// Takes an answer in.
    ///
    /// - Parameters:
    ///   - role: what the node is by the answer.
    ///   - raftID: likewise; 0 for a worker.
    ///   - known: ``answersTaken`` as it was when it was asked for: an older answer may name the member of before.
    /// - Throws: ``Failure`` `unavailable` for an answer that is too old, and what ``checkFence()`` does; nothing is taken then.
    public mutating func take(
        _ role: NodeRole, raftID: UInt64, askedAfter known: Int, _ present: Present
    ) throws(Failure) -> Step {
        guard known == answersTaken else {
            throw Failure(.unavailable, "the node's certificate has just been renewed by another answer: try again")
        }
        try checkFence()
        answersTaken += 1
        switch (role, present.isManagerRunning) {
        // Only another member of Raft may begin with an empty log.
        case (.manager, false): return hasLostLog(present) && raftID == present.raftID ? .renew : .promote
        case (.manager, true): return raftID == present.raftID ? .renew : .replace
        case (.worker, true): return .demote
        case (.worker, false): return present.raftID == 0 ? .renew : .demote
        }
    }

    /// The node is another member of Raft from now on, or none: what was lost was the log of the one before.
    public mutating func onMemberGone() { loss = nil }

    /// The node is what an answer says: until the next assignments say more, since those of before may have asked for what
    /// is done now.
    public mutating func onTaken(_ role: NodeRole, raftID: UInt64) {
        wanted = role == .worker ? .worker : .manager(raftID: raftID)
    }
}
