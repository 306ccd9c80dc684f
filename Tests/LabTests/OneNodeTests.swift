import Foundation
import Testing

/// One node: real containers, seen with `swarmctl`, curl and /proc.
@Suite(.serialized, .lab("one", number: 1, managers: 1)) struct OneNodeTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    private func create(_ name: String, _ arguments: String...) throws {
        let lab = try lab()
        let result = try lab.exec(
            "n1", ["swarmctl", "service", "create", "--no-resolve-image", "--name", name] + arguments)
        try #require(result.status == 0, "\(result.errors)")
    }

    private func logs(_ service: String) throws -> String {
        try lab().on("n1", "service", "logs", "--raw", service)
    }

    @Test func aServiceRunsScalesAndGoes() throws {
        let lab = try lab()
        try create("scaled", "--replicas", "2", "box:1", "sleep", "1000")
        #expect(try lab.tasks(of: "scaled").filter(\.isRunning).count == 2)
        let text = try lab.on("n1", "service", "scale", "scaled=5")
        #expect(text.contains("scaled.5") && text.contains("n1"))
        #expect(try lab.tasks(of: "scaled").filter(\.isRunning).count == 5)
        try lab.on("n1", "service", "rm", "scaled")
        try lab.waitUntil("no container is left") {
            try FileManager.default.contentsOfDirectory(atPath: "\(lab.folder)/n1/lib/tasks").isEmpty
        }
    }

    /// What a container may do, read from inside it.
    @Test func aContainerIsConfinedFromTheFirst() throws {
        let lab = try lab()
        let script = """
            grep -E '^(CapEff|Seccomp):' /proc/self/status
            echo kcore $(cat /proc/kcore | wc -c)
            echo write $(echo 1 > /proc/sys/kernel/hostname 2>&1 && echo allowed || echo refused)
            echo descriptors $(ls /proc/self/fd | tr '\\n' ' ')
            mknod /tmp/k c 1 11 && echo made
            cat /tmp/k >/dev/null 2>&1 && echo opened || echo denied
            echo done
            exec sleep 1000
            """
        try create("confined", "box:1", "sh", "-c", script)
        try lab.waitUntil("the container has looked around") { try logs("confined").contains("done") }
        let text = try logs("confined")
        #expect(text.contains("CapEff:\t00000000a80425fb"))
        #expect(text.contains("Seccomp:\t2"))
        #expect(text.contains("kcore 0"))
        #expect(text.contains("write refused"))
        // 3 is the folder that `ls` itself has open.
        #expect(text.contains("descriptors 0 1 2 3 \n") || text.contains("descriptors 0 1 2 3\n"))
        #expect(text.contains("made") && text.contains("denied") && !text.contains("opened"))
        try lab.on("n1", "service", "rm", "confined")
    }

    @Test func environmentUserFolderAndHostnameReachTheContainer() throws {
        let lab = try lab()
        try create(
            "env", "--env", "A=b c", "--user", "app", "--workdir", "/tmp", "--hostname", "web-{{.Task.Slot}}",
            "--stop-signal", "SIGKILL", "box:1", "sh", "-c", "echo \"$A|$(id -u)|$(pwd)|$(hostname)\"; exec sleep 1000")
        try lab.waitUntil("the line is there") { try logs("env").contains("b c|1000|/tmp|web-1") }
        try lab.on("n1", "service", "rm", "env")
    }

    @Test func exitCodesAndStartErrorsAreReported() throws {
        let lab = try lab()
        try create("three", "--detach", "--restart-condition", "none", "box:1", "sh", "-c", "exit 3")
        try lab.waitUntil("the exit code is there") {
            try lab.tasks(of: "three").contains { $0.error.contains("non-zero exit (3)") }
        }
        try create("nope", "--detach", "--restart-condition", "none", "box:1", "/nope")
        try lab.waitUntil("the error is there") {
            try lab.tasks(of: "nope").contains {
                $0.error.contains("/nope") && $0.error.lowercased().contains("no such file")
            }
        }
        try lab.on("n1", "service", "rm", "three", "nope")
    }

    @Test func aMemoryLimitIsEnforcedAndNamed() throws {
        let lab = try lab()
        try create(
            "hungry", "--detach", "--restart-condition", "none", "--limit-memory", "16M", "box:1", "sh", "-c",
            "a=x; while true; do a=$a$a; done")
        try lab.waitUntil("the kill is reported") {
            try lab.tasks(of: "hungry").contains { $0.state.hasPrefix("Failed") && $0.error.contains("out of memory") }
        }
        try lab.on("n1", "service", "rm", "hungry")
    }

    /// Same container id, pid and start time; no line lost or doubled; the end of one that ended meanwhile is known.
    @Test func containersOutliveTheDaemon() throws {
        let lab = try lab()
        try create(
            "counter", "box:1", "sh", "-c", "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.02; done")
        try create("brief", "--restart-condition", "none", "box:1", "sh", "-c", "sleep 5; exit 7")
        func status() throws -> String {
            let id = try #require(try lab.tasks(of: "counter").first { $0.isRunning }?.id)
            let json = try lab.api("n1", "/tasks/\(id)")
            let container = json.range(of: "\"ContainerID\":\"[0-9a-f]+\"", options: .regularExpression)
            let pid = json.range(of: "\"PID\":[0-9]+", options: .regularExpression)
            let (first, second) = (try #require(container), try #require(pid))
            let number = json[second].split(separator: ":").last.map(String.init) ?? ""
            let stat = try lab.exec("n1", ["cat", "/proc/\(number)/stat"]).output
            let start = stat.split(separator: ")").last?.split(separator: " ").dropFirst(19).first ?? ""
            return "\(json[first]) \(json[second]) \(start)"
        }
        func exits() throws -> Int {
            let tasks = "\(lab.folder)/n1/lib/tasks"
            return try FileManager.default.contentsOfDirectory(atPath: tasks).filter {
                FileManager.default.fileExists(atPath: "\(tasks)/\($0)/exit")
            }.count
        }
        let exitsBefore = try exits()
        let before = try status()
        try lab.lab("kill", "n1")
        try lab.waitUntil("swarmd is gone") { try lab.lab("ls").output.contains("down") }
        // The other container ends while no daemon is there: its supervisor records that.
        try lab.waitUntil("the other has ended without a daemon") { try exits() == exitsBefore + 1 }
        try lab.lab("start", "n1")
        try lab.waitUntil("swarmd answers again") { try lab.on("n1", "node", "ls").contains("Ready") }
        try lab.waitUntil("the end of the other is known") {
            try lab.tasks(of: "brief").contains { $0.error.contains("non-zero exit (7)") }
        }
        #expect(try status() == before)
        let numbers = try logs("counter").split(separator: "\n").compactMap { Int($0.dropFirst("line ".count)) }
        #expect(numbers.count > 100)
        #expect(numbers == Array(0..<numbers.count))
        try lab.on("n1", "service", "rm", "counter", "brief")
    }

    @Test func aSecondDaemonOnTheSameStateIsRefused() throws {
        let root = FileManager.default.currentDirectoryPath
        let result = try lab().exec("n1", ["\(root)/\(Lab.programs)/swarmd", "--run", "/run/other"])
        #expect(result.status != 0)
        #expect(result.errors.contains("another swarmd uses the state folder /var/lib/swarm"))
    }

    @Test func badTokensLeaveNothingBehindAndSayWhy() throws {
        let lab = try lab()
        let good = try lab.on("n1", "token", "worker", "--quiet")
        #expect(good.hasPrefix("SWMTKN-1-"))
        let result = try lab.exec("n1", ["swarmctl", "join", String(good.prefix(40))])
        #expect(result.status != 0)
        #expect(result.errors.contains("token") || result.errors.contains("already part of a swarm"))
    }

    @Test func theAPISpeaksDockersShapes() throws {
        let lab = try lab()
        #expect(try lab.api("n1", "/_ping") == "OK")
        #expect(try lab.api("n1", "/v1.41/info").contains("\"LocalNodeState\":\"active\""))
        #expect(try lab.api("n1", "/nodes").contains("\"Hostname\":\"n1\""))
        #expect(try lab.api("n1", "/services/nope").contains("\"message\""))
    }
}
