import Foundation
import Testing

/// `swarmctl lab` itself.
@Suite(.serialized, .enabled(if: getuid() == 0, "a lab needs root")) struct LabCommandTests {
    /// After `kill -9` of its first process, or a reboot of a machine that keeps the folder.
    @Test func aLabWhoseProcessesDiedIsStartedAnew() throws {
        let first = try Lab(name: "dead", number: 20, managers: 1, workers: 0)
        try first.on("n1", "config", "ls")
        let pid = try String(contentsOfFile: "\(first.folder)/lab.pid", encoding: .utf8)
        let killed = try Command.run(["kill", "-KILL", pid.trimmingCharacters(in: .whitespacesAndNewlines)])
        try #require(killed.status == 0, "\(killed.errors)")
        try first.waitUntil("it is gone") { (try? first.lab("ls")) == nil }
        let second = try Lab(name: "dead", number: 20, managers: 1, workers: 0)
        defer { try? second.down() }
        #expect(try second.on("n1", "node", "ls", "--format", "{{.Hostname}} {{.Status}}") == "n1 Ready")
    }
}
