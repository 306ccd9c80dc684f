import ClusterModel
import Consensus

/// A machine that is a manager whenever its node's spec says so. Each time it becomes one it is another member of Raft.
final class ManagerMachine {
    let node: NodeID
    private(set) var manager: SimulatedManager?
    /// The member that went with its disk, until its node is another one.
    var lost: RaftID?
    /// It was a manager before.
    var wasDemoted = false
    private var members: [RaftID] = []

    init(_ node: NodeID, manager: SimulatedManager?) {
        self.node = node
        if let manager { begin(manager) }
    }

    func begin(_ manager: SimulatedManager) {
        self.manager = manager
        members.append(manager.id)
    }

    /// Nothing of its log is left.
    func wipe() { manager = nil }

    /// Only another member may begin with an empty log.
    func isNew(_ member: RaftID) -> Bool { !members.contains(member) }
}
