import Foundation
import Testing

/// R26, R27: certificates that run out, and clocks that are wrong.
///
/// Time goes by by starting daemons with their clocks moved; each test begins where the one before has left them.
@Suite(.serialized, .lab("identity", number: 30, managers: 3, workers: 2)) struct IdentityTests {
    private static let day = 86_400
    private func lab() throws -> Lab { try #require(Lab.current) }

    /// R26: nobody could be asked for a new certificate while all were off.
    @Test func r26aTheWholeClusterPastExpiryComesBack() throws {
        let lab = try lab()
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "steady", "--mode", "global", "box:1", "sleep",
            "100000")
        let ids = try lab.nodeIDs()
        let processes = try lab.processes(of: "steady")
        try lab.moveTime(to: 100 * Self.day, of: lab.nodes)
        // Managers sign their own; nothing is to be done.
        for node in ["n1", "n2", "n3"] {
            try lab.waitUntilReady(node)
            #expect(try lab.log(node).contains("it has signed a new one by its own copy of the state"))
        }
        for node in ["n4", "n5"] {
            try lab.waitUntil("\(node) says what to do") {
                let info = try lab.on(node, "info")
                return info.contains("Swarm: error") && info.contains("expired at")
                    && info.contains("swarmctl join --renew TOKEN")
            }
        }
        let token = try lab.on("n1", "token", "worker", "--quiet")
        let again = try lab.exec("n4", ["swarmctl", "join", token])
        #expect(again.status == 1 && again.errors.contains("This node is already part of a swarm."))
        #expect(again.errors.contains("swarmctl join --renew TOKEN"))
        for node in ["n4", "n5"] {
            #expect(try lab.on(node, "join", "--renew", token) == "This node is back in its swarm as a worker.")
        }
        try lab.waitUntil("all nodes are ready") { try lab.readyNodes() == lab.nodes }
        #expect(try lab.nodeIDs() == ids)
        #expect(try lab.processes(of: "steady") == processes)
        // What the others made of it is the same: new tasks run there.
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "new", "--mode", "global", "box:1", "sleep",
            "1000")
        try lab.waitUntil("a new service runs on all") {
            Set(try lab.tasks(of: "new").filter(\.isRunning).map(\.node)) == Set(lab.nodes)
        }
        try lab.on("n1", "service", "rm", "new")
    }

    /// R26: the others have renewed theirs twice meanwhile.
    @Test func r26bAFollowerThatSleptPastItsExpiryComesBackByItself() throws {
        let lab = try lab()
        try lab.killAndWait("n2")
        let others = lab.nodes.filter { $0 != "n2" }
        for days in [150, 200] {
            try lab.moveTime(to: days * Self.day, of: others)
            try lab.waitUntil("certificates are renewed at half of their time", seconds: 60) {
                try others.allSatisfy { try lab.log($0).contains("the node's certificate is renewed") }
            }
            try lab.waitUntil("all others are ready") { try lab.readyNodes() == others }
        }
        try lab.start("n2", at: 200 * Self.day)
        try lab.waitUntil("it is back") { try lab.readyNodes() == lab.nodes }
        #expect(try lab.log("n2").contains("it has signed a new one by its own copy of the state"))
        try lab.createConfig("after-sleep", on: "n2")
        #expect(try lab.configs(on: "n3").contains("after-sleep"))
    }

    @Test func r26cAClusterOfOneNodePastItsExpiryComesBackByItself() throws {
        let lab = try lab()
        let token = try lab.on("n1", "token", "worker", "--quiet")
        let id = try lab.nodeIDs()["n5"]
        try lab.on("n5", "leave")
        try lab.on("n5", "init", "--cert-expiry", "1h")
        try lab.createConfig("lonely", on: "n5")
        let own = try lab.on("n5", "info", "--format", "{{.Swarm.NodeID}}")
        try lab.moveTime(to: 202 * Self.day, of: ["n5"])
        try lab.waitUntilReady("n5")
        #expect(try lab.configs(on: "n5") == ["lonely"])
        try lab.waitUntil("it is ready") {
            try lab.on("n5", "node", "ls", "--format", "{{.ID}} {{.Status}}") == "\(own) Ready"
        }
        try lab.on("n5", "leave", "--force")
        try lab.moveTime(to: 200 * Self.day, of: ["n5"])
        try lab.on("n5", "join", token)
        try lab.on("n1", "node", "rm", try #require(id))
        try lab.waitUntil("it is a worker of the others again") { try lab.readyNodes() == lab.nodes }
    }

    @Test func r26dAWorkerWhoseManagersHaveAllMovedComesBackByOneCommand() throws {
        let lab = try lab()
        let ids = try lab.nodeIDs()
        let token = try lab.on("n1", "token", "worker", "--quiet")
        try lab.killAndWait("n4")
        let file = "\(lab.folder)/n4/lib/identity/node.conf"
        let conf = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map {
            $0.hasPrefix("managers=") ? "managers=\(lab.address(of: "outside")):2377" : String($0)
        }
        try (conf.joined(separator: "\n") + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        try lab.start("n4", at: 200 * Self.day)
        try lab.waitUntilAnswers("n4")
        try lab.waitUntil("it looks for them in vain") { try lab.log("n4").contains("no session with the manager") }
        let refused = try lab.exec(
            "n4", ["swarmctl", "join", "--renew", "--advertise-addr", "192.0.2.1", token])
        #expect(refused.status == 1 && refused.errors.contains("keeps its addresses"))
        let wrong = JoinTokenText(token).withOtherSecret
        let denied = try lab.exec("n4", ["swarmctl", "join", "--renew", wrong])
        #expect(denied.status == 1 && denied.errors.contains("the join token is not valid any more"))
        try lab.on("n4", "join", "--renew", "--manager", "\(lab.address(of: "n2")):2377", token)
        try lab.waitUntil("it is back") { try lab.readyNodes() == lab.nodes }
        #expect(try lab.nodeIDs() == ids)
    }

    @Test func r26eAManagerThatLostItsLogIsNotStartedAndComesBackByOneCommand() throws {
        let lab = try lab()
        let ids = try lab.nodeIDs()
        let processes = try lab.processes(of: "steady")
        try lab.killAndWait("n3")
        try FileManager.default.removeItem(atPath: "\(lab.folder)/n3/lib/raft")
        try lab.start("n3", at: 200 * Self.day)
        try lab.waitUntil("it says what is lost") {
            let info = try lab.on("n3", "info")
            return info.contains("raft is gone") && info.contains("swarmctl join --renew TOKEN")
        }
        let worker = try lab.on("n1", "token", "worker", "--quiet")
        let refused = try lab.exec("n3", ["swarmctl", "join", "--renew", worker])
        #expect(refused.status == 1 && refused.errors.contains("swarmctl token manager"))
        let output = try lab.on("n3", "join", "--renew", try lab.on("n1", "token", "manager", "--quiet"))
        #expect(output == "This node is back in its swarm as a manager.")
        try lab.createConfig("with-new-log", on: "n3")
        try lab.waitUntil("three managers decide") { try managers() == 3 }
        #expect(try lab.nodeIDs() == ids)
        #expect(try lab.processes(of: "steady") == processes)
        // It counts: one of the others may go.
        try lab.killAndWait("n1")
        try lab.waitUntil("the other two decide") {
            try lab.exec("n3", ["swarmctl", "config", "create", "c-\(UUID().uuidString)", "/etc/hostname"]).status == 0
        }
        try lab.start("n1", at: 200 * Self.day)
        try lab.waitUntil("all are back") { try lab.readyNodes() == lab.nodes }
    }

    @Test func r26eAManagerThatLostItsLogIsDemotedAndPromotedLikeOthers() throws {
        let lab = try lab()
        let ids = try lab.nodeIDs()
        try lab.killAndWait("n2")
        try FileManager.default.removeItem(atPath: "\(lab.folder)/n2/lib/raft")
        try lab.start("n2", at: 200 * Self.day)
        try lab.waitUntil("it says what is lost") { try lab.on("n2", "info").contains("raft is gone") }
        try lab.on("n1", "node", "demote", "n2")
        try lab.waitUntil("it is a worker that lacks nothing") {
            try managers() == 2 && !lab.on("n2", "info").contains("raft is gone") && lab.readyNodes() == lab.nodes
        }
        try lab.on("n1", "node", "promote", "n2")
        try lab.waitUntil("three managers decide") { try managers() == 3 }
        try lab.createConfig("with-a-new-member", on: "n2")
        #expect(try lab.nodeIDs() == ids)
    }

    /// Those that take part.
    private func managers() throws -> Int {
        try lab().on("n1", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}").split(separator: "\n")
            .count { $0.hasSuffix("Leader") || $0.hasSuffix("Reachable") }
    }

    @Test func r26fARemovedNodeIsRefusedWithAReason() throws {
        let lab = try lab()
        let ids = try lab.nodeIDs()
        try lab.killAndWait("n5")
        try lab.on("n1", "node", "rm", "--force", try #require(ids["n5"]))
        try lab.start("n5", at: 200 * Self.day)
        try lab.waitUntilAnswers("n5")
        let token = try lab.on("n1", "token", "worker", "--quiet")
        let refused = try lab.exec("n5", ["swarmctl", "join", "--renew", token])
        #expect(refused.status == 1 && refused.errors.contains("was removed from the cluster"))
        try lab.on("n5", "leave")
        try lab.on("n5", "join", token)
        try lab.waitUntil("it is back under another id") {
            let now = try lab.nodeIDs()
            return try lab.readyNodes() == lab.nodes && now["n5"] != ids["n5"]
        }
    }

    @Test func r27aTenMinutesEitherWayAreNothing() throws {
        let lab = try lab()
        let ids = try lab.nodeIDs()
        try lab.moveTime(to: 200 * Self.day + 600, of: ["n4"])
        try lab.moveTime(to: 200 * Self.day - 600, of: ["n2", "n5"])
        // Only over sessions of after the start does a new service come to all nodes.
        try lab.on(
            "n1", "service", "create", "--detach", "--no-resolve-image", "--name", "skewed", "--mode", "global",
            "box:1",
            "sleep", "1000")
        try lab.waitUntil("a new service runs on all") {
            Set(try lab.tasks(of: "skewed").filter(\.isRunning).map(\.node)) == Set(lab.nodes)
        }
        try lab.on("n1", "service", "rm", "skewed")
        #expect(try lab.nodeIDs() == ids)
        for node in ["n2", "n4", "n5"] { #expect(try !lab.log(node).contains("clock here")) }
        try lab.moveTime(to: 200 * Self.day, of: ["n2", "n4", "n5"])
        try lab.waitUntil("all are ready") { try lab.readyNodes() == lab.nodes }
    }

    /// A new certificate is from before that time: the error names both, nothing is renewed in a hurry.
    @Test func r27bADayBackwardsIsNamedAndMakesNoStorm() throws {
        let lab = try lab()
        let process = try lab.processID(of: "steady", on: "n5")
        let file = "\(lab.folder)/n5/lib/identity/node.pem"
        let certificate = try String(contentsOfFile: file, encoding: .utf8)
        let before = try lab.log("n1").count { $0 == "\n" }
        try lab.moveTime(to: 199 * Self.day, of: ["n5"])
        try lab.waitUntil("the node names both times") {
            let info = try lab.on("n5", "info")
            return info.contains("is valid from") && info.contains("the clock here says")
                && info.contains("set the clock")
        }
        try lab.waitUntil("a manager calls it down") { try lab.readyNodes() == lab.nodes.filter { $0 != "n5" } }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == certificate)
        #expect(try lab.log("n5").split(separator: "\n").count { $0.contains("no session") } < 20)
        #expect(try lab.log("n1").count { $0 == "\n" } - before < 20)
        #expect(try lab.exec("n5", ["kill", "-0", process]).status == 0)
        try lab.moveTime(to: 200 * Self.day, of: ["n5"])
        try lab.waitUntil("it is back") { try lab.readyNodes() == lab.nodes }
    }
}

/// A token with a secret of nobody's.
private struct JoinTokenText {
    let parts: [String]
    init(_ token: String) { parts = token.split(separator: "-").map(String.init) }

    var withOtherSecret: String {
        var parts = parts
        parts[3] = String(repeating: "0", count: 25)
        return parts.joined(separator: "-")
    }
}
