import Glibc
import LinuxSystem
import Primitives

/// A manager whose log cannot be read any more: it goes on as a worker, and comes back as a new member of Raft.
///
/// Under its old raft id it must not vote again: it may have voted, and does not know for whom.
enum LostLog {
    /// Moves the log aside, with `swarmd` stopped.
    ///
    /// - Returns: what was done, and what is to be done next.
    /// - Throws: ``Failure`` `failedPrecondition` where the log is the only one, or there is none.
    static func discard(in folder: StateFolder) throws -> String {
        guard var membership = try membership(in: folder), membership.raftID != 0 else {
            throw Failure(.failedPrecondition, "\(folder.path) is of no manager: there is no log to discard")
        }
        let others = membership.managers.filter { $0 != membership.advertiseAddress }
        guard !others.isEmpty else {
            throw Failure(
                .failedPrecondition,
                "this node knows of no other manager, so its log is the only one: `swarmctl leave --force`, then `swarmctl restore "
                    + "BACKUP`")
        }
        membership.lostRaftID = membership.raftID
        membership.raftID = 0
        membership.isFounder = false
        membership.peers = [:]
        // A crash after this leaves a worker with an old log, which a promotion removes.
        try folder.write(membership.text, to: "identity/node.conf")
        let (log, aside) = ("\(folder.path)/raft", "\(folder.path)/raft.discarded-\(Clock.wallTime.nanoseconds)")
        guard rename(log, aside) == 0 || errno == ENOENT else {
            throw Failure(.unavailable, "cannot rename \(log) to \(aside): \(String(cString: strerror(errno)))")
        }
        return """
            the log is in \(aside); start swarmd, then make this node a manager again. On another manager \
            (\(others.joined(separator: ", "))):
                swarmctl node demote NODE
                swarmctl node promote NODE

            """
    }

    /// A manager without its log would begin anew under its old raft id, and a founder even another cluster of its own.
    ///
    /// - Throws: ``Failure`` `dataLoss` where a manager's log is gone.
    static func check(_ folder: StateFolder) throws {
        guard let membership = try membership(in: folder), membership.raftID != 0 else { return }
        let log = "\(folder.path)/raft"
        let names = (try? File.names(in: log)) ?? []
        if names.contains(where: { $0.hasPrefix("log-") || $0.hasPrefix("snapshot-") }) { return }
        throw Failure(
            .dataLoss,
            "this node is a manager, and \(log) holds no log: run `swarmd --discard-log`, which says how the manager comes "
                + "back; where there is no other one, `swarmctl leave --force`, then `swarmctl restore BACKUP`")
    }

    private static func membership(in folder: StateFolder) throws -> NodeMembership? {
        try folder.read("identity/node.conf").map { try NodeMembership(parsing: $0) }
    }

    /// Why a node does not take part in Raft as the member that lost its log.
    static func refusal(_ membership: NodeMembership, admittedAs raftID: UInt64) -> Failure? {
        guard membership.lostRaftID != 0, membership.lostRaftID == raftID else { return nil }
        return Failure(
            .failedPrecondition,
            "this manager's log was discarded, so it comes back as a new member only: run `swarmctl node demote` and "
                + "`swarmctl node promote` for this node on another manager")
    }
}
