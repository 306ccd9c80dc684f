import Foundation
import Testing

/// What goes on while a node's swarmd is killed and started again.
@Suite(.serialized, .lab("steady", number: 8, managers: 1, workers: 1)) struct ContinuityTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    /// Numbered lines, echoed; both ends check that none is lost, doubled or out of order.
    private static let stream = """
        import socket, sys, time
        role, address, report = sys.argv[1], sys.argv[2], sys.argv[3]
        def lines(peer):
            rest = b""
            while True:
                part = peer.recv(65536)
                if not part: return
                *whole, rest = (rest + part).split(b"\\n")
                yield from whole
        def receive():
            listener = socket.create_server((address, 9100))
            print("listening", flush=True)
            peer, _ = listener.accept()
            count = 0
            for line in lines(peer):
                if int(line) != count: raise ValueError("%s after %d lines" % (line, count))
                count += 1
                peer.sendall(line + b"\\n")
            return count
        def send():
            import os, threading
            peer = socket.create_connection((address, 9100), timeout=10)
            peer.settimeout(60)
            sent = [0]
            def write():
                while not os.path.exists(report + ".stop"):
                    peer.sendall(b"%d\\n" % sent[0])
                    sent[0] += 1
                    open(report + ".sent", "w").write(str(sent[0]))
                    time.sleep(0.005)
                peer.shutdown(socket.SHUT_WR)
            writer = threading.Thread(target=write, daemon=True)
            writer.start()
            count, longest, last = 0, 0.0, time.time()
            for line in lines(peer):
                if int(line) != count: raise ValueError("%s after %d echoes" % (line, count))
                longest, last = max(longest, time.time() - last), time.time()
                count += 1
                if count % 20 == 0: open(report + ".echoed", "w").write(str(count))
            if count != sent[0]: raise ValueError("%d sent, %d echoed" % (sent[0], count))
            print("longest silence %.3f s" % longest)
            return count
        try:
            print("ended", (receive if role == "receive" else send)(), flush=True)
        except Exception as error:
            print("broken", repr(error), flush=True)
        """

    /// 50 lookups a second, each from a socket of its own; prints how many there were, what went wrong and the slowest.
    private static let lookups = """
        import os, select, socket, struct, sys, time
        name, report = sys.argv[1], sys.argv[2]
        question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\\0" + struct.pack(">HH", 1, 1)
        poll, waiting = select.epoll(), {}
        sent = answered = 0
        slowest, problems, end = 0.0, [], None
        following = time.time()
        while True:
            now = time.time()
            if end is None and os.path.exists(report + ".stop"): end = now + 3
            if end is not None and (now > end or not waiting): break
            if end is None and now >= following:
                following += 0.02
                try:
                    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    peer.connect(("127.0.0.11", 53))
                    peer.send(struct.pack(">HHHHHH", sent & 0xffff, 0x100, 1, 0, 0, 0) + question)
                    waiting[peer.fileno()] = (peer, now)
                    poll.register(peer, select.EPOLLIN)
                except OSError as error: problems.append(repr(error))
                sent += 1
                if sent % 10 == 0: open(report + ".sent", "w").write(str(sent))
            for number, _ in poll.poll(max(0, min(0.02, following - time.time()))):
                peer, start = waiting.pop(number)
                try:
                    answer = peer.recv(4096)
                    if answer[3] & 15 != 0 or answer[7] == 0: problems.append("code %d, %d answers" % (answer[3] & 15, answer[7]))
                    answered += 1
                    slowest = max(slowest, time.time() - start)
                except OSError as error: problems.append(repr(error))
                poll.unregister(number)
                peer.close()
        print("lookups", sent, "answered", answered, "slowest %.3f" % slowest, "problems", len(problems), problems[:3], flush=True)
        """

    private func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
    private func number(_ path: String) -> Int { Int(text(path)) ?? 0 }

    /// Both ends' nodes, the manager with all its roles and the worker, lose their daemon one after the other.
    @Test func aStreamAndLookupsOutliveTheDaemonsOfBothNodes() throws {
        let lab = try lab()
        let checks = NetworkChecks(lab: lab)
        try lab.on("n1", "network", "create", "lasting")
        for (name, node) in [("near", "n1"), ("far", "n2")] {
            try checks.create(
                name,
                ["--network", "lasting", "--constraint", "node.hostname==\(node)", "box:1", "sleep", "1000"])
        }
        let (near, far) = (try lab.processID(of: "near", on: "n1"), try lab.processID(of: "far", on: "n2"))
        let address = try #require(try lab.addresses(of: "near", node: "n2", inside: far).first)
        let base = "\(lab.folder)/continuity"
        for (name, script) in [("stream", ContinuityTests.stream), ("lookups", ContinuityTests.lookups)] {
            try script.write(toFile: "\(base)-\(name).py", atomically: true, encoding: .utf8)
        }
        func start(_ node: String, _ pid: String, _ script: String, _ report: String, _ words: String...) throws {
            let command = ["/usr/bin/python3", "\(base)-\(script).py"] + words + ["\(base)-\(report)"]
            _ = try lab.start(node, Lab.inside(pid, command), output: "\(base)-\(report).txt")
        }
        try start("n1", near, "stream", "receive", "receive", address)
        try lab.waitUntil("the receiver listens") { text("\(base)-receive.txt").contains("listening") }
        try start("n2", far, "stream", "send", "send", address)
        try start("n1", near, "lookups", "lookups-n1", "far")
        try start("n2", far, "lookups", "lookups-n2", "near")
        try lab.waitUntil("the stream flows") { number("\(base)-send.echoed") > 100 }

        for node in ["n2", "n1"] {
            try lab.lab("kill", node)
            try lab.lab("start", node)
            try lab.waitUntilReady("n1")
            let echoed = number("\(base)-send.echoed")
            let asked = number("\(base)-lookups-\(node).sent")
            try lab.waitUntil("the stream flows after the restart on \(node)") {
                number("\(base)-send.echoed") > echoed + 200
            }
            try lab.waitUntil("lookups go on on \(node)") { number("\(base)-lookups-\(node).sent") > asked + 50 }
        }
        for report in ["send", "lookups-n1", "lookups-n2"] {
            try "".write(toFile: "\(base)-\(report).stop", atomically: true, encoding: .utf8)
        }
        for report in ["receive", "send"] {
            try lab.waitUntil("the end of \(report)") {
                ["ended", "broken"].contains { text("\(base)-\(report).txt").contains($0) }
            }
            #expect(text("\(base)-\(report).txt").contains("ended"), "\(text("\(base)-\(report).txt"))")
        }
        for node in ["n1", "n2"] {
            let path = "\(base)-lookups-\(node).txt"
            try lab.waitUntil("the end of the lookups on \(node)") { text(path).contains("problems") }
            let report = text(path)
            print("\(node): \(report)", terminator: "")
            let words = report.split(separator: " ").map(String.init)
            try #require(words.count > 7, "\(report)")
            #expect((Int(words[1]) ?? 0) > 100 && words[1] == words[3], "\(report)")
            #expect(words[7] == "0", "\(report)")
            #expect((Double(words[5]) ?? 60) < 2, "\(report)")
        }
        print(text("\(base)-send.txt"), terminator: "")
        try lab.on("n1", "service", "rm", "near", "far")
    }
}
