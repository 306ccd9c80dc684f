import Glibc
import Primitives
import Testing

@testable import ImageStore

@Suite struct FolderTimesTests {
    @Test func aFolderThatIsNamedAgainAndAgainTakesNoMore() throws {
        var times = FolderTimes(bytesMax: 100)
        for second in 0..<1_000 { try times.set(timespec(tv_sec: second, tv_nsec: 0), of: [1, 2]) }
        #expect(times.sorted.map(\.time.tv_sec) == [999])
    }

    @Test func tooManyNamesAreRefused() throws {
        var times = FolderTimes(bytesMax: 1_000)
        let failure = #expect(throws: Failure.self) {
            for number in UInt8.min ... .max { try times.set(timespec(), of: [number]) }
        }
        #expect(failure?.code == .resourceExhausted)
    }
}
