import Foundation
import Testing

extension Lab {
    /// The ids of the nodes that are not down, by name.
    func nodeIDs(seenFrom node: String = "n1") throws -> [String: String] {
        let text = try on(node, "node", "ls", "--format", "{{.Hostname}} {{.ID}} {{.Status}}")
        let rows = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        return Dictionary(rows.filter { $0.count == 3 && $0[2] == "Ready" }.map { ($0[0], $0[1]) }) { $1 }
    }

    func readyNodes(seenFrom node: String = "n1") throws -> [String] { try nodeIDs(seenFrom: node).keys.sorted() }

    /// What `swarmd` of a node has written since it was started by ``start(_:at:)``.
    func log(_ node: String) throws -> String {
        try String(contentsOfFile: "\(folder)/\(node)/swarmd.log", encoding: .utf8)
    }

    /// Starts a daemon that is down, with its clock moved by so many seconds and an empty log.
    func start(_ node: String, at offset: Int) throws {
        let file = "\(folder)/\(node)/swarmd.log"
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file))
        try handle.truncate(atOffset: 0)
        try handle.close()
        try lab("start", node, "--clock-offset=\(offset)")
    }

    /// Ends these nodes' daemons and starts them at another time, in seconds from now.
    func moveTime(to offset: Int, of nodes: [String]) throws {
        for node in nodes { try killAndWait(node) }
        for node in nodes { try start(node, at: offset) }
        for node in nodes { try waitUntilAnswers(node) }
    }

    func waitUntilAnswers(_ node: String) throws {
        try waitUntil("swarmd of \(node) answers") { try exec(node, ["swarmctl", "info"]).status == 0 }
    }

    /// The containers of a service by node, with their processes: the same ones are the same text.
    func processes(of service: String) throws -> [String: String] {
        let running = try tasks(of: service).filter(\.isRunning)
        return Dictionary(
            try running.map { task in
                let json = try api("n1", "/tasks/\(task.id)")
                let container = json.range(of: "\"ContainerID\":\"[0-9a-f]+\"", options: .regularExpression)
                return (task.node, "\(json[try #require(container)]) \(try processID(of: task.id))")
            }
        ) { "\($0), \($1)" }
    }
}
