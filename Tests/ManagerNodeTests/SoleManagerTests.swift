import ClusterMessages
import ClusterModel
import ClusterState
import DurableLog
import Foundation
import Primitives
import Testing

@testable import Consensus
@testable import ManagerNode

@Suite struct SoleManagerTests {
    private var random = SeededRandom(seed: 5)
    private var tables = ClusterTables()
    private var nodes: [Node] = []

    init() throws {
        var changes: [Change] = [.create(.cluster(Cluster(id: ClusterID(value: 1), addressPools: [])))]
        for raftID in [1, 2, 3, 0] as [RaftID] {
            let node = Node(
                id: NodeID(using: &random), spec: NodeSpec(role: raftID == 0 ? .worker : .manager),
                manager: raftID == 0 ? nil : ManagerStatus(raftID: raftID, address: "10.0.0.\(raftID):2377"))
            nodes.append(node)
            changes.append(.create(.node(node)))
        }
        changes.append(.create(.secret(Secret(id: SecretID(value: 1), name: "hush", data: [1, 2, 3]))))
        _ = try tables.apply(Transaction(changes, time: .zero), at: 10).get()
    }

    private func survivor() -> Node {
        var node = nodes[0]
        node.manager = ManagerStatus(raftID: 77, address: "10.9.9.9:2377")
        return node
    }

    @Test func theSurvivorIsTheOnlyManagerAndNothingElseIsLost() throws {
        let sole = SoleManager(tables)
        #expect(Set(sole.lost(besides: nodes[0].id).map(\.id)) == [nodes[1].id, nodes[2].id])
        let after = try sole.successor(staying: survivor(), at: .zero)
        #expect(after.index == 11)
        #expect(after.nodes[nodes[0].id]?.manager == ManagerStatus(raftID: 77, address: "10.9.9.9:2377"))
        for lost in nodes[1...2] {
            #expect(after.nodes[lost.id]?.manager == nil && after.nodes[lost.id]?.spec.role == .worker)
        }
        #expect(after.nodes[nodes[3].id] == tables.nodes[nodes[3].id])
        #expect(after.secret(named: "hush")?.data == [1, 2, 3])
        // Nobody answers for the places that the four had in Raft.
        for member in [1, 2, 3] as [RaftID] { #expect(after.roster.isRevoked(member: member)) }
        #expect(!after.roster.isRevoked(member: 77))
        for node in nodes { #expect(!after.roster.isRevoked(node.id)) }
    }

    @Test mutating func aMachineThatTheStateDoesNotKnowCanGoOnWithIt() throws {
        let node = Node(
            id: NodeID(using: &random), spec: NodeSpec(role: .manager),
            manager: ManagerStatus(raftID: 5, address: "10.0.0.5:2377"))
        let after = try SoleManager(tables).successor(staying: node, at: .zero)
        #expect(after.nodes[node.id]?.manager?.raftID == 5)
        #expect(after.nodes.sorted.count { $0.spec.role == .manager } == 1)
    }

    @Test func aStateWithoutAClusterIsRefused() {
        #expect { try SoleManager(ClusterTables()).successor(staying: survivor(), at: .zero) } throws: {
            "\($0)".contains("nothing can be kept")
        }
    }

    @Test func aBackupReadsBackWithItsKeyOnly() throws {
        let key = try #require(LogKey([UInt8](repeating: 3, count: 32)))
        let file = Array(try ClusterBackup.sealed(tables, with: LogSealing(key: key, salt: 1)).joined())
        var reader = try ClusterBackup.Reader(key: key)
        for start in stride(from: 0, to: file.count, by: 100) {
            try reader.append(file[start..<min(start + 100, file.count)])
        }
        let read = try reader.finish()
        #expect(read.index == tables.index && Array(read.objects) == Array(tables.objects))
        var cut = try ClusterBackup.Reader(key: key)
        try cut.append(file.dropLast())
        #expect(throws: Failure.self) { try cut.finish() }
    }

    /// Entries that are not known to be committed are kept, and the log that follows has one voter.
    @Test func aLogIsReplacedByAStateWithOneVoter() throws {
        let folder = "/tmp/swarm-test-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let key = try #require(LogKey([UInt8](repeating: 3, count: 32)))
        func open(salt: UInt128) throws -> StoredState<PosixLogFiles> {
            try StoredState(try PosixLogFiles(folder: folder), sealing: LogSealing(key: key, salt: salt))
        }
        var before = try open(salt: 1)
        try before.replace(with: tables, voter: 1)
        before.close()

        var (storage, restored, _) = try SegmentedStorage.open(
            try PosixLogFiles(folder: folder), founders: [], sealing: LogSealing(key: key, salt: 2))
        #expect(restored.snapshot.index == 10 && restored.snapshot.membership == Membership(voters: [1]))
        let secret = Secret(id: SecretID(value: 2), name: "late", data: [9])
        let entry = LogEntry(
            index: 11, term: restored.hardState.term, kind: .normal,
            data: Transaction([.create(.secret(secret))], time: .zero).encoded())
        try storage.persist([PersistRequest(number: 1, entries: [entry])])
        storage.close()

        var survivor = try open(salt: 3)
        #expect(survivor.tables.index == 11 && survivor.tables.secret(named: "late") != nil)
        try survivor.replace(
            with: SoleManager(survivor.tables).successor(staying: self.survivor(), at: .zero), voter: 77)
        survivor.close()

        let (_, after, snapshot) = try SegmentedStorage.open(
            try PosixLogFiles(folder: folder), founders: [], sealing: LogSealing(key: key, salt: 4))
        #expect(after.snapshot.membership == Membership(voters: [77]) && after.entries.isEmpty)
        #expect(after.snapshot.index == 12 && after.hardState.term > restored.hardState.term)
        let tables = try Snapshot.load(snapshot).tables
        #expect(tables.secret(named: "late") != nil && tables.secret(named: "hush") != nil)
    }
}
