import Foundation
import Testing

/// Bad conditions of the machine: one clear line, an exit code that is not 0, and nothing damaged.
@Suite(.serialized, .lab("faults", number: 6, managers: 1)) struct FailureTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    private static let arguments = ["--cgroup-parent", "/swarm-lab-faults-own"]

    /// Runs a swarmd on the node to its end; it has no more than 20 s.
    private func swarmd(_ arguments: String...) throws -> Command.Result {
        try lab().exec("n1", ["timeout", "20", "swarmd"] + FailureTests.arguments + arguments)
    }

    /// Refused with one line that holds all the texts.
    private func expectRefusal(
        _ result: Command.Result, _ texts: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(result.status == 1, "\(result)", sourceLocation: sourceLocation)
        let lines = result.errors.split(separator: "\n")
        #expect(lines.count == 1, "\(result.errors)", sourceLocation: sourceLocation)
        #expect(lines.first?.hasPrefix("swarmd: ") == true, "\(result.errors)", sourceLocation: sourceLocation)
        for text in texts {
            #expect(result.errors.contains(text), "\(result.errors)", sourceLocation: sourceLocation)
        }
    }

    /// Runs `body` while the node's swarmd is down; everything that was written before is there afterwards.
    private func whileDown(_ name: String, _ body: (Lab) throws -> Void) throws {
        let lab = try lab()
        try lab.createConfig(name)
        let before = try lab.configs()
        try lab.killAndWait("n1")
        do { try body(lab) } catch {
            try lab.lab("start", "n1")
            throw error
        }
        try lab.lab("start", "n1")
        try lab.waitUntilReady("n1")
        #expect(try lab.configs() == before)
        #expect(before.contains(name))
    }

    // MARK: The state folder

    @Test func aFileInPlaceOfTheStateFolderIsNamed() throws {
        let lab = try lab()
        #expect(try lab.exec("n1", ["sh", "-c", "echo kept > /run/swarm/file"]).status == 0)
        let result = try swarmd("--state", "/run/swarm/file", "--run", "/run/swarm/other")
        expectRefusal(result, "/run/swarm/file", "not a folder", "--state")
        #expect(try lab.exec("n1", ["cat", "/run/swarm/file"]).output == "kept\n")
    }

    @Test func aReadOnlyStateFolderIsNamed() throws {
        try whileDown("before-read-only") { lab in
            #expect(try lab.exec("n1", ["mount", "-o", "remount,ro,bind", "/var/lib/swarm"]).status == 0)
            let result = try swarmd()
            #expect(try lab.exec("n1", ["mount", "-o", "remount,rw,bind", "/var/lib/swarm"]).status == 0)
            expectRefusal(result, "/var/lib/swarm", "read-only", "mount it for writing")
        }
    }

    /// R25: a byte in the midst of the log: refused with file and offset, and left as it is for whoever repairs it.
    @Test func r25DamageInTheLogIsNamedAndLeftAlone() throws {
        try whileDown("before-damage") { lab in
            let folder = "\(lab.folder)/n1/lib/raft"
            let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("log-") }
            let name = try #require(names.min())
            let url = URL(fileURLWithPath: "\(folder)/\(name)")
            let whole = try Data(contentsOf: url)
            var damaged = whole
            damaged[100] ^= 0xff
            try damaged.write(to: url)
            let reason = try lab.reasonOfBrokenMembership("n1")
            let after = try Data(contentsOf: url)
            try whole.write(to: url)
            for text in [
                "/var/lib/swarm/raft/\(name)", "damaged at byte ", "`swarmctl join --renew TOKEN`", "swarmctl restore",
            ] {
                #expect(reason.contains(text), "\(reason)")
            }
            let offset = reason.components(separatedBy: "at byte ").last?.prefix { $0.isNumber }
            #expect((18...100).contains(Int(offset ?? "") ?? 0), "\(reason)")
            #expect(after == damaged)
        }
    }

    /// R25: what was being written when the power went counts in no part.
    @Test(arguments: Lab.TailDamage.allCases) func r25ADamagedEndOfTheLogIsCutOff(damage: Lab.TailDamage) throws {
        let lab = try lab()
        try lab.createConfig("kept-\(damage)")
        let before = try lab.configs()
        // The end of a log is what its manager wrote as a leader, or this, the last of all.
        try lab.createConfig("last-\(damage)")
        try lab.killAndWait("n1")
        try lab.damageTail(of: "n1", damage)
        try lab.lab("start", "n1")
        try lab.waitUntilReady("n1")
        #expect(Set(try lab.configs()).isSuperset(of: before))
        try lab.createConfig("next-\(damage)")
    }

    /// R25: without its log a manager would begin anew, and this one another cluster of its own.
    @Test func r25AManagerWithoutItsLogDoesNotBeginAnew() throws {
        try whileDown("before-loss") { lab in
            func move(_ name: String, _ other: String) throws {
                try lab.exec("n1", ["mv", "/var/lib/swarm/\(name)", "/var/lib/swarm/\(other)"]).succeed()
            }
            try move("raft", "raft.away")
            let reason = try lab.reasonOfBrokenMembership("n1")
            _ = try lab.exec("n1", ["rm", "-rf", "/var/lib/swarm/raft"])
            try move("raft.away", "raft")
            for text in ["/var/lib/swarm/raft is gone", "swarmctl join --renew TOKEN"] {
                #expect(reason.contains(text), "\(reason)")
            }
        }
    }

    /// R25c: the machine stops in the midst of everything and starts again.
    @Test func r25cTheOnlyManagerIsReadyAfterAnAbruptReboot() throws {
        let lab = try lab()
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "rebooted", "--replicas", "2", "box:1", "sleep",
            "1000")
        let before = try lab.tasks(of: "rebooted").filter(\.isRunning).map(\.id).sorted()
        // All processes of the node's cgroups, its daemon, and what lies in memory.
        let script = """
            kill -9 $(cat "$1/swarmd.pid")
            for file in $(grep -l '/n1/' /proc/[0-9]*/cgroup); do kill -9 $(echo "$file" | cut -d / -f 3); done
            umount -l /run/swarm/network/*.netns
            rm -rf /run/swarm/*
            ip link del swarm0
            nft flush ruleset
            """
        _ = try lab.exec("n1", ["sh", "-c", script, "sh", "\(lab.folder)/n1"])
        try lab.waitUntil("swarmd is gone") { try lab.lab("ls").output.contains("down") }
        try lab.lab("start", "n1")
        try lab.waitUntilReady("n1")
        func states() throws -> String { try lab.on("n1", "node", "ls", "--format", "{{.Status}}") }
        try lab.waitUntil("the node is ready") { try states() == "Ready" }
        try lab.waitUntil("its tasks are replaced") {
            let running = try lab.tasks(of: "rebooted").filter(\.isRunning).map(\.id)
            return running.count == 2 && running.allSatisfy { !before.contains($0) }
        }
        // Longer than the three heartbeats after which it would be down is too long for here: nothing told of it.
        #expect(try states() == "Ready")
        let events = try lab.exec(
            "n1",
            [
                "swarmctl", "events", "--since", "5m", "--until", "0s", "--filter", "type=node", "--format",
                "{{json .Actor.Attributes}}",
            ])
        #expect(!events.output.contains("\"state.new\":\"down\""), "\(events.output)")
        try lab.on("n1", "service", "rm", "rebooted")
    }

    @Test func aSecondDaemonEndsAndTheFirstGoesOn() throws {
        let lab = try lab()
        try lab.createConfig("before-second")
        expectRefusal(try swarmd(), "another swarmd uses the state folder /var/lib/swarm", "--state")
        #expect(try lab.configs().contains("before-second"))
        try lab.createConfig("after-second")
    }

    // MARK: Ports

    /// A program that has a port of the node until it is killed.
    private func occupy(_ port: Int, isUDP: Bool) throws -> String {
        let lab = try lab()
        let kind = isUDP ? "SOCK_DGRAM" : "SOCK_STREAM"
        let script = """
            import socket, time
            peer = socket.socket(socket.AF_INET, socket.\(kind))
            \(isUDP ? "" : "peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)")
            peer.bind(("0.0.0.0", \(port)))
            \(isUDP ? "" : "peer.listen()")
            print("bound", flush=True)
            time.sleep(100)
            """
        let output = "/run/swarm/occupant"
        let pid = try lab.start("n1", ["/usr/bin/python3", "-c", script], output: output)
        try lab.waitUntil("port \(port) is taken") { try lab.exec("n1", ["cat", output]).output == "bound\n" }
        return pid
    }

    @Test(arguments: [(2377, false), (4789, true)])
    func aPortInUseIsNamedWithItsOwner(port: Int, isUDP: Bool) throws {
        try whileDown("before-port-\(port)") { lab in
            let pid = try occupy(port, isUDP: isUDP)
            let result = try swarmd()
            try lab.stop(pid, on: "n1", signal: "KILL")
            expectRefusal(
                result, ":\(port)/\(isUDP ? "udp" : "tcp")", "in use by python3 (pid \(pid))", "ddress already in use")
            try lab.waitUntil("the port is free") { try lab.exec("n1", ["kill", "-0", pid]).status != 0 }
        }
    }

    // MARK: A full disk

    /// A swarmd that writes its output and, at its end, its exit code.
    private func startOwn(_ name: String) throws {
        let script = "swarmd \"$@\" > /run/swarm/\(name).log 2>&1; echo $? > /run/swarm/\(name).code"
        _ = try lab().start("n1", ["sh", "-c", script, "sh"] + FailureTests.arguments)
        try lab().waitUntil("the API answers") { try lab().exec("n1", ["swarmctl", "info"]).status == 0 }
    }

    private func own(_ name: String) throws -> String { try lab().exec("n1", ["cat", "/run/swarm/\(name)"]).output }

    private func mountState(_ options: String) throws {
        let result = try lab().exec("n1", ["mount", "-t", "tmpfs", "-o", options, "tmpfs", "/var/lib/swarm"])
        try #require(result.status == 0, "\(result.errors)")
    }

    /// An image that does not fit is refused before the log has no room any more, and what was written of it goes.
    private func anImageLeavesSpaceForTheState(_ lab: Lab) throws {
        let make =
            "mkdir /run/big; head -c 60000000 /dev/urandom > /run/big/data; tar -C /run/big -cf /run/big.tar data"
        try lab.exec("n1", ["sh", "-c", make]).succeed()
        let image = try lab.exec("n1", ["swarmctl", "image", "import", "/run/big.tar", "big:1"])
        #expect(image.status == 1 && image.errors.contains("free for the cluster's state"), "\(image.errors)")
        try lab.exec("n1", ["rm", "-r", "/run/big", "/run/big.tar"]).succeed()
        try lab.exec("n1", ["sh", "-c", "echo small | swarmctl config create small -"]).succeed()
    }

    /// R25: a disk that is full when a cluster is made, then one that fills while it runs.
    @Test func r25AFullDiskLosesNothingThatWasAcknowledged() throws {
        try whileDown("before-full") { lab in
            defer { _ = try? lab.exec("n1", ["umount", "/var/lib/swarm"]) }
            try mountState("size=4m")
            try startOwn("first")
            let refused = try lab.exec("n1", ["swarmctl", "init"])
            #expect(refused.status == 1)
            #expect(refused.errors.contains("/var/lib/swarm/raft/"), "\(refused.errors)")
            #expect(refused.errors.contains("disk is full") && refused.errors.contains("make room"))
            try mountState("remount,size=40m")
            try lab.on("n1", "init")
            try anImageLeavesSpaceForTheState(lab)
            try lab.exec("n1", ["sh", "-c", "head -c 900000 /dev/urandom > /run/swarm/large"]).succeed()
            try lab.exec("n1", ["sh", "-c", "cat /dev/zero > /var/lib/swarm/filler 2>/dev/null; true"]).succeed()
            var acknowledged: [String] = []
            var failure: Command.Result?
            while failure == nil, acknowledged.count < 20 {
                let name = "large-\(acknowledged.count)"
                let result = try lab.exec("n1", ["swarmctl", "config", "create", name, "/run/swarm/large"])
                if result.status == 0 { acknowledged.append(name) } else { failure = result }
            }
            let answer = try #require(failure)
            #expect(answer.status == 1 && answer.errors.contains("the disk is full: make room"), "\(answer.errors)")
            #expect(acknowledged.count > 3)
            try lab.waitUntil("swarmd has ended") { try !own("first.code").isEmpty }
            #expect(try own("first.code") == "1\n")
            let lines = try own("first.log").split(separator: "\n").filter { $0.contains("disk is full") }
            #expect(lines.last?.hasPrefix("swarmd: this node has stopped taking part") == true, "\(lines)")
            #expect(lines.filter { $0.hasPrefix("swarmd: ") }.count == 1, "\(lines)")
            try lab.exec("n1", ["rm", "/var/lib/swarm/filler"]).succeed()
            try startOwn("second")
            try lab.waitUntilReady("n1")
            #expect(Set(try lab.configs()).isSuperset(of: acknowledged))
            try lab.on("n1", "config", "create", "after-full", "/run/swarm/large")
            let running = try lab.exec("n1", ["pidof", "swarmd"]).output
            for pid in running.split(whereSeparator: \.isWhitespace) {
                try lab.stop(String(pid), on: "n1", signal: "KILL")
            }
            try lab.waitUntil("swarmd has ended") { try !own("second.code").isEmpty }
        }
    }
}

extension Command.Result {
    /// Fails the test where the command failed.
    func succeed(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(status == 0, "\(errors)", sourceLocation: sourceLocation)
    }
}
