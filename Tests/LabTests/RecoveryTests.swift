import Foundation
import Testing

/// Most managers are gone for good.
@Suite(.serialized, .lab("recovery", number: 32, managers: 3, workers: 1)) struct RecoveryTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    /// All that has to be there afterwards.
    private struct Belongings: Equatable {
        var services: String
        var secrets: String
        var configs: String
        var networks: String
        var tokens: [String]
        var authority: String
    }

    private func belongings() throws -> Belongings {
        let lab = try lab()
        func list(_ kind: String) throws -> String {
            try lab.on("n1", kind, "ls", "--format", "{{.ID}} {{.Name}}").split(separator: "\n").sorted()
                .joined(separator: "\n")
        }
        let tokens = try ["worker", "manager"].map { role in
            // The addresses that follow are those of the managers of the moment.
            try lab.on("n1", "token", role, "-q").split(separator: "-").prefix(4).joined(separator: "-")
        }
        let swarm = try lab.api("n1", "/swarm")
        let root = try #require(swarm.range(of: "\"TrustRoot\":\"[^\"]+\"", options: .regularExpression))
        return Belongings(
            services: try list("service"), secrets: try list("secret"), configs: try list("config"),
            networks: try list("network"), tokens: tokens, authority: String(swarm[root]))
    }

    private func loseQuorum() throws {
        let lab = try lab()
        for node in ["n2", "n3"] { try lab.killAndWait(node) }
        try lab.waitUntil("the managers have no leader") {
            try lab.exec("n1", ["swarmctl", "recover", "--dry-run"]).status == 0
        }
    }

    private func running(_ service: String, on nodes: Set<String>) throws -> [String] {
        try lab().tasks(of: service).filter { $0.isRunning && nodes.contains($0.node) }.map(\.id).sorted()
    }

    /// Managers that are lost for good are started on machines of their own again, as new members.
    private func rejoin() throws {
        let lab = try lab()
        let token = try lab.on("n1", "token", "manager", "-q")
        for node in ["n2", "n3"] {
            try lab.lab("start", node)
            try lab.waitUntil("swarmd of \(node) answers") { try lab.exec(node, ["swarmctl", "info"]).status == 0 }
            try lab.on(node, "leave", "--force")
            try lab.on(node, "join", "--advertise-addr", lab.address(of: node), token)
            try lab.on(node, "image", "import", TestImage.archive(), "box:1")
        }
        try lab.waitUntil("three managers are up") {
            let rows = try lab.on("n1", "node", "ls", "--format", "{{.Status}} {{.ManagerStatus}}")
            return rows.split(separator: "\n").count { $0 == "Ready Leader" || $0 == "Ready Reachable" } == 3
        }
        try forgetFormerNodes()
    }

    /// What the machines were before they joined again.
    private func forgetFormerNodes() throws {
        let lab = try lab()
        try lab.waitUntil("four nodes are ready, and no others are known") {
            let rows = try lab.on("n1", "node", "ls", "--format", "{{.ID}} {{.Status}}").split(separator: "\n")
            for row in rows where row.hasSuffix(" Down") {
                try lab.on("n1", "node", "rm", "--force", String(row.prefix { $0 != " " }))
            }
            return rows.count { $0.hasSuffix(" Ready") } == 4 && rows.count == 4
        }
    }

    private func check(_ before: Belongings, staying: [String], containers: [String]) throws {
        let lab = try lab()
        try lab.waitUntilReady("n1")
        #expect(try belongings() == before)
        try lab.waitUntil("exactly one set of tasks runs", seconds: 60) {
            try running("web", on: ["n1", "n4"]).count == 6
                && lab.tasks(of: "web").count { $0.desired == "Running" } == 6
        }
        let kept = try running("web", on: ["n1", "n4"])
        #expect(staying.allSatisfy(kept.contains), "tasks of n1 and n4 went away: \(staying) \(kept)")
        #expect(try lab.containers(of: staying) == containers)
        for node in ["n1", "n4"] {
            try lab.waitUntil("the port answers on \(node)") { try lab.answers(8032, at: lab.address(of: node)) }
        }
        try lab.createConfig("after-\(UUID().uuidString)")
    }

    private func deploy() throws {
        let lab = try lab()
        try lab.on("n1", "network", "create", "--driver", "overlay", "back")
        _ = try lab.exec("n1", ["sh", "-c", "echo hush | swarmctl secret create hush -"])
        try lab.createConfig("kept")
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "web", "--replicas", "6", "--network", "back",
            "--secret", "hush", "--publish", "8032:80", "box:1", "sh", "-c",
            "mkdir -p /tmp/w && hostname > /tmp/w/index.html && exec httpd -f -h /tmp/w")
    }

    /// The machine with the state is gone, the backup is not.
    @Test func aBackupBeginsTheClusterAgainOnAnotherMachine() throws {
        let lab = try lab()
        try deploy()
        let before = try belongings()
        let file = "/tmp/swarm-test-\(UUID().uuidString).backup"
        defer { for suffix in ["", ".key"] { try? FileManager.default.removeItem(atPath: file + suffix) } }
        let made = try lab.on("n1", "backup", file)
        let key = try #require(made.range(of: "SWMKEY-1-[A-Za-z0-9+/]{43}", options: .regularExpression)).lowerBound
        let text = String(made[key...].prefix(9 + 43))
        try lab.on("n1", "backup", "--key-file", "\(file).key", file)
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
        #expect(try Command.run(["grep", "-c", "PRIVATE KEY", file]).output == "0\n")
        try lab.createConfig("later")
        #expect(try lab.exec("n1", ["swarmctl", "restore", file]).errors.contains("already part of a swarm"))

        let staying = try running("web", on: ["n4"])
        let containers = try lab.containers(of: staying)
        for node in ["n1", "n2", "n3"] { try lab.killAndWait(node) }
        for name in ["identity", "raft"] { try FileManager.default.removeItem(atPath: "\(lab.folder)/n1/lib/\(name)") }
        try lab.lab("start", "n1")
        try lab.waitUntil("swarmd answers") { try lab.exec("n1", ["swarmctl", "info"]).status == 0 }
        let wrong = try lab.exec("n1", ["sh", "-c", "echo \(text) | swarmctl restore \(file)"])
        #expect(wrong.status == 1 && wrong.errors.contains("invalid key"), "\(wrong)")
        #expect(try lab.on("n1", "info", "--format", "{{.Swarm.LocalNodeState}}") == "inactive")
        try lab.on(
            "n1", "restore", "--key-file", "\(file).key", "--advertise-addr", lab.address(of: "n1"), file)
        #expect(try belongings() == before)
        #expect(try !lab.configs().contains("later") && lab.configs().contains("kept"))
        // The worker knows this address, and goes on with what it runs.
        try rejoin()
        #expect(Set(try running("web", on: ["n4"])).isSuperset(of: staying))
        #expect(try lab.containers(of: staying) == containers)
        try lab.waitUntil("the service runs", seconds: 60) {
            try running("web", on: ["n1", "n2", "n3", "n4"]).count == 6
                && lab.tasks(of: "web").count { $0.desired == "Running" } == 6
        }
        try lab.on("n1", "service", "rm", "web")
        for (kind, name) in [("secret", "hush"), ("config", "kept"), ("network", "back")] {
            try lab.waitUntil("\(name) is gone") { try lab.exec("n1", ["swarmctl", kind, "rm", name]).status == 0 }
        }
    }

    @Test func r21TheSurvivorOfThreeManagersGoesOnAloneWithEverything() throws {
        let lab = try lab()
        try deploy()
        let refused = try lab.exec("n1", ["swarmctl", "recover", "--yes"])
        #expect(refused.status == 1 && refused.errors.contains("have a leader"), "\(refused)")

        // (a) as it is.
        var before = try belongings()
        var staying = try running("web", on: ["n1", "n4"])
        var containers = try lab.containers(of: staying)
        try loseQuorum()
        let plan = try lab.on("n1", "recover", "--dry-run")
        #expect(
            plan.contains("1 service,") && plan.contains("1 worker") && plan.contains(lab.address(of: "n3")), "\(plan)")
        #expect(try lab.exec("n1", ["swarmctl", "recover"]).errors.contains("--yes"))
        try lab.on("n1", "recover", "--yes")
        try check(before, staying: staying, containers: containers)

        // (b) locked, (c) at another address, (d) after a restart of the node.
        try rejoin()
        try lab.on("n1", "update", "--autolock", "true")
        let key = try lab.on("n1", "unlock-key", "-q")
        try lab.waitUntil("all nodes are ready") {
            try lab.on("n1", "node", "ls", "--format", "{{.Status}}").split(separator: "\n").count { $0 == "Ready" }
                == 4
        }
        before = try belongings()
        staying = try running("web", on: ["n1", "n4"])
        containers = try lab.containers(of: staying)
        try loseQuorum()
        try lab.killAndWait("n1")
        try lab.lab("start", "n1")
        try lab.waitUntil("swarmd answers") { try lab.exec("n1", ["swarmctl", "info"]).status == 0 }
        #expect(try lab.exec("n1", ["swarmctl", "recover", "--yes"]).errors.contains("swarmctl unlock"))
        #expect(try lab.exec("n1", ["sh", "-c", "echo \(key) | swarmctl unlock"]).status == 0)
        try lab.waitUntil("the managers have no leader") {
            try lab.exec("n1", ["swarmctl", "recover", "--dry-run"]).status == 0
        }
        let other = lab.address(of: "n1").replacingOccurrences(of: ".11", with: ".77")
        _ = try lab.exec(
            "n1", ["sh", "-c", "ip address add \(other)/24 dev $(ip -o -4 address | grep -m1 '10.99' | cut -d' ' -f2)"])
        try lab.on("n1", "recover", "--yes", "--advertise-addr", other)
        #expect(try lab.on("n1", "token", "worker", "-q").contains("\(other):2377"))
        try check(before, staying: staying, containers: containers)
        #expect(try lab.on("n1", "unlock-key", "-q") == key)
    }
}
