import Foundation
import Testing

/// Tasks on several nodes that talk, are found by name, and are reached from outside.
@Suite(.serialized, .lab("net", number: 3, managers: 3)) struct NetworkTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    private func create(_ name: String, _ arguments: String...) throws {
        let lab = try lab()
        let result = try lab.exec(
            "n1", ["swarmctl", "service", "create", "--no-resolve-image", "--name", name] + arguments)
        try #require(result.status == 0, "\(result.errors)")
    }

    private static let server =
        "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"

    /// Prints OK for each answer and the error for each that is lost: a new connection each, no retry.
    private static let requests = """
        import socket, sys, time
        hosts, port, end = sys.argv[1].split(","), int(sys.argv[2]), time.time() + float(sys.argv[3])
        count = lost = 0
        while time.time() < end:
            start, host = time.time(), hosts[count % len(hosts)]
            count += 1
            try:
                peer = socket.create_connection((host, port), timeout=2)
                peer.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
                answer = b""
                while True:
                    part = peer.recv(4096)
                    if not part: break
                    answer += part
                peer.close()
                if b" 200 " not in answer.split(b"\\r\\n")[0]: raise OSError("not 200: %r" % answer[:40])
            except OSError as error:
                lost += 1
                print(host, error)
            time.sleep(max(0, 0.01 - (time.time() - start)))
        print("requests", count, "lost", lost)
        """

    @Test func aPublishedPortAnswersOnEveryNodeAndNoRequestIsLostInAnUpdate() throws {
        let lab = try lab()
        try lab.on("n1", "network", "create", "front")
        try create(
            "web", "--network", "front", "--replicas", "2", "--init", "--update-monitor", "1s", "--publish", "8080:80",
            "box:1", "sh", "-c", NetworkTests.server)
        for node in ["n1", "n2", "n3"] {
            try lab.waitUntil("the port answers on \(node)") {
                try lab.exec("outside", ["curl", "-sS", "-m", "2", "http://\(lab.address(of: node)):8080/"]).status == 0
            }
            // A node's own 127.0.0.1 too.
            #expect(try lab.exec(node, ["curl", "-sS", "-m", "2", "http://127.0.0.1:8080/"]).status == 0)
        }
        let hosts = ["n1", "n2", "n3"].map { lab.address(of: $0) }.joined(separator: ",")
        let script = "/tmp/swarm-requests.py"
        try NetworkTests.requests.write(toFile: script, atomically: true, encoding: .utf8)
        let load = try lab.exec(
            "outside", ["sh", "-c", "python3 \(script) \(hosts) 8080 15 > \(lab.folder)/load.txt 2>&1 &"])
        try #require(load.status == 0)
        try lab.on("n2", "service", "update", "--no-resolve-image", "--env-add", "VERSION=2", "web")
        try lab.waitUntil("the load has ended", seconds: 40) {
            try String(contentsOfFile: "\(lab.folder)/load.txt", encoding: .utf8).contains("requests ")
        }
        let report = try String(contentsOfFile: "\(lab.folder)/load.txt", encoding: .utf8)
        let words = report.split(whereSeparator: \.isWhitespace).map(String.init)
        #expect(Int(words.suffix(3).first ?? "") ?? 0 > 500, "\(report)")
        #expect(report.hasSuffix("lost 0\n"), "\(report)")
        try lab.on("n1", "service", "rm", "web")
    }

    /// R10: names lead round to each task in turn, on whatever node; an ended task's address goes from the answers.
    @Test func servicesFindEachOtherByNameAcrossNodes() throws {
        let lab = try lab()
        try lab.on("n1", "network", "create", "back")
        try create("names", "--network", "back", "--replicas", "3", "--init", "box:1", "sh", "-c", NetworkTests.server)
        try create(
            "client", "--network", "back", "box:1", "sh", "-c",
            "for i in 1 2 3 4 5 6; do wget -q -O - http://names/; done; nslookup tasks.names; echo done; exec sleep 1000"
        )
        try lab.waitUntil("the client has asked") {
            try lab.on("n1", "service", "logs", "--raw", "client").contains("done")
        }
        let text = try lab.on("n1", "service", "logs", "--raw", "client")
        let answers = text.split(separator: "\n").prefix(6)
        #expect(Set(answers).count == 3)
        #expect(text.components(separatedBy: "Name:\ttasks.names").count - 1 == 3)
        try lab.on("n1", "service", "rm", "client", "names")
    }

    /// A marker sent from a task to another node's is seen inside (control), and never on the wire between the nodes.
    @Test func nothingOfANetworkLeavesANodeInClear() throws {
        let lab = try lab()
        let marker = "marker-" + UUID().uuidString
        try lab.on("n1", "network", "create", "secret")
        try create(
            "sink", "--network", "secret", "--constraint", "node.hostname==n2", "box:1", "sh", "-c",
            "while true; do nc -l -p 9000; done")
        let pcap = "\(lab.folder)/underlay.pcap"
        for node in ["n1", "n2"] {
            let capture = try lab.exec(
                node,
                ["sh", "-c", "tcpdump -i eth0 -U -w \(pcap).\(node) >/dev/null 2>&1 & echo $! > \(pcap).\(node).pid"])
            try #require(capture.status == 0)
        }
        try lab.waitUntil("the captures run") {
            ["n1", "n2"].allSatisfy { FileManager.default.fileExists(atPath: "\(pcap).\($0)") }
        }
        try create(
            "source", "--network", "secret", "--constraint", "node.hostname==n1", "box:1", "sh", "-c",
            "while true; do echo \(marker) | nc -w 1 sink 9000; sleep 0.2; done")
        try lab.waitUntil("the marker has arrived") {
            try lab.on("n1", "service", "logs", "--raw", "sink").contains(marker)
        }
        try lab.lab("kill", "n3")
        try lab.lab("start", "n3")
        try lab.waitUntil("three nodes are ready") {
            try lab.on("n1", "node", "ls", "--format", "{{.Status}}").split(separator: "\n") == [
                "Ready", "Ready", "Ready",
            ]
        }
        for node in ["n1", "n2"] {
            _ = try lab.exec(node, ["sh", "-c", "kill $(cat \(pcap).\(node).pid)"])
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(pcap).\(node)"))
            // The overlay's datagrams are there, so the capture saw the traffic.
            #expect(bytes.count > 10_000)
            #expect(bytes.range(of: Data(marker.utf8)) == nil)
        }
        try lab.on("n1", "service", "rm", "source", "sink")
    }

    /// A restart of the daemon interrupts neither names nor ports for good.
    @Test func networksOutliveTheDaemon() throws {
        let lab = try lab()
        try lab.on("n1", "network", "create", "lasting")
        try create(
            "stays", "--network", "lasting", "--replicas", "3", "--init", "--publish", "8090:80", "box:1", "sh", "-c",
            NetworkTests.server)
        let before = try lab.tasks(of: "stays").map(\.id).sorted()
        try lab.lab("kill", "n2")
        try lab.lab("start", "n2")
        try lab.waitUntil("the port answers on n2 again") {
            try lab.exec("outside", ["curl", "-sS", "-m", "2", "http://\(lab.address(of: "n2")):8090/"]).status == 0
        }
        try lab.waitUntil("all run") { try lab.tasks(of: "stays").filter(\.isRunning).count == 3 }
        #expect(try lab.tasks(of: "stays").map(\.id).sorted() == before)
        try lab.on("n1", "service", "rm", "stays")
    }
}
