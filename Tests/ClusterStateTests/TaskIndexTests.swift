import ClusterModel
import Primitives
import Testing

@testable import ClusterState

@Suite struct TaskIndexTests {
    private func task(_ number: Int, _ random: inout SeededRandom) -> ClusterTask {
        var task = ClusterTask(
            id: TaskID(value: UInt128(number)), serviceID: ServiceID(value: .random(in: 1...4, using: &random)),
            slot: .random(in: 0...3, using: &random), name: "t\(number)", serviceName: "s", serviceVersion: 0,
            spec: TaskSpec(container: ContainerSpec(image: "v1")))
        task.nodeID = node(&random)
        return task
    }

    private func node(_ random: inout SeededRandom) -> NodeID? {
        Bool.random(using: &random) ? NodeID(value: .random(in: 1...3, using: &random)) : nil
    }

    private func change(_ tables: ClusterTables, _ number: Int, _ random: inout SeededRandom) -> Change? {
        guard let old = tables.tasks.sorted.randomElement(using: &random), Int.random(in: 0..<10, using: &random) > 2
        else {
            return .create(.task(task(number, &random)))
        }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return .delete(.task(old.id), version: nil)
        case 1, 2:
            return .observeTask(old.id, TaskStatus(state: TaskState.allCases.randomElement(using: &random) ?? .running))
        case 3: return .update(.task(old), bySpec: false)
        default:
            var changed = old
            changed.desiredState = [.ready, .running, .shutdown, .remove].randomElement(using: &random) ?? .running
            if Bool.random(using: &random) { changed.nodeID = node(&random) }
            if Bool.random(using: &random) { changed.slot = .random(in: 0...3, using: &random) }
            return .update(.task(changed), bySpec: false)
        }
    }

    /// What the tables tell by their indexes is what a look at every task tells.
    private func check(_ tables: ClusterTables, sourceLocation: SourceLocation = #_sourceLocation) {
        let all = tables.tasks.sorted
        for service in (0...5).map({ ServiceID(value: $0) }) {
            let own = all.filter { $0.serviceID == service }
            #expect(tables.tasks(of: service) == own, sourceLocation: sourceLocation)
            for state in TaskState.allCases {
                let wanted = own.filter { $0.desiredState == state }
                #expect(tables.tasks(of: service, desiring: state) == wanted, sourceLocation: sourceLocation)
            }
        }
        for state in TaskState.allCases {
            let wanted = all.filter { $0.desiredState == state }
            #expect(tables.tasks(desiring: state) == wanted, sourceLocation: sourceLocation)
        }
        for node in (0...4).map({ NodeID(value: $0) }) {
            #expect(tables.tasks(on: node) == all.filter { $0.nodeID == node }, sourceLocation: sourceLocation)
        }
        for slot in Set(all.map(TaskSlot.init)) {
            let own = all.filter { TaskSlot(of: $0) == slot }
            #expect(tables.tasks(in: slot) == own, sourceLocation: sourceLocation)
        }
        // Nothing empty is left behind either.
        #expect(tables.slotsWithTasks == Set(all.map(TaskSlot.init)), sourceLocation: sourceLocation)
        #expect(tables.servicesWithTasks == Set(all.map(\.serviceID)), sourceLocation: sourceLocation)
        #expect(tables.nodesWithTasks == Set(all.compactMap(\.nodeID)), sourceLocation: sourceLocation)
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func indexesAreWhatALookAtEveryTaskTells(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var tables = ClusterTables()
        var refused = 0
        for index in 1...150 {
            var changes: [Change] = []
            for number in 0..<Int.random(in: 1...4, using: &random) {
                if let change = change(tables, index * 10 + number, &random) { changes.append(change) }
            }
            // Two changes of one task refuse all of the transaction: the indexes go back too.
            if case .failure = tables.apply(Transaction(changes, time: .zero), at: UInt64(index)) { refused += 1 }
            if index % 10 == 0 { check(tables) }
        }
        #expect(refused > 0 && tables.tasks.count > 10)
        check(ClusterTables(objects: tables.objects, index: tables.index))
    }

    @Test func slotsAreOrderedByServiceThenNumberThenNode() {
        func slot(_ service: UInt128, _ number: UInt64, _ node: UInt128?) -> TaskSlot {
            var random = SeededRandom(seed: 1)
            var task = task(1, &random)
            (task.serviceID, task.slot) = (ServiceID(value: service), number)
            task.nodeID = node.map { NodeID(value: $0) }
            return TaskSlot(of: task)
        }
        let ordered = [slot(1, 0, nil), slot(1, 0, 5), slot(1, 0, 6), slot(1, 1, 9), slot(1, 2, nil), slot(2, 0, 1)]
        #expect(ordered.reversed().sorted() == ordered)
        // In a numbered slot the node may be another one each time.
        #expect(slot(1, 1, 3) == slot(1, 1, nil))
    }
}
