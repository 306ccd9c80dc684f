import Foundation
import Testing

/// Three managers and a worker under deaths, pauses and partitions.
@Suite(.serialized, .lab("three", number: 2, managers: 3, workers: 1)) struct ClusterTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    private func leader(seenFrom node: String) throws -> String {
        let text = try lab().on(node, "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
        let line = try #require(text.split(separator: "\n").first { $0.hasSuffix("Leader") })
        return String(line.split(separator: " ")[0])
    }

    @Test func allNodesAreReadyAndAnyManagerTakesWrites() throws {
        let lab = try lab()
        #expect(try lab.on("n1", "node", "ls", "-q").split(separator: "\n").count == 4)
        for node in ["n1", "n2", "n3"] {
            try lab.on(
                node, "service", "create", "--no-resolve-image", "--name", "from-\(node)", "box:1", "sleep", "1000")
        }
        let services = try lab.on("n3", "service", "ls", "--format", "{{.Name}} {{.Replicas}}")
        #expect(services.split(separator: "\n").sorted() == ["from-n1 1/1", "from-n2 1/1", "from-n3 1/1"])
        let worker = try lab.exec("n4", ["swarmctl", "service", "ls"])
        #expect(worker.status != 0 && worker.errors.contains("not a swarm manager"))
        try lab.on("n2", "service", "rm", "from-n1", "from-n2", "from-n3")
    }

    @Test func wrongTokensAndUnreachableManagersAreExplained() throws {
        let lab = try lab()
        // A worker that leaves can join again: it is reusable after each refusal.
        try lab.on("n4", "leave")
        let token = try lab.on("n1", "token", "worker", "--quiet")
        let parts = token.split(separator: "-", maxSplits: 4).map(String.init)
        let wrongSecret = parts[0...2].joined(separator: "-") + "-" + String(repeating: "a", count: 25) + "-" + parts[4]
        let wrong = try lab.exec("n4", ["swarmctl", "join", wrongSecret])
        #expect(wrong.status != 0 && wrong.errors.contains("not valid"))
        let otherRoot = "SWMTKN-1-" + String(repeating: "1", count: 50) + "-" + parts[3] + "-" + parts[4]
        #expect(try lab.exec("n4", ["swarmctl", "join", otherRoot]).status != 0)
        let nobody = parts[0...3].joined(separator: "-") + "-\(lab.address(of: "n4")):1"
        let unreachable = try lab.exec("n4", ["swarmctl", "join", nobody])
        #expect(unreachable.status != 0 && unreachable.errors.contains("could not join"))
        #expect(try lab.exec("n4", ["swarmctl", "join", String(token.prefix(70))]).errors.contains("truncated"))
        try lab.on("n4", "join", token)
        try lab.waitUntil("the worker is back") {
            try lab.on("n1", "node", "ls", "--format", "{{.Hostname}} {{.Status}}").contains("n4 Ready")
        }
    }

    /// Writes go on within 2 s, and no task restarts.
    @Test func theLeadersDeathCostsNoTask() throws {
        let lab = try lab()
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "steady", "--replicas", "8", "box:1", "sleep",
            "1000")
        let before = try lab.tasks(of: "steady").map(\.id).sorted()
        let old = try leader(seenFrom: "n1")
        let other = old == "n2" ? "n3" : "n2"
        try lab.lab("kill", old)
        let died = Date()
        try lab.waitUntil("a write is accepted", seconds: 10) {
            try lab.exec(other, ["swarmctl", "config", "create", "after-\(UUID().uuidString)", "/etc/hostname"]).status
                == 0
        }
        #expect(Date().timeIntervalSince(died) < 2)
        #expect(try leader(seenFrom: other) != old)
        try lab.lab("start", old)
        try lab.waitUntil("the old leader follows") { try lab.on(old, "service", "ls").contains("8/8") }
        #expect(try lab.tasks(of: "steady", on: other).map(\.id).sorted() == before)
        try lab.on(other, "service", "rm", "steady")
    }

    @Test func allStateIsThereAfterAllManagersRestart() throws {
        let lab = try lab()
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "kept", "--replicas", "3", "box:1", "sleep",
            "1000")
        let before = try lab.tasks(of: "kept").map(\.id).sorted()
        for node in ["n1", "n2", "n3"] { try lab.lab("kill", node) }
        for node in ["n1", "n2", "n3"] { try lab.lab("start", node) }
        try lab.waitUntil("the cluster answers") { try lab.on("n2", "service", "ls").contains("3/3") }
        #expect(try lab.tasks(of: "kept", on: "n3").map(\.id).sorted() == before)
        try lab.on("n1", "service", "rm", "kept")
    }

    @Test func aMinorityTakesNoWritesAndCatchesUpLater() throws {
        let lab = try lab()
        let leader = try leader(seenFrom: "n1")
        try lab.lab("partition", leader)
        let other = leader == "n1" ? "n2" : "n1"
        try lab.waitUntil("the majority has a leader of its own", seconds: 15) {
            try lab.exec(other, ["swarmctl", "config", "create", "majority", "/etc/hostname"]).status == 0
        }
        let refused = try lab.exec(
            leader, ["timeout", "3", "swarmctl", "config", "create", "minority", "/etc/hostname"])
        #expect(refused.status != 0)
        try lab.lab("heal")
        try lab.waitUntil("the minority has caught up") {
            try lab.on(leader, "config", "ls", "--format", "{{.Name}}").split(separator: "\n").contains("majority")
        }
        let lists = try [leader, other].map { try lab.on($0, "config", "ls", "--format", "{{.ID}} {{.Name}}") }
        #expect(lists[0] == lists[1])
    }

    /// R29: what a dead node ran is replaced; its logs are named once, the others' are there (R34).
    @Test func aDeadNodesTasksAreReplacedElsewhere() throws {
        let lab = try lab()
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "spread", "--replicas", "4", "box:1", "sh", "-c",
            "echo alive; exec sleep 1000")
        try #require(try lab.tasks(of: "spread").contains { $0.node == "n4" })
        try lab.lab("kill", "n4")
        try lab.waitUntil("four run on the other nodes", seconds: 40) {
            let running = try lab.tasks(of: "spread").filter(\.isRunning)
            return running.count == 4 && !running.contains { $0.node == "n4" }
        }
        let logs = try lab.exec("n1", ["swarmctl", "service", "logs", "spread"])
        #expect(logs.status == 0)
        #expect(logs.output.components(separatedBy: "alive").count - 1 >= 4)
        #expect((logs.errors + logs.output).components(separatedBy: "cannot be read").count - 1 == 1)
        try lab.lab("start", "n4")
        try lab.waitUntil("the node is back") {
            try lab.on("n1", "node", "ls", "--format", "{{.Hostname}} {{.Status}}").contains("n4 Ready")
        }
        try lab.waitUntil("its old containers are gone") {
            let kept = try lab.tasks(of: "spread").filter { $0.node == "n4" && $0.isRunning }
            return kept.isEmpty
        }
        try lab.on("n1", "service", "rm", "spread")
    }
}
