import Foundation
import Testing

/// Nodes that become managers, cease to be ones, leave and are removed.
@Suite(.serialized, .lab("roles", number: 10, managers: 3, workers: 2)) struct ManagerRoleTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    private struct NodeRow {
        var id: String
        var name: String
        var status: String
        /// Leader, Reachable, Unreachable or nothing.
        var manager: String
    }

    private func nodes(seenFrom node: String) throws -> [NodeRow] {
        let text = try lab().on(
            node, "node", "ls", "--format", "{{.ID}}|{{.Hostname}}|{{.Status}}|{{.ManagerStatus}}")
        return text.split(separator: "\n").map { line in
            let parts = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            return NodeRow(id: parts[0], name: parts[1], status: parts[2], manager: parts[3])
        }
    }

    /// The one of this name that is up.
    private func row(_ name: String, seenFrom node: String) throws -> NodeRow {
        try #require(try nodes(seenFrom: node).first { $0.name == name && $0.status == "Ready" })
    }

    private func leader(seenFrom node: String) throws -> String {
        try #require(try nodes(seenFrom: node).first { $0.manager == "Leader" }).name
    }

    private func waitForManagers(_ names: [String], seenFrom node: String) throws {
        try lab().waitUntil("\(names) are the managers") { try isManaged(by: names, seenFrom: node) }
    }

    private func isManaged(by names: [String], seenFrom node: String) throws -> Bool {
        // Who is heard is known on the leader.
        let rows = try nodes(seenFrom: try leader(seenFrom: node))
        let up = rows.filter { $0.status == "Ready" && ["Leader", "Reachable"].contains($0.manager) }
        return up.map(\.name).sorted() == names && rows.count { !$0.manager.isEmpty } == names.count
    }

    /// What the tasks' containers are: the same ids and pids are the same processes.
    private func processes(of tasks: [String], seenFrom node: String) throws -> [String] {
        try tasks.map { task in
            let json = try lab().api(node, "/tasks/\(task)")
            let container = json.range(of: "\"ContainerID\":\"[0-9a-f]+\"", options: .regularExpression)
            let pid = json.range(of: "\"PID\":[0-9]+", options: .regularExpression)
            return "\(json[try #require(container)]) \(json[try #require(pid)])"
        }
    }

    private func write(on node: String) throws -> Command.Result {
        try lab().exec(node, ["swarmctl", "config", "create", "c-\(UUID().uuidString)", "/etc/hostname"])
    }

    /// The fourth of four managers: three of them decide only with it.
    @Test func aPromotedWorkerDecidesWithTheOthers() throws {
        let lab = try lab()
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "steady", "--replicas", "8", "box:1", "sleep",
            "1000")
        let before = try lab.tasks(of: "steady").map(\.id).sorted()
        let containers = try processes(of: before, seenFrom: "n1")
        #expect(try lab.exec("n4", ["swarmctl", "node", "ls"]).status != 0)
        try lab.on("n1", "node", "promote", "n4")
        try waitForManagers(["n1", "n2", "n3", "n4"], seenFrom: "n1")
        try lab.waitUntil("the new manager answers") { try nodes(seenFrom: "n4").count == 5 }
        try lab.lab("kill", "n2")
        try lab.waitUntil("a write is accepted", seconds: 10) { try write(on: "n4").status == 0 }
        #expect(try lab.tasks(of: "steady", on: "n4").filter(\.isRunning).map(\.id).sorted() == before)
        #expect(try processes(of: before, seenFrom: "n4") == containers)
        try lab.lab("start", "n2")
        try waitForManagers(["n1", "n2", "n3", "n4"], seenFrom: "n4")
        let output = try lab.on("n4", "node", "demote", "n4")
        #expect(output.contains("demoted"))
        try waitForManagers(["n1", "n2", "n3"], seenFrom: "n1")
        try lab.waitUntil("it answers as a worker") {
            try lab.exec("n4", ["swarmctl", "node", "ls"]).errors.contains("not a swarm manager")
                && !FileManager.default.fileExists(atPath: "\(lab.folder)/n4/lib/raft")
        }
        #expect(try processes(of: before, seenFrom: "n1") == containers)
        try lab.on("n1", "service", "rm", "steady")
    }

    /// R22: two workers become managers at once, then two managers workers, whoever leads one of them; each write is accepted.
    @Test func r22SeveralManagersComeAndGoAtOnceWhileWritesAreAccepted() throws {
        let lab = try lab()
        func waitWhileWriting(_ names: [String], seenFrom node: String) throws {
            try lab.waitUntil("\(names) are the managers") {
                let result = try write(on: node)
                #expect(result.status == 0, "\(result.errors)")
                return try isManaged(by: names, seenFrom: node)
            }
        }
        try lab.on("n1", "node", "promote", "n4", "n5")
        try waitWhileWriting(["n1", "n2", "n3", "n4", "n5"], seenFrom: "n1")
        // Each of the five counts: three decide.
        for node in ["n2", "n3"] { try lab.lab("kill", node) }
        try lab.waitUntil("a write is accepted", seconds: 10) { try write(on: "n5").status == 0 }
        for node in ["n2", "n3"] { try lab.lab("start", node) }
        try waitForManagers(["n1", "n2", "n3", "n4", "n5"], seenFrom: "n4")
        let leader = try leader(seenFrom: "n4")
        // Where one of the three leads, it is among those that go.
        let going = ["n1", "n2", "n3"].sorted { $0 == leader && $1 != leader }.prefix(2)
        let staying = try #require(["n1", "n2", "n3"].first { !going.contains($0) })
        try lab.on(staying, "node", "demote", going[0], going[1])
        try waitWhileWriting([staying, "n4", "n5"], seenFrom: staying)
        for node in going {
            try lab.waitUntil("\(node) answers as a worker") {
                try lab.exec(node, ["swarmctl", "node", "ls"]).errors.contains("not a swarm manager")
            }
        }
        // Two come and two go.
        try lab.on(staying, "node", "promote", going[0], going[1])
        try lab.on(staying, "node", "demote", "n4", "n5")
        try waitWhileWriting(["n1", "n2", "n3"], seenFrom: staying)
    }

    /// R22: the leader goes.
    @Test func r22ADemotedLeaderHandsOverAndNoTaskNotices() throws {
        let lab = try lab()
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "calm", "--replicas", "6", "box:1", "sleep",
            "1000")
        let before = try lab.tasks(of: "calm").map(\.id).sorted()
        let containers = try processes(of: before, seenFrom: "n1")
        let old = try leader(seenFrom: "n1")
        let others = ["n1", "n2", "n3"].filter { $0 != old }
        try lab.on(old, "node", "demote", old)
        try waitForManagers(others, seenFrom: others[0])
        #expect(others.contains(try leader(seenFrom: others[0])))
        #expect(try write(on: others[1]).status == 0)
        #expect(try lab.tasks(of: "calm", on: others[0]).filter(\.isRunning).map(\.id).sorted() == before)
        #expect(try processes(of: before, seenFrom: others[0]) == containers)
        try lab.on(others[0], "node", "promote", old)
        try waitForManagers(["n1", "n2", "n3"], seenFrom: others[0])
        #expect(try lab.tasks(of: "calm", on: others[0]).filter(\.isRunning).map(\.id).sorted() == before)
        try lab.on(others[0], "service", "rm", "calm")
    }

    /// R22: a manager sleeps while Raft goes on without it, and is promoted again before it knows.
    @Test func r22AManagerThatIsPromotedAgainAtOnceTakesPartAgain() throws {
        let lab = try lab()
        let leader = try leader(seenFrom: "n1")
        let others = ["n1", "n2", "n3"].filter { $0 != leader }
        let (sleeping, third) = (others[0], others[1])
        try lab.lab("stop", sleeping)
        try lab.on(leader, "node", "demote", sleeping)
        try lab.waitUntil("Raft goes on without it") {
            try nodes(seenFrom: leader).contains { $0.name == sleeping && $0.manager.isEmpty }
        }
        try lab.on(leader, "node", "promote", sleeping)
        try lab.lab("cont", sleeping)
        try waitForManagers(["n1", "n2", "n3"], seenFrom: leader)
        // It counts: the other two decide with it alone.
        try lab.lab("kill", third)
        try lab.waitUntil("a write is accepted", seconds: 10) { try write(on: sleeping).status == 0 }
        try lab.lab("start", third)
        try waitForManagers(["n1", "n2", "n3"], seenFrom: sleeping)
    }

    /// R22: a manager goes while another one is down.
    @Test func r22WhatWouldLoseTheQuorumIsRefused() throws {
        let lab = try lab()
        let leader = try leader(seenFrom: "n1")
        let others = ["n1", "n2", "n3"].filter { $0 != leader }
        let (lost, kept) = (others[0], others[1])
        try lab.lab("kill", lost)
        try lab.waitUntil("the loss is seen") {
            try nodes(seenFrom: leader).contains { $0.name == lost && $0.manager == "Unreachable" }
        }
        // Asked on the follower, which does not know whom the leader hears.
        let demotion = try lab.exec(kept, ["swarmctl", "node", "demote", kept])
        #expect(demotion.status != 0)
        #expect(demotion.errors.contains("loss of quorum (1 of the remaining 2 managers are reachable)"))
        let leave = try lab.exec(kept, ["swarmctl", "leave", "--force"])
        #expect(leave.status != 0 && leave.errors.contains("loss of quorum"))
        let removal = try lab.exec(leader, ["swarmctl", "node", "rm", "--force", lost])
        #expect(removal.status != 0 && removal.errors.contains("must be demoted"))
        // The others are as they were.
        #expect(try write(on: kept).status == 0)
        try lab.lab("start", lost)
        try waitForManagers(["n1", "n2", "n3"], seenFrom: leader)
    }

    /// R22: the leader is no manager before it is removed, and of two managers it hands over to the other one.
    @Test func r22TwoManagersBecomeOneAndTheLastOneStays() throws {
        let lab = try lab()
        let old = try leader(seenFrom: "n1")
        let others = ["n1", "n2", "n3"].filter { $0 != old }
        let removal = try lab.exec(others[0], ["swarmctl", "node", "rm", "--force", old])
        #expect(removal.status != 0 && removal.errors.contains("must be demoted"), "\(removal.errors)")
        try lab.on(old, "node", "demote", others[1])
        try waitForManagers([others[0], old].sorted(), seenFrom: old)
        try lab.on(old, "node", "demote", old)
        try waitForManagers([others[0]], seenFrom: others[0])
        #expect(try leader(seenFrom: others[0]) == others[0])
        #expect(try write(on: others[0]).status == 0)
        let last = try lab.exec(others[0], ["swarmctl", "node", "demote", others[0]])
        #expect(last.status != 0 && last.errors.contains("demote the last manager"), "\(last.errors)")
        for node in [old, others[1]] { try lab.on(others[0], "node", "promote", node) }
        try waitForManagers(["n1", "n2", "n3"], seenFrom: others[0])
    }

    @Test func aManagerLeavesByForceAndJoinsAgain() throws {
        let lab = try lab()
        let leader = try leader(seenFrom: "n1")
        let other = leader == "n1" ? "n2" : "n1"
        let refused = try lab.exec(leader, ["swarmctl", "leave"])
        #expect(refused.status != 0)
        #expect(refused.errors.contains("participating as a manager") && refused.errors.contains("--force"))
        let id = try row(leader, seenFrom: other).id
        try lab.on(leader, "leave", "--force")
        let rest = ["n1", "n2", "n3"].filter { $0 != leader }
        try waitForManagers(rest, seenFrom: other)
        try lab.waitUntil("it is down") {
            try nodes(seenFrom: other).contains { $0.id == id && $0.status == "Down" && $0.manager.isEmpty }
        }
        #expect(try write(on: rest[0]).status == 0 && write(on: rest[1]).status == 0)
        try lab.on(leader, "join", try lab.on(other, "token", "manager", "--quiet"))
        try waitForManagers(["n1", "n2", "n3"], seenFrom: other)
        try lab.on(other, "node", "rm", id)
        #expect(try !nodes(seenFrom: other).contains { $0.id == id })
    }

    @Test func aRemovedNodesCertificateCountsNoMore() throws {
        let lab = try lab()
        let id = try row("n4", seenFrom: "n1").id
        let refused = try lab.exec("n1", ["swarmctl", "node", "rm", id])
        #expect(refused.status != 0 && refused.errors.contains("is not down"))
        try lab.on("n1", "node", "rm", "--force", id)
        try lab.waitUntil("the node knows that it was removed") {
            try lab.on("n4", "info").contains("Error: node \(id) was removed from the cluster")
        }
        #expect(try !nodes(seenFrom: "n1").contains { $0.id == id })
        try lab.on("n4", "leave")
        try lab.on("n4", "join", try lab.on("n1", "token", "worker", "--quiet"))
        try lab.waitUntil("it is back under another id") { try row("n4", seenFrom: "n1").id != id }
    }

    @Test func aRotatedTokenAdmitsNobody() throws {
        let lab = try lab()
        let id = try row("n4", seenFrom: "n1").id
        try lab.on("n4", "leave")
        try lab.waitUntil("it is down at once", seconds: 5) {
            try nodes(seenFrom: "n1").contains { $0.id == id && $0.status == "Down" }
        }
        for role in ["worker", "manager"] {
            let old = try lab.on("n1", "token", role, "--quiet")
            let new = try lab.on("n2", "token", role, "--rotate", "--quiet")
            #expect(new != old)
            let refused = try lab.exec("n4", ["swarmctl", "join", old])
            #expect(refused.status != 0 && refused.errors.contains("the join token is not valid any more"))
        }
        try lab.on("n4", "join", try lab.on("n3", "token", "worker", "--quiet"))
        try lab.waitUntil("it is back") { try row("n4", seenFrom: "n1").id != id }
        try lab.on("n1", "node", "rm", id)
    }
}
