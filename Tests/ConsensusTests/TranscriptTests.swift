import Foundation
import Testing

/// Golden transcripts: `REWRITE=1` in the environment writes them anew, and the difference is reviewed.
@Suite struct TranscriptTests {
    static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
        "testdata")

    static var names: [String] {
        let files = try? FileManager.default.contentsOfDirectory(atPath: directory.path)
        return (files ?? []).filter { $0.hasSuffix(".txt") }.sorted()
    }

    @Test func thereAreTranscripts() {
        #expect(!Self.names.isEmpty)
    }

    @Test(arguments: names) func transcriptIsAsRecorded(_ name: String) throws {
        let url = Self.directory.appendingPathComponent(name)
        let recorded = try String(contentsOf: url, encoding: .utf8)
        let now = try Transcript.rewritten(recorded)
        if ProcessInfo.processInfo.environment["REWRITE"] == "1" {
            try now.write(to: url, atomically: true, encoding: .utf8)
        } else {
            let recordedLines = recorded.split(separator: "\n", omittingEmptySubsequences: false)
            let lines = now.split(separator: "\n", omittingEmptySubsequences: false)
            for (number, (expected, line)) in zip(recordedLines, lines).enumerated() where expected != line {
                Issue.record("\(name):\(number + 1): recorded \(expected), now \(line)")
                break
            }
            #expect(recordedLines.count == lines.count)
        }
    }
}
