import Simulation
import Testing

@Suite struct LinearizabilityTests {
    private func write(
        _ expected: UInt64, _ new: UInt64, _ times: ClosedRange<Int>, _ outcome: Operation.Outcome = .set
    )
        -> Operation
    {
        Operation(
            client: 1, kind: .compareAndSet(expected: expected, new: new), calledAt: times.lowerBound,
            returnedAt: times.upperBound, outcome: outcome)
    }

    private func read(_ value: UInt64, _ times: ClosedRange<Int>) -> Operation {
        Operation(
            client: 2, kind: .read, calledAt: times.lowerBound, returnedAt: times.upperBound, outcome: .value(value))
    }

    private func isRight(_ operations: [Operation]) -> Bool { Linearizability.check(operations) == .linearizable }

    @Test func emptyHistoryIsRight() { #expect(isRight([])) }

    @Test func readMaySeeAnOverlappingWriteOrNot() {
        #expect(isRight([write(0, 1, 0...10), read(0, 2...8)]))
        #expect(isRight([write(0, 1, 0...10), read(1, 2...8)]))
    }

    @Test func readAfterAWriteSeesIt() {
        #expect(!isRight([write(0, 1, 0...10), read(0, 11...12)]))
    }

    @Test func readsDoNotGoBack() {
        #expect(!isRight([write(0, 1, 0...20), read(1, 2...5), read(0, 6...9)]))
    }

    @Test func writeOfUnknownOutcomeMayTakeEffectLateOrNever() {
        #expect(isRight([write(0, 1, 0...1, .unknown), read(0, 50...51), read(1, 60...61)]))
        #expect(isRight([write(0, 1, 0...1, .unknown), read(0, 50...51)]))
        #expect(!isRight([write(0, 1, 0...1, .unknown), read(1, 50...51), read(0, 60...61)]))
    }

    @Test func refusalNeedsAnotherValue() {
        #expect(isRight([write(0, 1, 0...1), write(0, 2, 2...3, .refused)]))
        #expect(!isRight([write(0, 1, 0...1), write(1, 2, 2...3, .refused)]))
    }

    @Test func twoWritesOfOneExpectedValueCannotBothSucceed() {
        #expect(!isRight([write(0, 1, 0...10), write(0, 2, 0...10)]))
    }

    /// A long history that is right becomes wrong when any one of its reads is falsified.
    @Test(arguments: [1, 2, 3]) func falsifiedReadIsRejected(seed: UInt64) throws {
        let history = try Simulation(seed: seed, faultSeconds: 8).recordedHistory()
        let reads = history.indices.filter { if case .value = history[$0].outcome { true } else { false } }
        try #require(reads.count > 10)
        #expect(isRight(history))
        for index in reads.prefix(20) {
            var falsified = history
            falsified[index].outcome = .value(.max)
            #expect(!isRight(falsified))
        }
    }
}
