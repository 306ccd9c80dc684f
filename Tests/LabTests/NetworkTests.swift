import Foundation
import Testing

/// Tasks on several nodes that talk, are found by name, and are reached from outside.
@Suite(.serialized, .lab("net", number: 3, managers: 3, workers: 1)) struct NetworkTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    private func create(_ name: String, _ arguments: String...) throws {
        let lab = try lab()
        let result = try lab.exec(
            "n1", ["swarmctl", "service", "create", "--no-resolve-image", "--name", name] + arguments)
        try #require(result.status == 0, "\(result.errors)")
    }

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
            "box:1", "sh", "-c", NetworkChecks.server)
        try NetworkChecks(lab: lab).portAnswersEverywhere(8080)
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
        try NetworkChecks(lab: lab).namesLeadToEveryTask(network: "back")
    }

    /// NAT to a host that is no node.
    @Test func tasksReachTheOutside() throws {
        try NetworkChecks(lab: try lab()).tasksReachOutside()
    }

    /// Captures what passes an interface, until it is ended; the folder is outside the node.
    private func capture(_ node: String, _ interface: String, to file: String, inside pid: String? = nil) throws
        -> String
    {
        let command = ["tcpdump", "-i", interface, "-U", "-w", file]
        let number = try lab().start(
            node, pid.map { Lab.inside($0, command) } ?? command, output: file + ".log")
        try lab().waitUntil("the capture \(file) runs") {
            try String(contentsOfFile: file + ".log", encoding: .utf8).contains("listening on")
        }
        return number
    }

    private func holds(_ file: String, _ marker: [UInt8]) throws -> Bool {
        try Data(contentsOf: URL(fileURLWithPath: file)).range(of: Data(marker)) != nil
    }

    /// Sends a marker by TCP and UDP again and again: what is sent is in clear inside the namespace alone.
    private static let sender = """
        import socket, sys, time
        address, tcp, udp = sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            try:
                datagrams.sendto(udp, (address, 9001))
                with socket.create_connection((address, 9000), timeout=1) as peer: peer.sendall(tcp)
            except OSError: pass
            time.sleep(0.1)
        """

    /// Says which markers have arrived, each once.
    private static let receiver = """
        import select, socket
        listener = socket.create_server(("0.0.0.0", 9000))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("0.0.0.0", 9001))
        print("ready", flush=True)
        while True:
            for ready in select.select([listener, datagrams], [], [])[0]:
                if ready is datagrams: print("udp", ready.recv(4096).hex(), flush=True)
                else:
                    peer, _ = ready.accept()
                    print("tcp", peer.recv(4096).hex(), flush=True)
                    peer.close()
        """

    /// Random markers sent from a task to another node's by TCP and UDP, while a node joins, the leader is killed and the
    /// sender's and the receiver's swarmd are restarted: seen inside the sender's namespace (control), on no underlay.
    @Test func nothingOfANetworkLeavesANodeInClear() throws {
        let lab = try lab()
        let markers = (0..<2).map { _ in (0..<32).map { _ in UInt8.random(in: 0...255) } }
        let words = markers.map { $0.map { String(format: "%02x", $0) }.joined() }
        try lab.on("n4", "leave")
        // It comes back as another node: this entry would stay down.
        try lab.waitUntil("the left node is removed") {
            try lab.exec("n1", ["swarmctl", "node", "rm", "n4"]).status == 0
        }
        try lab.on("n1", "network", "create", "secret")
        for (name, node) in [("receiver", "n2"), ("source", "n1")] {
            try create(
                name, "--network", "secret", "--constraint", "node.hostname==\(node)", "box:1", "sleep", "1000")
        }
        let (sink, source) = (try lab.processID(of: "receiver", on: "n2"), try lab.processID(of: "source", on: "n1"))
        var addresses: Set<String> = []
        // The node may hear of the new network a moment after its container runs.
        try lab.waitUntil("the name leads to the sink") {
            addresses = try lab.addresses(of: "receiver", node: "n1", inside: source)
            return !addresses.isEmpty
        }
        let address = try #require(addresses.first)
        let base = "\(lab.folder)/capture"
        var captures: [(host: String, pid: String)] = []
        for node in lab.nodes { captures.append((node, try capture(node, "eth0", to: "\(base).\(node)"))) }
        captures.append(("n1", try capture("n1", "eth0", to: "\(base).inside", inside: source)))
        let python = ["/usr/bin/python3", "-c"]
        captures.append(
            ("n2", try lab.start("n2", Lab.inside(sink, python + [NetworkTests.receiver]), output: "\(base).sink")))
        captures.append(
            ("n1", try lab.start("n1", Lab.inside(source, python + [NetworkTests.sender, address] + words))))
        func arrived(_ what: String) throws {
            let before = try String(contentsOfFile: "\(base).sink", encoding: .utf8).count
            try lab.waitUntil("both markers have arrived \(what)") {
                let text = try String(contentsOfFile: "\(base).sink", encoding: .utf8).dropFirst(before)
                return text.contains("tcp \(words[0])") && text.contains("udp \(words[1])")
            }
        }
        try arrived("at first")
        try lab.on("n4", "join", try lab.on("n1", "token", "worker", "--quiet"))
        try arrived("after a join")
        for node in ["n1", "n2"] { try restart(node) }
        try restart(try leader())
        try arrived("after the restarts and the death of the leader")
        for (host, pid) in captures { try lab.stop(pid, on: host) }
        for marker in markers {
            #expect(try holds("\(base).inside", marker))
            for node in lab.nodes { #expect(try !holds("\(base).\(node)", marker), "in clear on \(node)") }
        }
        for node in ["n1", "n2"] {
            // The overlay's datagrams are there, so the capture saw the traffic: the port 4789 twice, UDP.
            #expect(try holds("\(base).\(node)", [0x12, 0xb5, 0x12, 0xb5]))
        }
        try lab.on("n1", "service", "rm", "source", "receiver")
    }

    private func leader() throws -> String {
        let text = try lab().on("n1", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
        return try #require(text.split(separator: "\n").first { $0.hasSuffix("Leader") }?.split(separator: " ").first)
            .description
    }

    private func restart(_ node: String) throws {
        let lab = try lab()
        try lab.lab("kill", node)
        try lab.lab("start", node)
        try lab.waitUntil("all nodes are ready after a restart of \(node)") {
            try lab.on("n1", "node", "ls", "--format", "{{.Status}}").split(separator: "\n")
                .allSatisfy { $0 == "Ready" }
        }
    }

    /// A restart of the daemon interrupts neither names nor ports for good.
    @Test func networksOutliveTheDaemon() throws {
        let lab = try lab()
        try lab.on("n1", "network", "create", "lasting")
        try create(
            "stays", "--network", "lasting", "--replicas", "3", "--init", "--publish", "8090:80", "box:1", "sh", "-c",
            NetworkChecks.server)
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
