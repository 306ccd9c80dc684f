import ClusterMessages
import Consensus
import Testing

@testable import ManagerNode

@Suite struct PeerOutboxTests {
    private func append(_ previous: UInt64, bytes: Int) -> Message {
        let entry = LogEntry(index: previous + 1, term: 1, kind: .normal, data: [UInt8](repeating: 1, count: bytes))
        return Message(
            from: 1, to: 2, term: 1,
            payload: .append(Append(previousIndex: previous, previousTerm: 1, commit: 0, entries: [entry])))
    }

    @Test func whatWaitsTravelsTogetherInOrderUpToTheLimitOfAFrame() {
        let outbox = PeerOutbox()
        let third = ManagerLimits.frameBytes / 3
        let sizes = [third, third, third, third, ManagerLimits.frameBytes * 2, 0]
        for (index, bytes) in sizes.enumerated() { #expect(outbox.push(append(UInt64(index), bytes: bytes))) }
        var frames: [[UInt64]] = []
        while let frame = outbox.next() { frames.append(frame.messages.messages.map(\.logIndex)) }
        #expect(frames == [[0, 1, 2], [3], [4], [5]])
    }

    @Test func aPeerThatIsTooFarBehindGetsNoMore() {
        let outbox = PeerOutbox()
        for _ in 0..<ManagerLimits.peerMessages { #expect(outbox.push(append(0, bytes: 0))) }
        #expect(!outbox.push(append(0, bytes: 0)))
        #expect(outbox.next() != nil)
        #expect(outbox.push(append(0, bytes: 0)))
    }
}
