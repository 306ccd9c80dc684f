import Foundation
import Testing

/// What a network has to do, seen from outside: the same on a plain host and on one that another program's rules cut.
struct NetworkChecks {
    let lab: Lab

    /// Answers each request with its own hostname.
    static let server = "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"

    func create(_ name: String, _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) throws {
        let result = try lab.exec(
            "n1", ["swarmctl", "service", "create", "--no-resolve-image", "--name", name] + arguments)
        try #require(result.status == 0, "\(result.errors)", sourceLocation: sourceLocation)
    }

    /// On every node: from outside, and at its own 127.0.0.1.
    func portAnswersEverywhere(_ port: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for node in lab.nodes {
            try lab.waitUntil(
                "port \(port) answers on \(node)",
                { try lab.answers(port, at: lab.address(of: node)) }, sourceLocation: sourceLocation)
            let local = try lab.answers(port, at: "127.0.0.1", from: node)
            #expect(local, "127.0.0.1:\(port) on \(node)", sourceLocation: sourceLocation)
        }
    }

    /// R10: a name leads round to each task in turn, on whatever node it is.
    func namesLeadToEveryTask(network: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try create(
            "names",
            ["--network", network, "--replicas", "3", "--init", "box:1", "sh", "-c", NetworkChecks.server],
            sourceLocation: sourceLocation)
        let nodes = Set(try lab.tasks(of: "names").filter(\.isRunning).map(\.node))
        #expect(nodes.count > 1, "one node alone shows nothing: \(nodes)", sourceLocation: sourceLocation)
        let ask =
            "for i in 1 2 3 4 5 6; do wget -q -O - http://names/; done; nslookup tasks.names; echo done; exec sleep 1000"
        try create("client", ["--network", network, "box:1", "sh", "-c", ask], sourceLocation: sourceLocation)
        try lab.waitUntil(
            "the client has asked",
            { try lab.on("n1", "service", "logs", "--raw", "client").contains("done") }, sourceLocation: sourceLocation)
        let text = try lab.on("n1", "service", "logs", "--raw", "client")
        let answers = text.split(separator: "\n").prefix(6)
        #expect(Set(answers).count == 3, "\(text)", sourceLocation: sourceLocation)
        let lines = text.components(separatedBy: "Name:\ttasks.names").count - 1
        #expect(lines == 3, "\(text)", sourceLocation: sourceLocation)
        try lab.on("n1", "service", "rm", "client", "names")
    }

    /// A task reaches a host that is no node, by its node's address.
    func tasksReachOutside(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let outside = lab.address(of: "outside")
        let log = "\(lab.folder)/outside-requests.txt"
        let server = try lab.start(
            "outside", ["/usr/bin/python3", "-u", "-m", "http.server", "-d", "/mnt", "8000"], output: log)
        defer { try? lab.stop(server, on: "outside") }
        try lab.waitUntil("the server outside answers") { try lab.answers(8000, at: "127.0.0.1") }
        let ask =
            "until wget -q -O /dev/null http://\(outside):8000/; do sleep 0.2; done; echo reached; exec sleep 1000"
        try create(
            "outward", ["--mode", "global", "box:1", "sh", "-c", ask], sourceLocation: sourceLocation)
        for node in lab.nodes {
            let line = "\(lab.address(of: node)) "
            try lab.waitUntil(
                "a task of \(node) has reached the outside",
                {
                    try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").contains {
                        $0.hasPrefix(line)
                    }
                },
                sourceLocation: sourceLocation)
        }
        try lab.on("n1", "service", "rm", "outward")
    }
}
