import ClusterMessages
import ClusterModel
import ClusterState
import Consensus

/// Watches the managers from outside and knows nothing of how Raft decides: only what it promises (paper, figure 3).
struct RaftChecker {
    private var leaders: [Term: RaftID] = [:]
    private var highestLeaderTerm: Term = 0
    /// The one history that all state machines live through.
    private(set) var history: [LogEntry] = []
    private var digests: [LogIndex: UInt64] = [:]
    private var written: [Place: LogEntry] = [:]

    private struct Place: Hashable {
        let index: LogIndex
        let term: Term
    }

    var lastApplied: LogIndex { LogIndex(history.count) }

    /// Election safety and leader completeness.
    mutating func observeLeader(_ node: RaftNode, _ coverage: CoverageCounter) throws(Violation) {
        guard node.role == .leader else { return }
        if let known = leaders[node.term] {
            if known != node.id { throw .safety("managers \(known) and \(node.id) both led term \(node.term)") }
            return
        }
        coverage.note(.leaderElected)
        leaders[node.term] = node.id
        // A leader of an earlier term may learn of its election late, when others have committed more.
        guard node.term > highestLeaderTerm else { return }
        highestLeaderTerm = node.term
        if !history.isEmpty { coverage.note(.leaderHadToHoldHistory) }
        for entry in history where entry.index >= node.firstIndex {
            guard node.term(at: entry.index) == entry.term else {
                throw .safety(
                    "leader \(node.id) of term \(node.term) lacks entry \(entry.index) of term \(entry.term), which was "
                        + "applied")
            }
        }
    }

    /// Log matching: index and term determine an entry.
    mutating func persists(_ entries: [LogEntry], by id: RaftID, _ coverage: CoverageCounter) throws(Violation) {
        for entry in entries {
            let place = Place(index: entry.index, term: entry.term)
            guard let known = written[place] else {
                written[place] = entry
                continue
            }
            coverage.note(.sameEntryWrittenElsewhere)
            if known != entry {
                throw .safety("manager \(id) writes another entry \(entry.index) of term \(entry.term) than others did")
            }
        }
    }

    /// State machine safety: all apply the same entries at the same places.
    ///
    /// - Returns: whether nobody had applied it before.
    mutating func applied(_ entry: LogEntry, by id: RaftID, _ coverage: CoverageCounter) throws(Violation) -> Bool {
        guard entry.index <= lastApplied + 1 else {
            throw .safety("manager \(id) applied entry \(entry.index) when nobody had applied \(lastApplied + 1)")
        }
        guard entry.index <= lastApplied else {
            history.append(entry)
            return true
        }
        coverage.note(.sameEntryAppliedElsewhere)
        guard history[Int(entry.index) - 1] == entry else {
            throw .safety(
                "manager \(id) applied at \(entry.index) an entry of term \(entry.term), another one that of term "
                    + "\(history[Int(entry.index) - 1].term)")
        }
        return false
    }

    /// All state machines are equal where they have applied as much.
    mutating func compare(_ tables: ClusterTables, of id: RaftID, _ coverage: CoverageCounter) throws(Violation) {
        let digest = tables.digest
        guard let known = digests[tables.index] else {
            digests[tables.index] = digest
            return
        }
        coverage.note(.statesCompared)
        if known != digest { throw .safety("the state of manager \(id) at \(tables.index) differs from another's") }
    }
}

extension ClusterTables {
    /// FNV-1a of all that a snapshot holds.
    var digest: UInt64 {
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for object in objects {
            for byte in object.encoded() { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        }
        return digest
    }
}
