import Primitives
import Testing

@testable import OverlayProtocol

@Suite struct ReplayWindowTests {
    @Test func aCounterIsFreshOnce() {
        var window = ReplayWindow()
        for counter in [UInt64(0), 1, 63, 64, 65, 8_127, 100_000] {
            #expect(window.check(counter) == .fresh)
            window.accept(counter)
            #expect(window.check(counter) == .replayed)
        }
    }

    @Test func theWindowIs8128Wide() {
        var window = ReplayWindow()
        window.accept(20_000)
        #expect(window.check(20_000 - 8_127) == .fresh)
        #expect(window.check(20_000 - 8_128) == .tooOld)
    }

    @Test func aLookDoesNotMoveTheWindow() {
        let window = ReplayWindow()
        #expect(window.check(1 << 40) == .fresh)
        #expect(window.check(0) == .fresh)
    }

    /// Against a set that forgets nothing, over seeded jumps of every size.
    @Test(arguments: 0..<20) func itAgreesWithAPerfectMemory(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var window = ReplayWindow()
        var seen: Set<UInt64> = []
        var greatest: UInt64 = 0
        for _ in 0..<20_000 {
            let jump = UInt64(1) << random.next(upperBound: UInt64(15))
            let counter =
                random.next() % 2 == 0
                ? greatest + random.next(upperBound: jump)
                : greatest - min(greatest, random.next(upperBound: jump))
            let expected: ReplayWindow.Answer =
                counter <= greatest && greatest - counter >= 8_128
                ? .tooOld : seen.contains(counter) ? .replayed : .fresh
            let answer = window.check(counter)
            #expect(answer == expected)
            if answer == .fresh {
                window.accept(counter)
                seen.insert(counter)
                greatest = max(greatest, counter)
            }
        }
    }
}
