@testable import Consensus

/// Watches a simulated cluster from outside and knows nothing of how Raft decides: only what Raft promises (paper figure 3).
struct Checker {
    struct Violated: Error, CustomStringConvertible {
        let description: String
    }

    private struct Place: Hashable {
        let index: LogIndex
        let term: Term
    }

    private struct Content: Hashable {
        let kind: LogEntry.Kind
        let data: [UInt8]
        let previousTerm: Term
    }

    private var leaders: [Term: RaftID] = [:]
    private var highestLeaderTerm: Term = 0
    private var contents: [Place: Content] = [:]
    /// The one history that all state machines live through: entry and digest by index.
    private(set) var history: [(entry: LogEntry, digest: UInt64)] = []
    private var memberships: [Membership]
    private var reads: [UInt64: LogIndex] = [:]

    init(founding: Membership) {
        memberships = [founding]
    }

    var lastApplied: LogIndex { LogIndex(history.count) }
    var membershipChanges: Int { memberships.count - 1 }
    /// What the cluster decided last about its members.
    var membership: Membership { memberships[memberships.count - 1] }

    /// Election safety and leader completeness.
    mutating func observe(_ server: TestServer) throws {
        let node = server.node
        guard node.role == .leader else { return }
        if let known = leaders[node.term] {
            guard known == server.id else {
                throw Violated(description: "\(known) and \(server.id) led term \(node.term)")
            }
            return
        }
        leaders[node.term] = server.id
        // A leader of an earlier term may learn of its election late, when others have committed more.
        guard node.term > highestLeaderTerm else { return }
        highestLeaderTerm = node.term
        for (entry, _) in history where entry.index > node.log.compactedIndex {
            guard node.log.term(at: entry.index) == entry.term else {
                throw Violated(
                    description:
                        "leader \(server.id) of term \(node.term) lacks committed entry \(entry.index)/\(entry.term)")
            }
        }
    }

    /// Log matching: index and term determine an entry and, by the term of the one before it, the whole prefix.
    mutating func observe(_ request: PersistRequest, by server: TestServer) throws {
        guard let first = request.entries.first else { return }
        var previousTerm = server.node.log.term(at: first.index - 1)
        for entry in request.entries {
            defer { previousTerm = entry.term }
            guard let before = previousTerm else { continue }
            let content = Content(kind: entry.kind, data: entry.data, previousTerm: before)
            let place = Place(index: entry.index, term: entry.term)
            guard contents[place, default: content] == content else {
                throw Violated(
                    description: "two different entries at \(entry.index)/\(entry.term), one on \(server.id)")
            }
            contents[place] = content
        }
    }

    /// State machine safety, and durability: what is applied anywhere is on the disks of a majority.
    mutating func applied(_ entries: [LogEntry], by id: RaftID, before: Machine, servers: [TestServer]) throws {
        var machine = before
        for entry in entries {
            guard entry.index == machine.applied + 1 else {
                throw Violated(description: "\(id) applied \(entry.index) after \(machine.applied)")
            }
            machine.apply(entry)
            if entry.index <= lastApplied {
                guard history[Int(entry.index) - 1].entry == entry else {
                    throw Violated(
                        description: "\(id) applied \(Format.entry(entry)), others "
                            + Format.entry(history[Int(entry.index) - 1].entry))
                }
                continue
            }
            try checkDurability(entry, servers: servers)
            history.append((entry, machine.digest))
            if case .membership(let membership) = entry.kind { memberships.append(membership) }
        }
        try check(machine, of: id)
    }

    func check(_ machine: Machine, of id: RaftID) throws {
        guard machine.applied > 0 else { return }
        guard machine.applied <= lastApplied, history[Int(machine.applied) - 1].digest == machine.digest else {
            throw Violated(description: "the state of \(id) at \(machine.applied) differs from the others'")
        }
    }

    private func checkDurability(_ entry: LogEntry, servers: [TestServer]) throws {
        let holders = servers.filter { $0.disk.holds(index: entry.index, term: entry.term) }.map(\.id)
        // The leader counts by the membership that it has applied: the present one or, around a change, its neighbours.
        let suffices = memberships.suffix(3).contains { membership in
            2 * membership.voters.filter(holders.contains).count > membership.voters.count
        }
        guard suffices else {
            throw Violated(description: "\(entry.index)/\(entry.term) was applied when only \(holders) had it on disk")
        }
    }

    /// Linearizable reads: an answer reflects all that was applied anywhere before the question.
    mutating func asked(_ context: UInt64) { reads[context] = lastApplied }

    mutating func answered(_ read: ReadState, to id: RaftID) throws {
        guard let least = reads.removeValue(forKey: read.context) else {
            // The network may double an answer; a second one is the same as the first.
            return
        }
        guard read.index >= least else {
            throw Violated(description: "\(id) may read at \(read.index), but \(least) was applied before it asked")
        }
    }
}
