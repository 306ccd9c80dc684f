import Foundation
import Testing

extension Lab {
    /// A config's worth of cluster state that a test can look for.
    func createConfig(_ name: String, on node: String = "n1") throws {
        try on(node, "config", "create", name, "/etc/hostname")
    }

    func configs(on node: String = "n1") throws -> [String] {
        try on(node, "config", "ls", "--format", "{{.Name}}").split(separator: "\n").map(String.init)
    }

    func waitUntilReady(_ node: String) throws {
        try waitUntil("swarmd of \(node) answers") { try exec(node, ["swarmctl", "node", "ls"]).status == 0 }
    }

    /// Kills a node's swarmd and waits until it is gone.
    func killAndWait(_ node: String) throws {
        try lab("kill", node)
        try waitUntil("swarmd of \(node) is gone") {
            try lab("ls").output.split(separator: "\n").contains { $0.hasPrefix(node) && $0.contains("down") }
        }
    }

    /// The manager that leads, in the eyes of the first one that knows.
    func leader(among nodes: [String], seconds: Double = 15) throws -> String {
        var found: String?
        try waitUntil("one of \(nodes) leads", seconds: seconds) {
            for node in nodes {
                let client = SocketClient(path: "\(folder)/\(node)/swarm.sock")
                let rows = client.object("/nodes") as? [[String: Any]] ?? []
                let leader = rows.first { ($0["ManagerStatus"] as? [String: Any])?["Leader"] as? Bool == true }
                found = (leader?["Description"] as? [String: Any])?["Hostname"] as? String
                if found != nil { return true }
            }
            return false
        }
        guard let found else { throw LabError("none of \(nodes) leads") }
        return found
    }

    /// Runs a program on a host until ``stop(_:on:)``; its number in the lab.
    func start(_ host: String, _ command: [String], output: String = "/dev/null") throws -> String {
        let script = "out=$1; shift; \"$@\" > \"$out\" 2>&1 & echo $!"
        let result = try exec(host, ["sh", "-c", script, "sh", output] + command)
        let pid = result.output.trimmingCharacters(in: .whitespacesAndNewlines)
        guard result.status == 0, Int(pid) != nil else { throw LabError("\(host): \(command): \(result.errors)") }
        return pid
    }

    func stop(_ pid: String, on host: String, signal: String = "TERM") throws {
        _ = try exec(host, ["kill", "-\(signal)", pid])
    }

    /// Starts a swarmd that cannot take part in its cluster, and ends it: what it says of that when it is asked.
    func reasonOfBrokenMembership(_ node: String) throws -> String {
        try lab("start", node)
        try waitUntil("\(node) says that it is broken") {
            try on(node, "info", "--format", "{{.Swarm.LocalNodeState}}") == "error"
        }
        let reason = try on(node, "info", "--format", "{{.Swarm.Error}}")
        let refused = try exec(node, ["swarmctl", "node", "ls"])
        guard refused.status == 1, refused.errors.contains(reason) else { throw LabError("\(refused)") }
        try killAndWait(node)
        return reason
    }

    /// The number of a task's first process in the lab.
    func processID(of task: String, seenFrom node: String = "n1") throws -> String {
        let json = try api(node, "/tasks/\(task)")
        guard let range = json.range(of: "\"PID\":[0-9]+", options: .regularExpression),
            let pid = json[range].split(separator: ":").last, pid != "0"
        else { throw LabError("task \(task) has no process: \(json)") }
        return String(pid)
    }

    /// The first process of the task of a service on a node.
    func processID(of service: String, on node: String) throws -> String {
        guard let task = try tasks(of: service).first(where: { $0.node == node && $0.isRunning }) else {
            throw LabError("no task of \(service) runs on \(node)")
        }
        return try processID(of: task.id)
    }

    /// The command that runs something in the network namespace of a process.
    static func inside(_ pid: String, _ command: [String]) -> [String] {
        ["nsenter", "--net=/proc/\(pid)/ns/net", "--"] + command
    }

    /// The addresses that a name has for a container; an error of the resolver is an issue.
    func addresses(of name: String, node: String, inside pid: String) throws -> Set<String> {
        let result = try exec(
            node,
            Lab.inside(pid, ["dig", "+time=2", "+tries=1", "+noall", "+answer", "+comments", "@127.0.0.11", name]))
        guard result.output.contains("status: NOERROR") || result.output.contains("status: NXDOMAIN") else {
            throw LabError("\(name) on \(node): \(result.output)\(result.errors)")
        }
        return Set(
            result.output.split(separator: "\n").filter { $0.contains("\tA\t") }
                .compactMap { $0.split(separator: "\t").last.map(String.init) })
    }

    /// Whether a published port answers a new connection.
    func answers(_ port: Int, at address: String, from host: String = "outside") throws -> Bool {
        try exec(host, ["curl", "-sS", "-m", "2", "http://\(address):\(port)/"]).status == 0
    }
}
