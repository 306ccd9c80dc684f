import Foundation
import Testing

/// Leaders that stand still or lose power, and logs that are damaged, with a service on a worker that must not notice.
@Suite(.serialized, .lab("outage", number: 14, managers: 3, workers: 1)) struct OutageTests {
    private static let managers = ["n1", "n2", "n3"]

    private func lab() throws -> Lab { try #require(Lab.current) }

    private func createService(_ name: String) throws -> [String] {
        let lab = try lab()
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", name, "--replicas", "3", "--constraint",
            "node.role==worker", "box:1", "sleep", "1000")
        return try lab.running(name)
    }

    /// What was told of nodes that went down, on one manager.
    private func lossesTold(by node: String) throws -> [String] {
        let result = try lab().exec(
            node,
            [
                "swarmctl", "events", "--since", "10m", "--until", "0s", "--filter", "type=node", "--format",
                "{{json .Actor.Attributes}}",
            ])
        return result.output.split(separator: "\n").map(String.init).filter { $0.contains("\"state.new\":\"down\"") }
    }

    private func setHeartbeat(seconds: Int) throws {
        let client = SocketClient(path: "\(try lab().folder)/n1/swarm.sock")
        let swarm = try #require(client.object("/swarm") as? [String: Any])
        let version = try #require((swarm["Version"] as? [String: Any])?["Index"] as? Int)
        var spec = try #require(swarm["Spec"] as? [String: Any])
        spec["Dispatcher"] = ["HeartbeatPeriod": seconds * 1_000_000_000]
        let body = try JSONSerialization.data(withJSONObject: spec)
        guard case .status(200, _) = client.request("POST", "/swarm/update?version=\(version)", body: body) else {
            throw LabError("the heartbeat's period cannot be set")
        }
    }

    private func isReady(_ node: String, seenFrom other: String) throws -> Bool {
        try lab().on(other, "node", "ls", "--format", "{{.Hostname}} {{.Status}}").contains("\(node) Ready")
    }

    /// R23: a leader that stood still for longer than any deadline finds nobody down when it goes on, and leads no more.
    ///
    /// With heartbeats of 1 s a node is down after 3 s. `SWARM_LAB_PAUSE_SECONDS=60 SWARM_LAB_ROUNDS=10` is the long form.
    @Test func r23AStoppedLeaderTakesNobodyDownWhenItGoesOn() throws {
        let lab = try lab()
        let environment = ProcessInfo.processInfo.environment
        let seconds = Double(environment["SWARM_LAB_PAUSE_SECONDS"] ?? "") ?? 5
        try setHeartbeat(seconds: 1)
        let before = try createService("patient")
        for _ in 0..<(Int(environment["SWARM_LAB_ROUNDS"] ?? "") ?? 3) {
            let old = try lab.leader(among: OutageTests.managers)
            let others = OutageTests.managers.filter { $0 != old }
            let known = try lossesTold(by: others[0]).count
            let start = Date()
            try lab.lab("stop", old)
            try lab.waitUntil("another manager leads", seconds: 10) {
                try others.contains(lab.leader(among: others, seconds: 0.2))
            }
            // The election timeout is 1 s at most; the commands of this test take their time, too.
            #expect(Date().timeIntervalSince(start) < 3)
            usleep(UInt32(max(0, seconds - Date().timeIntervalSince(start)) * 1_000_000))
            try lab.lab("cont", old)
            try lab.waitUntil("the node is ready again") { try isReady(old, seenFrom: others[0]) }
            try lab.waitUntil("the old leader follows") { try lab.leader(among: [old]) != old }
            // Nobody but the one that stood still, whoever tells it.
            for node in OutageTests.managers {
                let losses = try lossesTold(by: node).dropFirst(known)
                #expect(losses.allSatisfy { $0.contains("\"name\":\"\(old)\"") }, "told by \(node): \(losses)")
            }
            #expect(try lab.running("patient") == before)
        }
        try setHeartbeat(seconds: 5)
        try lab.on("n1", "service", "rm", "patient")
    }

    /// R24: no packet says that the leader is gone; the agents find the next one, and no task notices.
    @Test func r24AgentsFindTheNextLeaderAfterAPowerCut() throws {
        let lab = try lab()
        let before = try createService("calm")
        let old = try lab.leader(among: OutageTests.managers)
        let others = OutageTests.managers.filter { $0 != old }
        let known = try lossesTold(by: others[0]).count
        try lab.lab("partition", old)
        let cut = Date()
        try lab.killAndWait(old)
        try lab.waitUntil("another manager leads", seconds: 10) {
            try others.contains(lab.leader(among: others, seconds: 0.2))
        }
        // The worker's agent gets a task by its new session only.
        try lab.exec(others[0], ["swarmctl", "service", "scale", "--detach", "calm=4"]).succeed()
        try lab.waitUntil("the worker runs a fourth task", seconds: 20) {
            try lab.tasks(of: "calm", on: others[0]).count(where: \.isRunning) == 4
        }
        let duration = Date().timeIntervalSince(cut)
        print("power cut: \(duration) s until the worker ran a new task")
        #expect(duration < 15)
        let after = try lab.running("calm", on: others[0])
        #expect(Set(after).isSuperset(of: before), "\(after), \(before)")
        let losses = try lossesTold(by: others[0]).dropFirst(known)
        #expect(losses.allSatisfy { $0.contains("\"name\":\"\(old)\"") }, "\(losses)")
        try lab.lab("heal")
        try lab.lab("start", old)
        try lab.waitUntil("the node is ready again", seconds: 40) { try isReady(old, seenFrom: others[0]) }
        try lab.on(others[0], "service", "rm", "calm")
    }

    /// R25: damage before the log's end names file, offset and command; whoever follows it has the manager back.
    @Test func r25AManagerWithADamagedLogComesBackByTheCommandThatItNames() throws {
        let lab = try lab()
        try lab.createConfig("before-damage")
        let leader = try lab.leader(among: OutageTests.managers)
        let broken = try #require(OutageTests.managers.first { $0 != leader })
        try lab.killAndWait(broken)
        let file = try lab.damageLog(of: broken)
        let reason = try lab.reasonOfBrokenMembership(broken)
        #expect(reason.contains("\(file) is damaged at byte "), "\(reason)")
        #expect(reason.contains("`swarmctl join --renew TOKEN`"), "\(reason)")
        try lab.lab("start", broken)
        try lab.waitUntil("it is ready, with what it runs") { try isReady(broken, seenFrom: leader) }
        try lab.on(broken, "join", "--renew", lab.on(leader, "token", "manager", "-q"))
        try lab.waitUntil("it is a manager again") {
            try lab.on(leader, "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
                .contains("\(broken) Reachable") && (try lab.configs(on: broken)).contains("before-damage")
        }
        try lab.createConfig("after-damage", on: broken)
        #expect(try lab.configs(on: leader).contains("after-damage"))
    }
}

extension Lab {
    /// The tasks of a service that run, each with what tells one start of its container from another.
    func running(_ service: String, on node: String = "n1") throws -> [String] {
        try tasks(of: service, on: node).filter(\.isRunning).map { task in
            let json = try api(node, "/tasks/\(task.id)")
            guard let container = json.range(of: "\"ContainerID\":\"[0-9a-f]+\"", options: .regularExpression) else {
                throw LabError("no container in \(json)")
            }
            let pid = try processID(of: task.id, seenFrom: node)
            // The 22nd field of proc(5)'s stat: when the process started.
            let started = try exec(node, ["cut", "-d", " ", "-f", "22", "/proc/\(pid)/stat"]).output
            return "\(task.id) \(json[container]) \(pid) \(started)"
        }.sorted()
    }

    private func lastSegment(of node: String) throws -> (name: String, url: URL) {
        let folder = "\(folder)/\(node)/lib/raft"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("log-") }
        guard let name = names.max() else { throw LabError("no log in \(folder)") }
        return (name, URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    /// Turns one byte in the midst of a node's log, whose swarmd is down; the file's path on the node.
    func damageLog(of node: String) throws -> String {
        let (name, url) = try lastSegment(of: node)
        var bytes = try Data(contentsOf: url)
        bytes[100] ^= 0xff
        try bytes.write(to: url)
        return "/var/lib/swarm/raft/\(name)"
    }

    enum TailDamage: CaseIterable { case garbled, cutOff }

    /// Damages the last bytes that were written to a node's log, whose swarmd is down.
    func damageTail(of node: String, _ damage: TailDamage) throws {
        let (_, url) = try lastSegment(of: node)
        var bytes = try Data(contentsOf: url)
        guard let last = bytes.lastIndex(where: { $0 != 0 }) else { throw LabError("an empty log") }
        switch damage {
        case .garbled: bytes[last - 2] ^= 0xff
        case .cutOff: bytes = bytes[..<(last - 2)]
        }
        try bytes.write(to: url)
    }
}
