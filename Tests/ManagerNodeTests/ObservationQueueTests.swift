import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import ManagerNode

@Suite struct ObservationQueueTests {
    private var random = SeededRandom(seed: 1)

    private func status(_ state: TaskState, error: String = "") -> TaskStatus {
        TaskStatus(state: state, timestamp: Timestamp(nanoseconds: 1), error: error)
    }

    @Test mutating func theNewestOfATaskIsWrittenOnce() {
        let id = TaskID(using: &random)
        let other = TaskID(using: &random)
        var queue = ObservationQueue()
        queue.add([.observeTask(id, status(.running)), .observeTask(other, status(.running))])
        queue.add([.observeTask(id, status(.failed))])
        #expect(queue.takeBatch() == [.observeTask(id, status(.failed)), .observeTask(other, status(.running))])
        #expect(queue.isEmpty)
    }

    @Test mutating func whatWasNotWrittenComesAgainWithWhatWasHeardMeanwhile() {
        let id = TaskID(using: &random)
        let other = TaskID(using: &random)
        var queue = ObservationQueue()
        queue.add([.observeTask(id, status(.running)), .observeTask(other, status(.running))])
        let batch = queue.takeBatch()
        queue.add([.observeTask(id, status(.failed))])
        queue.putBack(batch)
        #expect(queue.count == 2)
        #expect(Set(queue.takeBatch()) == [.observeTask(id, status(.failed)), .observeTask(other, status(.running))])
    }

    @Test mutating func aStatusNeverGoesBack() {
        let id = TaskID(using: &random)
        var queue = ObservationQueue()
        queue.add([.observeTask(id, status(.failed)), .observeTask(id, status(.running))])
        #expect(queue.takeBatch() == [.observeTask(id, status(.failed))])
    }

    @Test mutating func batchesStayBelowTheLimitsOfATransaction() {
        var queue = ObservationQueue()
        let text = String(repeating: "x", count: StateLimits.estimatedTransactionBytes / 3)
        for _ in 0..<5 { queue.add([.observeTask(TaskID(using: &random), status(.failed, error: text))]) }
        var sizes: [Int] = []
        while !queue.isEmpty { sizes.append(queue.takeBatch().count) }
        #expect(sizes == [2, 2, 1])
        for _ in 0..<201 { queue.add([.observeTask(TaskID(using: &random), status(.running))]) }
        #expect(queue.takeBatch().count == 200)
    }

    /// One report that can never be written must not hold up the others for ever.
    @Test mutating func whatCannotBeWrittenIsFoundAndGivenUp() {
        let bad = TaskID(using: &random)
        var queue = ObservationQueue()
        for number in 0..<8 {
            queue.add([.observeTask(number == 5 ? bad : TaskID(using: &random), status(.running))])
        }
        var written = 0
        var lost: [Change] = []
        var attempts = 0
        while !queue.isEmpty, attempts < 100 {
            attempts += 1
            let batch = queue.takeBatch()
            if batch.contains(.observeTask(bad, status(.running))) {
                if let change = queue.onRefused(batch) { lost.append(change) }
            } else {
                written += batch.count
                queue.onWritten()
            }
        }
        #expect(lost == [.observeTask(bad, status(.running))])
        #expect(written == 7)
    }
}
