/// Which manager an agent turns to next, and whether it waits before.
///
/// One that does not lead names the leader. That is followed at once, but only once in a row: managers that have just
/// elected one may name each other, or one itself. A manager that was lost is neither asked nor followed to for the next
/// few attempts: one that stands still takes seconds to be given up, and who names it may not know yet.
public struct ManagerSearch: Sendable {
    /// Why there is no session with a manager any more, or none at all.
    public enum End: Hashable, Sendable {
        case lost
        /// It does not lead; the leader's address, empty where it knows none.
        case redirected(leader: String)
        /// This node has ended its connections, to show another certificate. The manager is there.
        case cutOff
    }

    private var hint: String?
    private var isFollowing = false
    private var turn = 0
    private var lost: (address: String, attempts: Int)?

    public init() {}

    /// - Parameter known: the managers that the agent knows of; nil is returned when there is none.
    public mutating func next(of known: [String]) -> String? {
        isFollowing = hint != nil
        if let address = hint {
            hint = nil
            return address
        }
        guard !known.isEmpty else { return nil }
        if known[turn % known.count] == lost?.address { turn += 1 }
        defer { turn += 1 }
        return known[turn % known.count]
    }

    /// A session with the manager ended, or never began.
    ///
    /// - Returns: whether the agent waits before it turns to the next.
    public mutating func onEnded(at address: String, _ end: End) -> Bool {
        if let attempts = lost?.attempts { lost = attempts > 1 ? lost.map { ($0.address, attempts - 1) } : nil }
        switch end {
        case .lost:
            lost = (address, AgentLimits.attemptsWithoutLostManager)
            return true
        case .redirected(let leader):
            guard !leader.isEmpty, leader != address, leader != lost?.address else { return true }
            hint = leader
            return isFollowing
        case .cutOff:
            hint = address
            return false
        }
    }
}
