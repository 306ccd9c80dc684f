import ClusterModel
import ClusterState
import Consensus
import Primitives
import Testing

@testable import Simulation

/// Each checker is shown what it must refuse.
@Suite struct CheckerTests {
    private let coverage = CoverageCounter()

    private func entry(_ index: LogIndex, _ term: Term, _ data: [UInt8] = []) -> LogEntry {
        LogEntry(index: index, term: term, kind: .normal, data: data)
    }

    @Test func anotherEntryAtTheSamePlaceIsRefused() throws {
        var checker = RaftChecker()
        #expect(try checker.applied(entry(1, 1), by: 1, coverage))
        #expect(try !checker.applied(entry(1, 1), by: 2, coverage))
        #expect(throws: Violation.self) { try checker.applied(entry(1, 2), by: 3, coverage) }
        #expect(throws: Violation.self) { try checker.applied(entry(3, 2), by: 3, coverage) }
    }

    @Test func indexAndTermDetermineAnEntry() throws {
        var checker = RaftChecker()
        try checker.persists([entry(1, 1, [1]), entry(2, 1, [2])], by: 1, coverage)
        try checker.persists([entry(1, 1, [1]), entry(2, 2, [3])], by: 2, coverage)
        #expect(throws: Violation.self) { try checker.persists([entry(2, 1, [4])], by: 3, coverage) }
    }

    @Test func statesThatDifferAtOneIndexAreRefused() throws {
        var checker = RaftChecker()
        var tables = ClusterTables()
        tables.skip(to: 7)
        try checker.compare(tables, of: 1, coverage)
        try checker.compare(tables, of: 2, coverage)
        let other = ClusterTables(objects: [.config(Config(id: ConfigID(value: 1), name: "a", data: []))], index: 7)
        #expect(throws: Violation.self) { try checker.compare(other, of: 3, coverage) }
    }

    @Test func membershipsWhoseMajoritiesCanMissEachOtherAreRefused() throws {
        func follows(_ before: Membership, _ after: Membership) throws {
            var checker = MembershipChecker(founding: before)
            _ = try checker.applied(after, at: 1)
        }
        let three = Membership(voters: [1, 2, 3])
        let joint = Membership(voters: [1, 4, 5], outgoingVoters: [1, 2, 3])
        try follows(three, Membership(voters: [1, 2, 3, 4]))
        try follows(three, Membership(voters: [1, 2, 3], learners: [4, 5]))
        try follows(three, joint)
        try follows(joint, Membership(voters: [1, 4, 5]))
        #expect(throws: Violation.self) { try follows(three, Membership(voters: [1, 2, 4])) }
        #expect(throws: Violation.self) { try follows(three, Membership(voters: [1, 4, 5])) }
        #expect(throws: Violation.self) { try follows(joint, Membership(voters: [4, 5, 6])) }
    }

    private func task(_ number: UInt128, slot: UInt64 = 1, state: TaskState = .running) -> ClusterTask {
        ClusterTask(
            id: TaskID(value: number), serviceID: ServiceID(value: 1), slot: slot, nodeID: NodeID(value: 1), name: "t",
            serviceName: "s", serviceVersion: 0, spec: TaskSpec(container: ContainerSpec(image: "i")),
            networks: [NetworkAttachment(network: NetworkID(value: 3), address: IPv4Address(value: 0x0a00_0002))],
            status: TaskStatus(state: state))
    }

    private func check(_ changes: [StateChange], _ objects: [ClusterObject]) throws {
        let allocation = NetworkAllocation(
            vni: 4096, subnet: try #require(IPv4Network("10.0.0.0/24")), gateway: IPv4Address(value: 0x0a00_0001),
            mtu: 1398)
        let network = Network(id: NetworkID(value: 3), spec: NetworkSpec(name: "net"), allocation: allocation)
        let service = Service(
            id: ServiceID(value: 1),
            spec: ServiceSpec(name: "s", task: TaskSpec(container: ContainerSpec(image: "i"))))
        let tables = ClusterTables(objects: [.network(network), .service(service)] + objects, index: 1)
        try ClusterChecker().check(changes, tables, coverage)
    }

    @Test func addressOfATaskThatMayStillRunHasOneOwner() throws {
        let network = StateChange(
            before: nil, after: .network(Network(id: NetworkID(value: 3), spec: .init(name: "net"))))
        try check([network], [.task(task(1)), .task(task(2, slot: 2, state: .failed))])
        #expect(throws: Violation.self) { try check([network], [.task(task(1)), .task(task(2, slot: 2))]) }
    }

    @Test func slotHasOneTask() throws {
        let created = StateChange(before: nil, after: .task(task(2)))
        try check([created], [.task(task(2))])
        #expect(throws: Violation.self) { try check([created], [.task(task(1)), .task(task(2))]) }
    }

    @Test func tasksOnlyMoveForward() throws {
        var earlier = task(1, state: .starting)
        try check([StateChange(before: .task(earlier), after: .task(task(1)))], [])
        #expect(throws: Violation.self) { try check([StateChange(before: .task(task(1)), after: .task(earlier))], []) }
        earlier.nodeID = NodeID(value: 2)
        #expect(throws: Violation.self) { try check([StateChange(before: .task(earlier), after: .task(task(1)))], []) }
    }
}

@Suite struct SimulatedDiskTests {
    private func disk(_ seed: UInt64) -> SimulatedDisk {
        SimulatedDisk(syncMicroseconds: 100, chance: Chance(seed: seed), coverage: CoverageCounter())
    }

    @Test func whatIsSyncedWithItsNameSurvivesThePowerCut() throws {
        for seed in 0..<50 as Range<UInt64> {
            let disk = disk(seed)
            try disk.create("a", bytes: 4)
            try disk.write("a", [1, 2, 3], at: 0)
            try disk.sync("a")
            try disk.syncFolder()
            disk.cutPower()
            #expect(try disk.read("a") == [1, 2, 3, 0])
        }
    }

    @Test func nameWithoutAFolderSyncMayBeGone() throws {
        var outcomes: Set<Bool> = []
        for seed in 0..<50 as Range<UInt64> {
            let disk = disk(seed)
            try disk.create("a", bytes: 4)
            try disk.sync("a")
            disk.cutPower()
            outcomes.insert(try disk.list().isEmpty)
        }
        #expect(outcomes == [true, false])
    }

    @Test func writeWithoutASyncMayBeThereInPart() throws {
        var outcomes: Set<Int> = []
        for seed in 0..<200 as Range<UInt64> {
            let disk = disk(seed)
            try disk.create("a", bytes: 0)
            try disk.sync("a")
            try disk.syncFolder()
            try disk.write("a", [1, 1, 1], at: 0)
            disk.cutPower()
            outcomes.insert(try disk.read("a").count { $0 == 1 })
        }
        #expect(outcomes == [0, 1, 2, 3])
    }

    @Test func fullDiskTakesAPartAndSaysSo() throws {
        let disk = disk(1)
        try disk.create("a", bytes: 0)
        disk.isFull = true
        #expect(throws: Failure.self) { try disk.write("a", [1, 2, 3], at: 0) }
        #expect(disk.trouble == .full)
        #expect(throws: Failure.self) { try disk.create("b", bytes: 1) }
    }
}
