import Foundation
import Testing

/// Names and host ports as tasks come and go, on three nodes.
@Suite(.serialized, .lab("names", number: 9, managers: 1, workers: 2)) struct NameTests {
    private func lab() throws -> Lab { try #require(Lab.current) }
    private func checks() throws -> NetworkChecks { NetworkChecks(lab: try lab()) }

    /// A container on each node to ask from.
    private func askers(_ service: String, network: String) throws -> [String: String] {
        let lab = try lab()
        try checks().create(service, ["--mode", "global", "--network", network, "box:1", "sleep", "1000"])
        var found: [String: String] = [:]
        for node in lab.nodes { found[node] = try lab.processID(of: service, on: node) }
        return found
    }

    private func expectAnswers(
        _ name: String, _ count: Int, on askers: [String: String], seconds: Double, since start: Date,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let lab = try lab()
        for (node, pid) in askers.sorted(by: { $0.key < $1.key }) {
            try lab.waitUntil(
                "\(node) knows \(count) addresses of \(name)", seconds: seconds,
                { try lab.addresses(of: name, node: node, inside: pid).count == count }, sourceLocation: sourceLocation)
        }
        let took = Date().timeIntervalSince(start)
        #expect(took < seconds, "after \(took) s", sourceLocation: sourceLocation)
    }

    /// R10: within 5 s on all nodes.
    @Test func anEndedTasksAddressGoesFromTheAnswersOfAllNodes() throws {
        let lab = try lab()
        try lab.on("n1", "network", "create", "ends")
        try checks().create(
            "brief",
            ["--replicas", "3", "--network", "ends", "--restart-condition", "none", "box:1", "sleep", "1000"])
        let askers = try askers("ask-ends", network: "ends")
        try expectAnswers("brief", 3, on: askers, seconds: 5, since: Date())
        let task = try #require(try lab.tasks(of: "brief").first { $0.isRunning && $0.node == "n3" })
        let pid = try lab.processID(of: task.id)
        let start = Date()
        try lab.stop(pid, on: "n3", signal: "KILL")
        try expectAnswers("brief", 2, on: askers, seconds: 5, since: start)
        try expectAnswers("tasks.brief", 2, on: askers, seconds: 5, since: start)
        try lab.on("n1", "service", "rm", "brief", "ask-ends")
    }

    /// A node that is lost is noticed after three heartbeats (15 s, +10 %); then the same 5 s are left.
    @Test func aLostNodesAddressesGoFromTheAnswersOfTheOthers() throws {
        let lab = try lab()
        try lab.on("n1", "network", "create", "losses")
        try checks().create(
            "spread",
            ["--mode", "global", "--network", "losses", "--restart-condition", "none", "box:1", "sleep", "1000"])
        var askers = try askers("ask-losses", network: "losses")
        try expectAnswers("spread", 3, on: askers, seconds: 5, since: Date())
        let pid = try lab.processID(of: "spread", on: "n3")
        let start = Date()
        try lab.lab("kill", "n3")
        try lab.stop(pid, on: "n3", signal: "KILL")
        askers["n3"] = nil
        try expectAnswers("spread", 2, on: askers, seconds: 22, since: start)
        try lab.lab("start", "n3")
        try lab.waitUntil("the node is back") {
            try lab.on("n1", "node", "ls", "--format", "{{.Hostname}} {{.Status}}").contains("n3 Ready")
        }
        try lab.on("n1", "service", "rm", "spread", "ask-losses")
    }

    private static let verboseServer = "mkdir -p /www; echo here > /www/index.html; exec httpd -f -vv -p 80 -h /www"

    /// R2: on the task's node and nowhere else, and the task sees who asks.
    @Test func aHostPortAnswersOnItsNodeAloneAndShowsTheClient() throws {
        let lab = try lab()
        try checks().create(
            "local",
            [
                "--publish", "mode=host,target=80,published=8095", "--constraint", "node.hostname==n2", "--init",
                "box:1",
                "sh", "-c", NameTests.verboseServer,
            ])
        try lab.waitUntil("the port answers on n2") { try lab.answers(8095, at: lab.address(of: "n2")) }
        for node in ["n1", "n3"] {
            let refused = try lab.exec("outside", ["curl", "-sS", "-m", "2", "http://\(lab.address(of: node)):8095/"])
            #expect(refused.status == 7, "\(node): \(refused)")
        }
        try expectClient("local")
        try lab.on("n1", "service", "rm", "local")
    }

    /// R2: an ingress port too shows the client on the node that was asked; elsewhere the asked node stands for it.
    @Test func aTaskOnTheAskedNodeSeesTheClient() throws {
        let lab = try lab()
        try checks().create(
            "seen",
            [
                "--publish", "8096:80", "--constraint", "node.hostname==n2", "--init", "box:1", "sh", "-c",
                NameTests.verboseServer,
            ])
        try lab.waitUntil("the port answers on n1") { try lab.answers(8096, at: lab.address(of: "n1")) }
        try lab.waitUntil("the request is logged") { try !logs("seen").isEmpty }
        #expect(try !logs("seen").contains("\(lab.address(of: "outside"))]:"))
        try lab.waitUntil("the port answers on n2") { try lab.answers(8096, at: lab.address(of: "n2")) }
        try expectClient("seen")
        try lab.on("n1", "service", "rm", "seen")
    }

    private func logs(_ service: String) throws -> String {
        let result = try lab().exec("n1", ["swarmctl", "service", "logs", "--raw", service])
        return result.output + result.errors
    }

    private func expectClient(_ service: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let lab = try lab()
        try lab.waitUntil(
            "\(service) has seen the client's address",
            { try logs(service).contains("\(lab.address(of: "outside"))]:") }, sourceLocation: sourceLocation)
    }
}
