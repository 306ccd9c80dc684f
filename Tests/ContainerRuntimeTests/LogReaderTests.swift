import Glibc
import LinuxSystem
import Primitives
import Testing

@testable import ContainerRuntime

@Suite final class LogReaderTests {
    private let folder: String
    private var path: String { folder + "/log" }

    init() throws {
        var template = Array("/tmp/reader-test-XXXXXX\0".utf8CString)
        let made = try #require(mkdtemp(&template))
        folder = String(cString: made)
    }

    deinit { try? File.removeTree(folder) }

    private func append(_ numbers: ClosedRange<Int>, to path: String) throws {
        let file = try File.open(path, O_CREAT | O_WRONLY | O_APPEND)
        for number in numbers {
            let line = #"{"log":"\#(number)\n","stream":"stdout","time":"2023-11-14T22:13:20.123456789Z"}"# + "\n"
            try file.write(all: Array(line.utf8))
        }
    }

    private func read(_ cursor: inout LogCursor) -> [Int] {
        var numbers: [Int] = []
        while true {
            let entries = cursor.next()
            if entries.isEmpty { return numbers }
            numbers += entries.compactMap { Int(String(decoding: $0.text.dropLast(), as: UTF8.self)) }
        }
    }

    @Test func lineIsReadWithItsEscapes() throws {
        let line = #"{"log":"a\"\\\n\t\u003c\u00fc\ud83d\ude00","stream":"stderr","time":"2023-11-14T22:13:20Z"}"#
        let entry = try #require(LogEntry(jsonLine: Array(line.utf8)[...]))
        #expect(String(decoding: entry.text, as: UTF8.self) == "a\"\\\n\t<ü😀")
        #expect(entry.stream == .stderr)
        #expect(entry.time.nanoseconds == 1_700_000_000_000_000_000)
    }

    @Test(arguments: [
        "", "{}", #"{"log":"a"}"#, #"{"log":"a","stream":"x","time":"2023-11-14T22:13:20Z"}"#, "{\"log\":\"a",
    ])
    func whatIsNoLineIsLeftOut(text: String) {
        #expect(LogEntry(jsonLine: Array(text.utf8)[...]) == nil)
    }

    @Test func rotatedFilesAreReadOldestFirst() throws {
        try append(1...3, to: path + ".2")
        try append(4...6, to: path + ".1")
        try append(7...9, to: path)
        var cursor = LogCursor(path: path, tail: nil)
        #expect(read(&cursor) == Array(1...9))
    }

    @Test(arguments: [0, 1, 3, 4, 8, 9, 100])
    func tailCountsFromTheEndAcrossFiles(count: Int) throws {
        try append(1...5, to: path + ".1")
        try append(6...9, to: path)
        var cursor = LogCursor(path: path, tail: count)
        #expect(read(&cursor) == Array((1...9).suffix(count)))
        try append(10...11, to: path)
        #expect(read(&cursor) == [10, 11])
    }

    @Test func aFollowerCrossesRotationsWithoutLossOrRepetition() throws {
        try append(1...2, to: path)
        var cursor = LogCursor(path: path, tail: nil)
        #expect(read(&cursor) == [1, 2])
        try append(3...4, to: path)
        for round in 0..<2 {
            if round == 1 { try #require(rename(path + ".1", path + ".2") == 0) }
            try #require(rename(path, path + ".1") == 0)
            try append((5 + 2 * round)...(6 + 2 * round), to: path)
        }
        #expect(read(&cursor) == [3, 4, 5, 6, 7, 8])
    }

    @Test func aTruncatedLogBeginsAgain() throws {
        try append(1...5, to: path)
        var cursor = LogCursor(path: path, tail: nil)
        #expect(read(&cursor).count == 5)
        try File.open(path, O_WRONLY | O_TRUNC).close()
        try append(6...6, to: path)
        #expect(read(&cursor) == [6])
    }

    @Test func halfALineWaitsForItsRest() throws {
        let line = Array(#"{"log":"7\n","stream":"stdout","time":"2023-11-14T22:13:20Z"}"#.utf8) + [UInt8(ascii: "\n")]
        let file = try File.open(path, O_CREAT | O_WRONLY | O_APPEND)
        try file.write(all: line[..<20])
        var cursor = LogCursor(path: path, tail: nil)
        #expect(read(&cursor) == [])
        try file.write(all: line[20...])
        #expect(read(&cursor) == [7])
    }

    @Test func aLogThatIsNotThereYetIsEmpty() throws {
        var cursor = LogCursor(path: path, tail: 5)
        #expect(read(&cursor) == [])
        try append(1...1, to: path)
        #expect(read(&cursor) == [1])
    }
}
