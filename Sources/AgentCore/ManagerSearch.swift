/// Which manager an agent turns to next, and whether it waits before.
///
/// One that does not lead names the leader. That is followed at once, but only once in a row: managers that have just
/// elected one may name each other, or one itself.
public struct ManagerSearch: Sendable {
    private var hint: String?
    private var isFollowing = false
    private var turn = 0

    public init() {}

    /// - Parameter known: the managers that the agent knows of; nil is returned when there is none.
    public mutating func next(of known: [String]) -> String? {
        isFollowing = hint != nil
        guard let address = hint ?? (known.isEmpty ? nil : known[turn % known.count]) else { return nil }
        hint = nil
        turn += 1
        return address
    }

    /// A session with the manager ended, or never began.
    ///
    /// - Parameter leader: whom it named; nil or empty where it named nobody.
    /// - Returns: whether the agent waits before it turns to the next.
    public mutating func onEnded(at address: String, leader: String?) -> Bool {
        guard let leader, !leader.isEmpty, leader != address else { return true }
        hint = leader
        return isFollowing
    }
}
