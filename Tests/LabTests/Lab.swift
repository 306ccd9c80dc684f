import Foundation
import Testing

/// A cluster of network namespaces for one suite of tests; seen from outside, through `swarmctl`.
final class Lab: Sendable {
    let folder: String
    private let prefix: String

    @TaskLocal static var current: Lab?

    /// Built programs lie beside the test bundle.
    static let programs =
        Bundle.main.bundleURL.deletingLastPathComponent().path.isEmpty
        ? ".build/debug" : (ProcessInfo.processInfo.environment["SWARM_PROGRAMS"] ?? ".build/debug")

    init(name: String, number: Int, managers: Int, workers: Int) throws {
        folder = "/run/lab-\(name)"
        prefix = "10.99.\(number)"
        let root = FileManager.default.currentDirectoryPath
        let result = try Command.run(
            [
                "\(root)/\(Lab.programs)/swarmctl", "lab", "up", "--dir", folder, "--prefix", prefix, "--managers",
                "\(managers)", "--workers", "\(workers)",
            ])
        guard result.status == 0 else {
            throw LabError("lab up failed: \(result.errors)\(result.output)")
        }
    }

    func down() throws {
        let logs = ".build/lab-logs/\(folder.split(separator: "/").last ?? "lab")"
        try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: true)
        for node in nodes {
            try? FileManager.default.removeItem(atPath: "\(logs)/\(node).log")
            try? FileManager.default.copyItem(atPath: "\(folder)/\(node)/swarmd.log", toPath: "\(logs)/\(node).log")
        }
        let result = try swarmctl(["lab", "down"])
        guard result.status == 0 else { throw LabError("lab down failed: \(result.errors)") }
    }

    var nodes: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
            $0.hasPrefix("n") && Int($0.dropFirst()) != nil
        }.sorted()
    }

    func address(of host: String) -> String {
        switch host {
        case "outside": "\(prefix).2"
        case "registry": "\(prefix).3"
        default: "\(prefix).\(10 + (Int(host.dropFirst()) ?? 0))"
        }
    }

    /// Of the host that a registry may be started on.
    var registryAddress: String { "\(prefix).3" }

    private func swarmctl(_ arguments: [String]) throws -> Command.Result {
        let root = FileManager.default.currentDirectoryPath
        return try Command.run(
            ["\(root)/\(Lab.programs)/swarmctl"] + arguments.prefix(2) + ["--dir", folder] + arguments.dropFirst(2))
    }

    /// `swarmctl lab VERB …`
    @discardableResult
    func lab(_ arguments: String...) throws -> Command.Result {
        let result = try swarmctl(["lab"] + arguments)
        guard result.status == 0 else { throw LabError("lab \(arguments): \(result.errors)") }
        return result
    }

    /// Runs something on a host of the lab, whatever its exit code.
    func exec(_ node: String, _ command: [String]) throws -> Command.Result {
        try swarmctl(["lab", "exec", node, "--"] + command)
    }

    /// `swarmctl …` on a node; a failure of it fails the test.
    @discardableResult
    func on(_ node: String, _ arguments: String...) throws -> String {
        let result = try exec(node, ["swarmctl"] + arguments)
        guard result.status == 0 else {
            throw LabError(
                "\(node): swarmctl \(arguments.joined(separator: " ")): exit \(result.status): \(result.errors)")
        }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The small image of the tests, on every node.
    func importImage(_ name: String = "box:1") throws {
        let archive = try TestImage.archive()
        for node in nodes { try on(node, "image", "import", archive, name) }
    }

    /// The lines of `service ps` as columns: task, node, desired state, current state, error.
    func tasks(of service: String, on node: String = "n1") throws -> [TaskRow] {
        let text = try on(
            node, "service", "ps", service, "--no-trunc", "--format",
            "{{.ID}}|{{.Name}}|{{.Node}}|{{.DesiredState}}|{{.CurrentState}}|{{.Error}}")
        return text.split(separator: "\n").compactMap { TaskRow(String($0)) }
    }

    /// Waits for a condition, with a deadline.
    func waitUntil(
        _ what: String, seconds: Double = 30, _ condition: () throws -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let deadline = Date().addingTimeInterval(seconds)
        var problem = ""
        while Date() < deadline {
            do {
                if try condition() { return }
                problem = ""
            } catch { problem = " (\(error))" }
            usleep(50_000)
        }
        Issue.record("after \(seconds) s still not: \(what)\(problem)", sourceLocation: sourceLocation)
        throw LabError("not in time: \(what)")
    }

    /// Sends a request to a node's API from the machine.
    func api(_ node: String, _ path: String) throws -> String {
        try Command.run(["curl", "-sS", "--unix-socket", "\(folder)/\(node)/swarm.sock", "http://swarm\(path)"]).output
    }
}

struct TaskRow {
    var id: String
    var name: String
    var node: String
    var desired: String
    var state: String
    var error: String

    init?(_ line: String) {
        let parts = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 6 else { return nil }
        (id, name, node, desired, state) = (parts[0], parts[1], parts[2], parts[3], parts[4])
        error = parts[5...].joined(separator: "|")
    }

    var isRunning: Bool { desired == "Running" && state.hasPrefix("Running") }
}

struct LabError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

enum Command {
    struct Result {
        var status: Int32
        var output: String
        var errors: String
    }

    /// Runs a command to its end. Its output goes to files: a daemon that inherited a pipe would keep it open.
    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Result {
        let base = "/tmp/swarm-test-" + UUID().uuidString
        defer { for suffix in [".out", ".err"] { unlink(base + suffix) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, base + ".out", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, base + ".err", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let words = ["env"] + environment.map { "\($0.key)=\($0.value)" } + arguments
        var vector: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for word in vector { free(word) } }
        var pid: pid_t = 0
        guard posix_spawnp(&pid, "env", &actions, nil, &vector, environ) == 0 else {
            throw LabError("cannot run \(arguments)")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 { if errno != EINTR { throw LabError("lost \(arguments)") } }
        return Result(
            status: status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f,
            output: (try? String(contentsOfFile: base + ".out", encoding: .utf8)) ?? "",
            errors: (try? String(contentsOfFile: base + ".err", encoding: .utf8)) ?? "")
    }
}

/// Busybox as a root folder: the one image that needs no internet.
enum TestImage {
    static func archive() throws -> String {
        let folder = "/tmp/swarm-test-image"
        let archive = folder + ".tar"
        if FileManager.default.fileExists(atPath: archive) { return archive }
        let script = """
            set -e
            rm -rf "$1"; mkdir -p "$1/bin" "$1/etc" "$1/tmp" "$1/proc" "$1/sys" "$1/dev"
            cp /bin/busybox "$1/bin/busybox"
            for name in $(/bin/busybox --list | grep -vx busybox); do ln -sf busybox "$1/bin/$name"; done
            echo 'root:x:0:0:root:/:/bin/sh' > "$1/etc/passwd"
            echo 'app:x:1000:1000:app:/:/bin/sh' >> "$1/etc/passwd"
            tar -C "$1" -cf "$1.tar.part" . && mv "$1.tar.part" "$1.tar" && rm -rf "$1"
            """
        let result = try Command.run(["sh", "-c", script, "sh", folder])
        guard result.status == 0 else { throw LabError("cannot make the test image: \(result.errors)") }
        return archive
    }
}

/// Brings a lab up around a suite, and takes it down after it.
struct LabTrait: SuiteTrait, TestScoping {
    var name: String
    var number: Int
    var managers: Int
    var workers = 0

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let lab = try Lab(name: name, number: number, managers: managers, workers: workers)
        do {
            try lab.importImage()
            try await Lab.$current.withValue(lab) { try await function() }
        } catch {
            try? lab.down()
            throw error
        }
        try lab.down()
    }
}

extension Trait where Self == LabTrait {
    static func lab(_ name: String, number: Int, managers: Int, workers: Int = 0) -> LabTrait {
        LabTrait(name: name, number: number, managers: managers, workers: workers)
    }
}
