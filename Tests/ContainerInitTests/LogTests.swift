import Glibc
import LaunchProtocol
import LinuxSystem
import Primitives
import Testing

@testable import ContainerInit

@Suite struct LineSplitterTests {
    private func pieces(_ chunks: [String], maximum: Int) -> [String] {
        var splitter = LineSplitter(maximumBytes: maximum)
        var pieces: [String] = []
        let emit = { (bytes: ArraySlice<UInt8>, endsLine: Bool) in
            pieces.append(String(decoding: bytes, as: UTF8.self) + (endsLine ? "|" : "+"))
        }
        for chunk in chunks { splitter.append(Array(chunk.utf8)[...], emit) }
        splitter.finish(emit)
        return pieces
    }

    @Test(arguments: [
        (["a\nb\n"], ["a|", "b|"]),
        (["a", "b\nc"], ["ab|", "c+"]),
        (["\n\n"], ["|", "|"]),
        (["12345678\n"], ["12345678+", "|"]),
        (["123456789\n"], ["12345678+", "9|"]),
        (["1234", "56789", "0\n"], ["12345678+", "90|"]),
        (["12345678901234567890"], ["12345678+", "90123456+", "7890+"]),
        (["1234567ü89\n"], ["1234567+", "ü89|"]),
        (["12345€€\n"], ["12345€+", "€|"]),
        ([], []),
    ])
    func cutsAtLineEndsAndAtTheLimitBetweenCharacters(chunks: [String], expected: [String]) {
        #expect(pieces(chunks, maximum: 8) == expected)
    }

    @Test func whateverTheChunksTheBytesStayTheSame() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<200 {
            let text = (0..<Int.random(in: 0..<120, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random) < 30
                    ? UInt8(ascii: "\n") : .random(in: 0...255, using: &random)
            }
            var splitter = LineSplitter(maximumBytes: 16)
            var joined: [UInt8] = []
            var rest = text[...]
            let emit = { (bytes: ArraySlice<UInt8>, endsLine: Bool) in
                #expect(bytes.count <= 16)
                joined += bytes + (endsLine ? [UInt8(ascii: "\n")] : [])
            }
            while !rest.isEmpty {
                let chunk = rest.prefix(Int.random(in: 1...40, using: &random))
                splitter.append(chunk, emit)
                rest = rest.dropFirst(chunk.count)
            }
            splitter.finish(emit)
            #expect(joined == text)
        }
    }
}

@Suite struct JSONTextTests {
    @Test(arguments: [
        ("plain", "plain"), ("a\"b\\c", #"a\"b\\c"#), ("\t\r\n", #"\t\r\n"#), ("\u{1}\u{1f}", #"\u0001\u001f"#),
        ("<a&b>", #"\u003ca\u0026b\u003e"#), ("ü€😀", "ü€😀"), ("\u{2028}\u{2029}", #"\u2028\u2029"#),
    ])
    func escapesAsDockerDoes(text: String, expected: String) {
        var output: [UInt8] = []
        JSONText.append(Array(text.utf8)[...], to: &output)
        #expect(String(decoding: output, as: UTF8.self) == expected)
    }

    @Test(
        arguments: [
            ([0xff], 1), ([0xc0, 0x80], 2), ([0xed, 0xa0, 0x80], 3), ([0xe2, 0x82], 2), ([0xf5, 0x80, 0x80, 0x80], 4),
        ] as [([UInt8], Int)])
    func whatIsNotUTF8BecomesReplacements(bytes: [UInt8], count: Int) {
        var output: [UInt8] = []
        JSONText.append((bytes + [UInt8(ascii: "a")])[...], to: &output)
        #expect(String(decoding: output, as: UTF8.self) == String(repeating: #"\ufffd"#, count: count) + "a")
    }
}

@Suite final class JSONFileLogTests {
    private let folder: String

    init() throws {
        var template = Array("/tmp/log-test-XXXXXX\0".utf8CString)
        let made = try #require(mkdtemp(&template))
        folder = String(cString: made)
    }

    deinit { try? File.removeTree(folder) }

    private let time = Timestamp(nanoseconds: 1_700_000_000_123_456_789)

    @Test func linesAreDockersAndTheirTimesIncrease() throws {
        var log = try JSONFileLog(LogConfiguration(path: folder + "/log", maximumBytes: 0, maximumFiles: 1))
        log.append(Array("one".utf8)[...], endsLine: true, .stdout, at: time)
        log.append(Array("two".utf8)[...], endsLine: false, .stderr, at: time)
        log.append([], endsLine: true, .stdout, at: Timestamp(nanoseconds: 1_700_000_001_000_000_000))
        log.finish()
        #expect(
            try File.readText(folder + "/log") == #"""
                {"log":"one\n","stream":"stdout","time":"2023-11-14T22:13:20.123456789Z"}
                {"log":"two","stream":"stderr","time":"2023-11-14T22:13:20.123456790Z"}
                {"log":"\n","stream":"stdout","time":"2023-11-14T22:13:21.000000000Z"}

                """#)
    }

    @Test func aFileThatWouldGrowTooLargeIsRotatedAndTheOldestGoes() throws {
        // A line takes 72 bytes: two fit.
        var log = try JSONFileLog(LogConfiguration(path: folder + "/log", maximumBytes: 150, maximumFiles: 2))
        for number in 1...5 { log.append(Array("\(number)".utf8)[...], endsLine: true, .stdout, at: time) }
        log.finish()
        #expect(try File.names(in: folder) == ["log", "log.1"])
        #expect(try File.readText(folder + "/log.1").split(separator: "\n").count == 2)
        #expect(try File.readText(folder + "/log").hasPrefix(#"{"log":"5\n""#))
        #expect(log.lostLines == 0)
    }

    @Test func aLogIsContinued() throws {
        for _ in 1...2 {
            var log = try JSONFileLog(LogConfiguration(path: folder + "/log", maximumBytes: 0, maximumFiles: 1))
            log.append(Array("x".utf8)[...], endsLine: true, .stdout, at: time)
            log.finish()
        }
        #expect(try File.readText(folder + "/log").split(separator: "\n").count == 2)
    }

    @Test func aFullDiskLosesLinesAndCountsThem() throws {
        var log = try JSONFileLog(LogConfiguration(path: "/dev/full", maximumBytes: 0, maximumFiles: 1))
        log.append(Array("a".utf8)[...], endsLine: true, .stdout, at: time)
        log.append(Array("b".utf8)[...], endsLine: true, .stdout, at: time)
        log.flush()
        #expect(log.lostLines == 2)
    }
}
