import Foundation
import Testing

/// Managers whose keys are locked on disk.
@Suite(.serialized, .lab("locks", number: 31, managers: 1, workers: 1)) struct LockTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    private func state() throws -> String { try lab().on("n1", "info", "--format", "{{.Swarm.LocalNodeState}}") }

    /// What an attacker with the disk would read.
    private func keyFile() throws -> String {
        try String(contentsOfFile: "\(try lab().folder)/n1/lib/identity/keys", encoding: .utf8)
    }

    private func unlock(with key: String) throws -> Command.Result {
        try lab().exec("n1", ["sh", "-c", "echo '\(key)' | swarmctl unlock"])
    }

    private func restart() throws {
        let lab = try lab()
        try lab.killAndWait("n1")
        try lab.lab("start", "n1")
        try lab.waitUntil("swarmd answers") { try !state().isEmpty }
    }

    @Test func aLockedManagerTakesPartOnlyOnceItIsUnlocked() throws {
        let lab = try lab()
        #expect(try keyFile().contains(" open"))
        #expect(try lab.exec("n1", ["swarmctl", "unlock-key"]).errors.contains("managers are not locked"))
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "steady", "--replicas", "2", "box:1", "sleep",
            "1000")
        let tasks = try lab.tasks(of: "steady").map(\.id).sorted()
        let containers = try lab.containers(of: tasks)
        #expect(try lab.on("n1", "update", "--autolock", "true").contains("SWMKEY-1-"))
        let key = try lab.on("n1", "unlock-key", "-q")
        #expect(try keyFile().contains(" locked"))

        try restart()
        #expect(try state() == "locked")
        let refused = try lab.exec("n1", ["swarmctl", "node", "ls"])
        #expect(refused.status == 1 && refused.errors.contains("needs to be unlocked"))
        #expect(try unlock(with: "SWMKEY-1-short").errors.contains("truncated"))
        let other = "SWMKEY-1-" + String(repeating: "A", count: 43)
        #expect(try unlock(with: other).errors.contains("invalid key"))
        #expect(try state() == "locked")
        for node in ["n1", "n2"] { #expect(try lab.exec(node, ["pgrep", "-f", "sleep 1000"]).status == 0) }
        #expect(try unlock(with: key).status == 0)
        try lab.waitUntilReady("n1")
        #expect(try unlock(with: key).errors.contains("not locked"))
        try lab.waitUntil("both nodes are ready") {
            try lab.on("n1", "node", "ls", "--format", "{{.Status}}") == "Ready\nReady"
        }
        #expect(try lab.containers(of: tasks) == containers)
    }

    @Test func aRotatedKeyIsTheOnlyOneThatUnlocks() throws {
        let lab = try lab()
        try lab.on("n1", "update", "--autolock", "true")
        let old = try lab.on("n1", "unlock-key", "-q")
        try lab.on("n1", "unlock-key", "--rotate")
        let key = try lab.on("n1", "unlock-key", "-q")
        #expect(key != old)
        try restart()
        #expect(try unlock(with: old).errors.contains("invalid key"))
        #expect(try unlock(with: key).status == 0)
        try lab.waitUntilReady("n1")
        try lab.on("n1", "update", "--autolock", "false")
        #expect(try keyFile().contains(" open"))
        try restart()
        try lab.waitUntilReady("n1")
    }

    /// What a manager keeps is locked however it became one; a worker starts by itself.
    @Test func aManagerThatIsOneAgainIsLockedAgain() throws {
        let lab = try lab()
        func keys() throws -> String {
            try String(contentsOfFile: "\(lab.folder)/n2/lib/identity/keys", encoding: .utf8)
        }
        try lab.on("n1", "update", "--autolock", "true")
        for _ in 0..<2 {
            try lab.on("n1", "node", "promote", "n2")
            try lab.waitUntil("the keys of n2 are locked") { try keys().contains(" locked") }
            try lab.on("n1", "node", "demote", "n2")
            try lab.waitUntil("the keys of n2 are open") { try keys().contains(" open") }
            #expect(!FileManager.default.fileExists(atPath: "\(lab.folder)/n2/lib/raft"))
        }
        // A key of one's own for backups, although there is an unlock key.
        let file = "/tmp/swarm-test-\(UUID().uuidString).backup"
        defer { for suffix in ["", ".key"] { try? FileManager.default.removeItem(atPath: file + suffix) } }
        for _ in 0..<2 { try lab.on("n1", "backup", "--key-file", "\(file).key", file) }
        let key = try String(contentsOfFile: "\(file).key", encoding: .utf8)
        #expect(try key.hasPrefix("SWMKEY-1-") && !key.contains(lab.on("n1", "unlock-key", "-q")))
        try lab.on("n1", "update", "--autolock", "false")
    }

    /// A secret in the state, the authority's key and what is in flight: none of it can be read from the disk.
    @Test func nothingOfTheStateStandsReadableOnTheDisk() throws {
        let lab = try lab()
        let marker = "marker-\(UUID().uuidString)"
        _ = try lab.exec("n1", ["sh", "-c", "echo \(marker) | swarmctl secret create s-\(UUID().uuidString) -"])
        let found = try Command.run(["grep", "-rlaF", marker, "\(lab.folder)/n1/lib"])
        #expect(found.status == 1 && found.output.isEmpty, "\(found.output)")
        let keys = try Command.run(["grep", "-rlaE", "BEGIN (EC )?PRIVATE KEY", "\(lab.folder)/n1/lib/raft"])
        #expect(keys.status == 1, "\(keys.output)")
    }
}

extension Lab {
    /// What the tasks' containers are: the same ids and pids are the same processes.
    func containers(of tasks: [String], seenFrom node: String = "n1") throws -> [String] {
        try tasks.map { task in
            let json = try api(node, "/tasks/\(task)")
            let container = json.range(of: "\"ContainerID\":\"[0-9a-f]+\"", options: .regularExpression)
            let pid = json.range(of: "\"PID\":[0-9]+", options: .regularExpression)
            return "\(json[try #require(container)]) \(json[try #require(pid)])"
        }
    }
}
