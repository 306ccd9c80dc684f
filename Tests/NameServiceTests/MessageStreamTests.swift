import Primitives
import Testing

@testable import NameService

@Suite struct MessageStreamTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private let patience = Duration.seconds(10)

    private func stream() -> MessageStream { MessageStream(patience: patience, now: start) }

    private func framed(_ message: [UInt8]) -> [UInt8] {
        [UInt8(message.count >> 8), UInt8(message.count & 0xff)] + message
    }

    @Test func `Messages come out whole and in order however they come in`() {
        let messages = (0..<40).map { [UInt8](repeating: UInt8($0), count: $0 * 7) }
        for size in [1, 2, 3, 50, 5_000] {
            var (stream, found) = (stream(), [[UInt8]]())
            let bytes = messages.flatMap(framed)
            for offset in stride(from: 0, to: bytes.count, by: size) {
                stream.received(Array(bytes[offset..<min(offset + size, bytes.count)]))
                while let message = stream.nextQuery(now: start) {
                    found.append(message)
                    stream.answered()
                }
            }
            #expect(found == messages, "pieces of \(size)")
        }
    }

    @Test func `What is written comes out as it was put in`() {
        var (stream, written) = (stream(), [UInt8]())
        let messages = (0..<60).map { [UInt8](repeating: UInt8($0), count: 1_000) }
        for message in messages {
            stream.append(message)
            let taken = Array(stream.waitingOutput.prefix(700))
            written += taken
            stream.wrote(taken.count, now: start)
        }
        written += stream.waitingOutput
        #expect(written == messages.flatMap(framed))
        stream.append([UInt8](repeating: 0, count: 65_536))
        #expect(stream.waitingOutput.count == written.count - 60 * 700, "too long for its length")
    }

    @Test func `A client that does not read is neither answered nor read from until it does`() {
        var stream = stream()
        for _ in 0..<3_000 { stream.received(framed([1])) }
        var answered = 0
        while stream.nextQuery(now: start) != nil {
            stream.append([UInt8](repeating: 2, count: 1_600))
            stream.answered()
            answered += 1
        }
        #expect(stream.waitingOutput.count <= NameLimits.waitingAnswerBytes + 1_602)
        #expect(answered == NameLimits.waitingAnswerBytes / 1_602 + 1)
        #expect(!stream.wantsInput)
        stream.wrote(50_000, now: start)
        #expect(stream.nextQuery(now: start) != nil)
    }

    @Test func `Queries that wait for an upstream are limited`() {
        var stream = stream()
        for _ in 0..<100 { stream.received(framed([1])) }
        for _ in 0..<NameLimits.queriesPerConnection { #expect(stream.nextQuery(now: start) != nil) }
        #expect(stream.nextQuery(now: start) == nil)
        #expect(!stream.wantsInput)
        stream.answered()
        #expect(stream.nextQuery(now: start) != nil)
        #expect(stream.nextQuery(now: start) == nil)
    }

    @Test func `Neither single bytes nor queries of a client that does not read put the deadline off`() {
        var stream = stream()
        #expect(stream.deadline == start + patience)
        let later = start + .seconds(5)
        stream.received([0])
        #expect(stream.deadline == start + patience)
        stream.received([1, 7])
        #expect(stream.nextQuery(now: later) == [7])
        #expect(stream.deadline == later + patience)
        stream.append([8])
        stream.answered()
        stream.received(framed([7]))
        #expect(stream.nextQuery(now: later + .seconds(1)) == [7])
        stream.wrote(1, now: later + .seconds(2))
        #expect(stream.deadline == later + patience, "an answer waits")
        stream.wrote(2, now: later + .seconds(3))
        #expect(stream.deadline == later + .seconds(3) + patience, "all was read")
    }
}
