import AgentCore
import Testing

@Suite struct ManagerSearchTests {
    private var search = ManagerSearch()

    private mutating func next(_ known: [String]) -> String? { search.next(of: known) }
    private mutating func waits(after address: String, naming leader: String?) -> Bool {
        search.onEnded(at: address, leader.map { .redirected(leader: $0) } ?? .lost)
    }

    @Test mutating func managersAreAskedInTurnWithAPause() {
        for address in ["a", "b", "a"] {
            #expect(next(["a", "b"]) == address)
            #expect(waits(after: address, naming: nil))
        }
        #expect(next([]) == nil)
    }

    @Test mutating func theLeaderThatIsNamedIsAskedAtOnce() {
        #expect(next(["a", "b"]) == "a")
        #expect(!waits(after: "a", naming: "c"))
        #expect(next(["a", "b"]) == "c")
        #expect(waits(after: "c", naming: ""))
        #expect(next(["a", "b"]) == "b")
    }

    @Test mutating func oneThatNamesItselfIsNotAskedAtOnce() {
        #expect(next(["a"]) == "a")
        #expect(waits(after: "a", naming: "a"))
    }

    @Test mutating func managersThatNameEachOtherAreAskedWithAPause() {
        #expect(next(["a", "b"]) == "a")
        #expect(!waits(after: "a", naming: "b"))
        #expect(next(["a", "b"]) == "b")
        #expect(waits(after: "b", naming: "a"))
        #expect(next(["a", "b"]) == "a")
    }

    /// One that stands still takes seconds to be given up: nobody goes back to it on hearsay.
    @Test mutating func aManagerThatWasLostIsLeftOutForAFewAttempts() {
        let known = ["a", "b", "c"]
        #expect(next(known) == "a")
        #expect(!waits(after: "a", naming: "c"))
        #expect(next(known) == "c")
        #expect(waits(after: "c", naming: nil))
        // The others do not know yet that it is lost.
        for address in ["b", "a", "b"] {
            #expect(next(known) == address)
            #expect(waits(after: address, naming: "c"))
        }
        // Whoever still names it then may be right.
        #expect(next(known) == "a")
        #expect(!waits(after: "a", naming: "c"))
        #expect(next(known) == "c")
    }

    @Test mutating func theOnlyManagerIsAskedAgain() {
        for _ in 0..<3 {
            #expect(next(["a"]) == "a")
            #expect(waits(after: "a", naming: nil))
        }
    }

    /// R28: a renewal ends the session, and a node without one for long may be taken for another.
    @Test mutating func aManagerThatThisNodeHasCutOffIsAskedAgainAtOnce() {
        #expect(next(["a", "b"]) == "a")
        let pauses = search.onEnded(at: "a", .cutOff)
        #expect(!pauses)
        #expect(next(["a", "b"]) == "a")
        #expect(waits(after: "a", naming: nil))
        #expect(next(["a", "b"]) == "b")
    }
}
