import ClusterModel
import Consensus
import LinuxSystem
import Primitives
import Testing

@testable import ManagerNode

@Suite struct InputQueueTests {
    private let queue = InputQueue()
    private let proposal = RaftInput.propose(Proposal(Transaction([], time: .zero))) { _ in }
    private let message = RaftInput.message(Message(from: 2, to: 1, term: 1, payload: .timeoutNow))
    private let longPast = Instant(nanoseconds: 0)

    private func kinds(_ inputs: [RaftInput]) -> [String] {
        inputs.map {
            switch $0 {
            case .propose: "proposal"
            case .message: "message"
            default: "other"
            }
        }
    }

    @Test func whatWaitsIsTakenAtOnce() {
        #expect(queue.push(proposal) && queue.push(message))
        #expect(kinds(queue.take(until: Clock.now + .seconds(60), proposalsFrom: longPast)) == ["message", "proposal"])
    }

    /// What makes earlier proposals count must not wait for company.
    @Test func messagesComeThroughWhileProposalsWait() {
        let release = Clock.now + .seconds(60)
        #expect(queue.push(proposal) && queue.push(message))
        #expect(kinds(queue.take(until: release, proposalsFrom: release)) == ["message"])
        #expect(queue.push(message))
        #expect(kinds(queue.take(until: release, proposalsFrom: release)) == ["message"])
        #expect(kinds(queue.take(until: release, proposalsFrom: longPast)) == ["proposal"])
    }

    @Test func heldProposalsAreTakenWhenTheirTimeHasCome() {
        let start = Clock.now
        let release = start + .milliseconds(20)
        #expect(queue.push(proposal))
        #expect(kinds(queue.take(until: start + .seconds(60), proposalsFrom: release)) == ["proposal"])
        #expect(Clock.now >= release && Clock.now < start + .seconds(50))
    }

    /// Pushed while nobody was to be woken for them: the next look must not wait for another signal.
    @Test func proposalsThatCameWhileOthersWereHeldAreNotForgotten() {
        let release = Clock.now + .seconds(60)
        #expect(queue.push(message))
        #expect(kinds(queue.take(until: release, proposalsFrom: release)) == ["message"])
        #expect(queue.push(proposal))
        #expect(kinds(queue.take(until: release, proposalsFrom: longPast)) == ["proposal"])
        #expect(Clock.now < release)
    }

    /// Each push comes while the thread waits, or is about to: none is slept through.
    @Test func whoWaitsIsWokenForEachInput() throws {
        let (queue, proposal) = (queue, proposal)
        let hasTaken = ThreadSignal()
        let pushed = 2_000
        try SystemThread.start(name: "pusher") {
            for _ in 0..<pushed {
                _ = queue.push(proposal)
                hasTaken.wait(until: Clock.now + .seconds(120))
            }
        }
        let start = Clock.now
        var taken = 0
        while taken < pushed {
            let inputs = queue.take(until: start + .seconds(60), proposalsFrom: longPast)
            try #require(Clock.now < start + .seconds(60), "after \(taken) nobody was woken")
            taken += inputs.count
            if !inputs.isEmpty { hasTaken.set() }
        }
    }

    @Test func aClosedQueueTakesNothingAndReturnsWhatWaited() {
        #expect(queue.push(proposal) && queue.push(message))
        #expect(kinds(queue.close()) == ["message", "proposal"])
        #expect(!queue.push(message))
    }
}
