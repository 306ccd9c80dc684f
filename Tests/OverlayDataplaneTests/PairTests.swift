import Foundation
import Testing

@testable import OverlayDataplane

private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

private let isPossible =
    geteuid() == 0 && exists("/usr/bin/unshare") && exists("/dev/net/tun")
    && (exists("/usr/sbin/ip") || exists("/sbin/ip") || exists("/usr/bin/ip"))

/// Two nodes and their containers in network namespaces, inside one `unshare` whose end removes everything.
@Suite(.serialized, .enabled(if: isPossible, "needs root, unshare, ip and /dev/net/tun"))
struct PairTests {
    private func run(_ mode: String, environment: [String: String]) throws -> [String] {
        let program = try #require(Bundle.main.executableURL).deletingLastPathComponent()
            .appendingPathComponent("overlay-bench").path
        let script = try #require(Bundle.module.path(forResource: "pair", ofType: "sh"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = [
            "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", script, program, mode,
        ]
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
        return text.split(separator: "\n").map(String.init)
    }

    @Test(arguments: ["auto", "chacha"])
    func containersTalkAndTheUnderlayNeverHoldsWhatTheySay(cipher: String) throws {
        let lines = try run("check", environment: ["SECONDS_EACH": "1", "CIPHER": cipher])
        let text = lines.joined(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("ping 20 of 20") }.count == 2, "\(text)")
        #expect(lines.contains { $0.hasPrefix("markersink: received 6400 bytes") }, "\(text)")
        #expect(lines.contains { $0.hasPrefix("tcp: received") }, "\(text)")
        let outside = try #require(lines.first { $0.hasPrefix("underlay_capture:") }, "\(text)")
        #expect(outside.hasSuffix("matches 0"), "\(text)")
        #expect(!outside.contains("captured 0 "), "\(text)")
        let inside = try #require(lines.first { $0.hasPrefix("inside_capture:") }, "\(text)")
        #expect(!inside.hasSuffix("matches 0"), "the control must hold the marker: \(text)")
    }
}
