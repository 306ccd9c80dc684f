import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

@Suite struct ChangeBatchTests {
    private func task(_ number: Int) -> ClusterTask {
        ClusterTask(
            id: TaskID(value: UInt128(number)), serviceID: ServiceID(value: 1), slot: 1, name: "t", serviceName: "s",
            serviceVersion: 0, spec: TaskSpec(container: ContainerSpec(image: "v1")))
    }

    @Test func whatIsAddedTogetherStaysTogether() {
        var batch = ChangeBatch()
        for number in 0..<100 {
            batch.add((0..<3).map { .create(.task(task(number * 3 + $0))) })
        }
        #expect(batch.transactions(at: .zero).map(\.changes.count) == [198, 102])
    }

    @Test func anObjectIsChangedOnceInARound() {
        var batch = ChangeBatch()
        batch.add(.update(task(1)))
        batch.add(.update(task(1)), .create(.task(task(2))))
        batch.add(.delete(.task(TaskID(value: 1)), version: nil))
        batch.add(.update(task(3)))
        #expect(batch.count == 2)
    }
}
