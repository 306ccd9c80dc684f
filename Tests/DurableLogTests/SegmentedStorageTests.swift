import Primitives
import Testing

@testable import Consensus
@testable import DurableLog

/// A member with its storage, told by leaders what to do, until the power goes.
private struct Member {
    static let segmentBytes = 500
    private static let founders: [RaftID] = [1, 2, 3]

    var node: RaftNode
    var storage: SegmentedStorage<TornFiles>
    /// The snapshot that a restart found.
    let snapshot: [UInt8]?
    /// The terms that a restart may find: of what is durable and of the write under way.
    private(set) var possible: [LogIndex: Set<Term>] = [:]
    /// What was reported as durable: terms of entries, and the rest.
    private(set) var durable: [LogIndex: Term] = [:]
    private(set) var durableState = HardState()
    private(set) var durableSnapshot: LogIndex = 0

    init(_ files: TornFiles) throws {
        var (storage, restored, snapshot) = try SegmentedStorage.open(
            files, founders: Member.founders, sealing: .test(), sizes: LogSizes(segmentBytes: Member.segmentBytes))
        self.storage = storage
        self.snapshot = try snapshot?.readAll()
        node = try RaftNode(id: 1, restored: restored, random: SeededRandom(seed: 1))
        durableSnapshot = restored.snapshot.index
        noteDurable()
    }

    static func bytes(_ metadata: SnapshotMetadata) -> [UInt8] {
        Array("snapshot \(metadata.index)/\(metadata.term)".utf8)
    }

    private mutating func noteDurable() {
        durable = [:]
        var index = node.log.firstIndex
        while index <= node.log.durable {
            durable[index] = node.log.term(at: index)
            index += 1
        }
        durableState = node.durableHardState
        possible = durable.mapValues { [$0] }
    }

    mutating func step(from: RaftID, term: Term, _ payload: Message.Payload) throws {
        try node.step(Message(from: from, to: 1, term: term, payload: payload))
        while case let directives = node.ready(), !directives.isEmpty {
            for directive in directives {
                switch directive {
                case .persist(let request): try perform(request)
                case .installSnapshot(let metadata): node.onApplied(through: metadata.index)
                case .apply(let entries): if let last = entries.last { node.onApplied(through: last.index) }
                case .status, .send, .sendSnapshot, .serveReads: break
                }
            }
        }
    }

    private mutating func perform(_ request: PersistRequest) throws {
        for entry in request.entries { possible[entry.index, default: []].insert(entry.term) }
        if request.snapshot != nil || request.truncatesFrom != nil {
            // From here on the old may be gone.
            durable = durable.filter { $0.key < request.truncatesFrom ?? 0 }
        }
        if let metadata = request.snapshot { try save(metadata) }
        try storage.persist([request])
        node.onPersisted(request.number)
        noteDurable()
    }

    private mutating func save(_ metadata: SnapshotMetadata) throws {
        try storage.saveSnapshot(metadata, [Member.bytes(metadata)])
        durableSnapshot = metadata.index
    }

    mutating func append(
        from: RaftID = 2, term: Term, after: (LogIndex, Term), _ count: UInt64, commit: LogIndex
    ) throws {
        let entries = (0..<count).map {
            LogEntry(index: after.0 + 1 + $0, term: term, kind: .normal, data: Array("entry \(after.0 + 1 + $0)".utf8))
        }
        let append = Append(previousIndex: after.0, previousTerm: after.1, commit: commit, entries: entries)
        try step(from: from, term: term, .append(append))
    }

    mutating func takeSnapshot(keeping kept: UInt64) throws {
        let metadata = try #require(node.appliedMetadata)
        try save(metadata)
        try storage.compact(through: node.compact(through: metadata.index - kept, snapshot: metadata))
    }

    /// All that a log can go through.
    mutating func live() throws {
        for batch in UInt64(0)..<4 {
            // The commit index names entries of the same write.
            try append(term: 1, after: (batch * 5, batch == 0 ? 0 : 1), 5, commit: batch * 5 + 5)
        }
        try takeSnapshot(keeping: 8)
        try append(term: 1, after: (20, 1), 10, commit: 20)
        // Entries from 26 on are cut off.
        try append(from: 3, term: 3, after: (25, 1), 7, commit: 26)
        let known = KnownCommit(index: 0, term: 0)
        let vote = RequestVote(isPreVote: false, isTransfer: true, lastIndex: 40, lastTerm: 3, known: known)
        try step(from: 2, term: 4, .requestVote(vote))
        // Behind what a leader still has.
        let membership = Membership(voters: Member.founders, learners: [4])
        try step(
            from: 2, term: 5, .installSnapshot(SnapshotMetadata(index: 100, term: 5, membership: membership)))
        try append(term: 5, after: (100, 5), 10, commit: 105)
        try takeSnapshot(keeping: 2)
        try append(term: 5, after: (110, 5), 20, commit: 105)
        // The log reaches past the snapshot, on another branch.
        try step(
            from: 3, term: 6, .installSnapshot(SnapshotMetadata(index: 120, term: 6, membership: membership)))
        try append(from: 3, term: 6, after: (120, 6), 3, commit: 123)
    }

    /// What this one reported as durable is there after a restart.
    func expect(in next: Member, sourceLocation: SourceLocation = #_sourceLocation) {
        let node = next.node
        #expect(node.term >= durableState.term, sourceLocation: sourceLocation)
        if node.term == durableState.term, let vote = durableState.vote {
            #expect(node.vote == vote, sourceLocation: sourceLocation)
        }
        #expect(node.commitIndex >= durableState.commit, sourceLocation: sourceLocation)
        #expect(node.latestSnapshot.index >= durableSnapshot, sourceLocation: sourceLocation)
        if node.latestSnapshot.index > 0 {
            #expect(next.snapshot == Member.bytes(node.latestSnapshot), sourceLocation: sourceLocation)
        }
        for (index, term) in durable where index > node.latestSnapshot.index {
            #expect(node.log.term(at: index) == term, "at \(index)", sourceLocation: sourceLocation)
        }
        var index = max(node.firstIndex, node.latestSnapshot.index + 1)
        while index <= node.lastIndex {
            let term = node.log.term(at: index) ?? 0
            #expect(possible[index]?.contains(term) == true, "at \(index)", sourceLocation: sourceLocation)
            index += 1
        }
    }

    /// Takes two entries more, which are there again after another restart, and another.
    mutating func goOn(_ files: TornFiles, _ random: inout SeededRandom) throws {
        try append(term: 9, after: (node.lastIndex, node.log.lastTerm), 2, commit: node.lastIndex + 2)
        let again = try Member(files)
        expect(in: again)
        var third = try Member(files.afterPowerCut(random: &random))
        again.expect(in: third)
        #expect(third.node.lastIndex == node.lastIndex && third.node.commitIndex == node.lastIndex)
        try third.append(term: 9, after: (node.lastIndex, 9), 1, commit: 0)
    }
}

@Suite struct SegmentedStorageTests {
    /// Operations that a whole life takes.
    private func operations() throws -> Int {
        let files = TornFiles()
        files.operationsLeft = .max
        var member = try Member(files)
        try member.live()
        #expect(member.node.lastIndex == 123 && member.node.latestSnapshot.index == 120)
        return try .max - #require(files.operationsLeft)
    }

    private func cut(_ files: TornFiles, after operations: Int) throws -> Member? {
        files.operationsLeft = operations
        var member: Member?
        do {
            member = try Member(files)
            try member?.live()
        } catch let failure as Failure { #expect(failure.message == "power lost") }
        return member
    }

    /// Loses power at every operation, then again at every operation of the restart.
    @Test(arguments: 0..<6) func aMemberSurvivesPowerCuts(seed: Int) throws {
        let count = try operations()
        #expect(count > 80)
        for operation in 0..<count {
            var random = SeededRandom(seed: UInt64(seed * 1000 + operation))
            let files = TornFiles()
            let before = try cut(files, after: operation)
            var disk = files.afterPowerCut(random: &random)
            for restart in 0..<30 {
                disk.operationsLeft = restart
                if (try? Member(disk)) != nil { break }
                disk = disk.afterPowerCut(random: &random)
            }
            disk.operationsLeft = nil
            var after = try Member(disk)
            before?.expect(in: after)
            try after.goOn(disk, &random)
        }
    }

    /// The process is killed instead, and the power goes once the next one has read what was left.
    @Test func whatAKilledMemberFindsIsDurable() throws {
        for operation in 0..<(try operations()) {
            var random = SeededRandom(seed: UInt64(operation))
            let files = TornFiles()
            let killed = try cut(files, after: operation)
            files.operationsLeft = nil
            let found = try Member(files)
            killed?.expect(in: found)
            let disk = files.afterPowerCut(random: &random)
            var after = try Member(disk)
            found.expect(in: after)
            try after.goOn(disk, &random)
        }
    }

    /// Hard state, truncation and entries count together or not at all.
    @Test func aTornWriteCountsInNoPart() throws {
        for cut in 0..<1000 {
            var random = SeededRandom(seed: UInt64(cut))
            let files = TornFiles()
            var member = try Member(files)
            try member.append(term: 1, after: (0, 0), 3, commit: 1)
            // Write, then sync.
            files.operationsLeft = 1
            #expect(throws: Failure.self) { try member.append(from: 3, term: 2, after: (1, 1), 4, commit: 5) }
            let disk = files.afterPowerCut(random: &random, cut: cut)
            let after = try Member(disk)
            guard after.node.term == 1 else {
                #expect(after.node.lastIndex == 5 && after.node.commitIndex == 5 && cut > 100)
                return
            }
            #expect(after.node.lastIndex == 3 && after.node.commitIndex == 1 && after.node.log.lastTerm == 1)
        }
        Issue.record("the write never counted")
    }

    @Test func membershipsAreThereAgainWithTheirData() throws {
        let files = TornFiles()
        var (storage, _, _) = try SegmentedStorage.open(files, founders: [], sealing: .test())
        let membership = Membership(voters: [5, 1 << 40], outgoingVoters: [2, 5], learners: [.max])
        let entries = [
            LogEntry(index: 1, term: 1, kind: .empty),
            LogEntry(index: 2, term: 1, kind: .membership(membership), data: Array("address".utf8)),
            LogEntry(index: 3, term: 1, kind: .normal, data: [1]),
        ]
        let state = HardState(term: 1, vote: 5, commit: 2)
        try storage.persist([PersistRequest(number: 1, hardState: state, entries: entries)])
        let metadata = SnapshotMetadata(index: 2, term: 1, membership: membership)
        try storage.saveSnapshot(metadata, [[7]])
        var (_, restored, snapshot) = try SegmentedStorage.open(files, founders: [9], sealing: .test())
        #expect(restored == RestoredState(hardState: state, snapshot: metadata, entries: entries))
        #expect(try snapshot?.readAll() == [7])
    }

    /// A log that no crash leaves is refused, and stays as it is.
    @Test func aContradictionIsRefused() throws {
        let gap = [LogEntry(index: 7, term: 1, kind: .normal)]
        let branch = (1...7).map { LogEntry(index: $0, term: 1, kind: .normal) }
        for (entries, commit) in [(gap, 0), (branch, 6)] as [([LogEntry], LogIndex)] {
            let files = TornFiles()
            var (storage, _, _) = try SegmentedStorage.open(files, founders: [1], sealing: .test())
            let state = HardState(term: 2, vote: nil, commit: commit)
            try storage.persist([PersistRequest(number: 1, hardState: state, entries: entries)])
            try storage.saveSnapshot(SnapshotMetadata(index: 5, term: 2), [[7]])
            let contents = files.files.mapValues(\.bytes)
            let failure = #expect(throws: Failure.self) {
                _ = try SegmentedStorage.open(files, founders: [1], sealing: .test())
            }
            #expect(failure?.code == .dataLoss)
            #expect(files.files.mapValues(\.bytes) == contents)
        }
    }
}
