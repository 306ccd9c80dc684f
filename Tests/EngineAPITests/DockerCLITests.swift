import EngineAPI
import EngineFakes
import Foundation
import Testing

/// Runs the real `docker` client against the served API.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: DockerCLI.path), "no docker client"))
struct DockerCLITests {
    @Test func nodesAreListed() async throws {
        try await FakeEngine.serve { engine in
            let output = try await DockerCLI.run(["node", "ls"], engine)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(output.stdout.contains("n1"))
            #expect(output.stdout.contains("Leader"))
            let inspected = try await DockerCLI.run(["node", "inspect", "--pretty", "self"], engine)
            #expect(inspected.stdout.contains("Reachable"), "\(inspected.stderr)")
        }
    }

    @Test func aServiceLives() async throws {
        try await FakeEngine.serve { engine in
            let created = try await DockerCLI.run(
                [
                    "service", "create", "--name", "web", "--replicas", "2", "--env", "A=1", "--limit-memory", "64M",
                    "--publish", "8080:80", "--mount", "type=volume,src=data,dst=/data", "--health-cmd", "true",
                    "--constraint", "node.role==manager", "web:1", "serve", "now",
                ], engine)
            #expect(created.status == 0, "\(created.stderr)")
            #expect(!created.stderr.contains("WARNING"), "\(created.stderr)")
            let list = try await DockerCLI.run(["service", "ls"], engine)
            #expect(list.stdout.contains("2/2") && list.stdout.contains("*:8080->80/tcp"), "\(list.stdout)")
            let tasks = try await DockerCLI.run(["service", "ps", "web"], engine)
            #expect(tasks.stdout.contains("web.1") && tasks.stdout.contains("Running"), "\(tasks.stdout)")
            let scaled = try await DockerCLI.run(["service", "scale", "web=4"], engine)
            #expect(scaled.status == 0, "\(scaled.stderr)")
            let updated = try await DockerCLI.run(["service", "update", "--env-add", "B=2", "web"], engine)
            #expect(updated.status == 0, "\(updated.stderr)")
            let inspected = try await DockerCLI.run(
                ["service", "inspect", "-f", "{{.Spec.TaskTemplate.ContainerSpec.Env}} {{.Spec.Mode.Replicated.Replicas}}", "web"],
                engine)
            #expect(inspected.stdout.hasPrefix("[A=1 B=2] 4"), "\(inspected.stdout) \(inspected.stderr)")
            let pretty = try await DockerCLI.run(["service", "inspect", "--pretty", "web"], engine)
            #expect(pretty.stdout.contains("64MiB"), "\(pretty.stderr)")
            let rolledBack = try await DockerCLI.run(["service", "rollback", "-d", "web"], engine)
            #expect(rolledBack.status == 0, "\(rolledBack.stderr)")
            let removed = try await DockerCLI.run(["service", "rm", "web"], engine)
            #expect(removed.status == 0, "\(removed.stderr)")
            #expect(try await DockerCLI.run(["service", "ls", "-q"], engine).stdout.isEmpty)
        }
    }

    @Test func theImageIsPinnedThroughTheDistributionEndpoint() async throws {
        try await FakeEngine.serve { engine in
            _ = try await DockerCLI.run(["service", "create", "-d", "--name", "web", "web:1"], engine)
            let image = try await DockerCLI.run(
                ["service", "inspect", "-f", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", "web"], engine)
            #expect(image.stdout.hasPrefix("web:1@sha256:dddd"), "\(image.stdout) \(image.stderr)")
        }
    }

    @Test func logsAreDemultiplexedAndNamed() async throws {
        try await FakeEngine.serve(lines: [.stdout: "to out\n", .notice: "to err\n"]) { engine in
            _ = try await DockerCLI.run(["service", "create", "-d", "--name", "web", "web:1"], engine)
            let logs = try await DockerCLI.run(["service", "logs", "web"], engine)
            #expect(logs.stdout.contains("web.1.") && logs.stdout.contains("to out"), "\(logs.stderr)")
            #expect(logs.stderr.contains("to err"))
            let raw = try await DockerCLI.run(["service", "logs", "--raw", "web"], engine)
            #expect(raw.stdout == "to out\n")
        }
    }

    @Test func infoAndVersionAreShown() async throws {
        try await FakeEngine.serve { engine in
            let info = try await DockerCLI.run(["info"], engine)
            #expect(info.stdout.contains("Swarm: active"), "\(info.stdout) \(info.stderr)")
            #expect(info.stdout.contains("Is Manager: true"))
            let version = try await DockerCLI.run(["version", "-f", "{{.Server.APIVersion}}"], engine)
            #expect(version.stdout == "1.47\n", "\(version.stderr)")
        }
    }

    @Test func networksSecretsConfigsAndVolumesLive() async throws {
        try await FakeEngine.serve { engine in
            for command in [
                ["network", "create", "-d", "overlay", "--subnet", "10.9.0.0/24", "back"],
                ["volume", "create", "data"], ["image", "pull", "web:1"], ["swarm", "join-token", "worker"],
            ] {
                let output = try await DockerCLI.run(command, engine)
                #expect(output.status == 0, "\(command): \(output.stderr)")
            }
            let secret = try await DockerCLI.run(["secret", "create", "key", "-"], engine, input: "s3cret")
            #expect(secret.status == 0, "\(secret.stderr)")
            let config = try await DockerCLI.run(["config", "create", "conf", "-"], engine, input: "port=1")
            #expect(config.status == 0, "\(config.stderr)")
            let created = try await DockerCLI.run(
                [
                    "service", "create", "-d", "--name", "web", "--network", "back", "--secret", "key", "--config",
                    "source=conf,target=/etc/conf", "web:1",
                ], engine)
            #expect(created.status == 0, "\(created.stderr)")
            let refused = try await DockerCLI.run(["secret", "rm", "key"], engine)
            #expect(refused.status != 0 && refused.stderr.contains("in use by the following service: web"))
            for list in [["network", "ls"], ["secret", "ls"], ["config", "ls"], ["volume", "ls"], ["images"], ["ps"]] {
                let output = try await DockerCLI.run(list, engine)
                #expect(output.status == 0 && output.stdout.split(separator: "\n").count > 1, "\(list) \(output)")
            }
        }
    }
}

enum DockerCLI {
    static let path = "/usr/local/bin/docker"

    struct Output: Sendable {
        var status: Int32
        var stdout: String
        var stderr: String
    }

    static func run(_ arguments: [String], _ engine: FakeEngine, input: String = "") async throws -> Output {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try runBlocking(arguments, engine, input) })
            }
        }
    }

    private static func runBlocking(_ arguments: [String], _ engine: FakeEngine, _ input: String) throws -> Output {
        let folder = URL(fileURLWithPath: engine.socketPath).deletingLastPathComponent()
        let names = (UUID().uuidString, UUID().uuidString, UUID().uuidString)
        let files = [names.0, names.1, names.2].map { folder.appendingPathComponent($0) }
        try Data(input.utf8).write(to: files[0])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = [
            "DOCKER_HOST": "unix://\(engine.socketPath)", "HOME": folder.path, "PATH": "/usr/bin:/bin",
        ]
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        for file in files[1...] { try Data().write(to: file) }
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        return Output(
            status: process.terminationStatus, stdout: try String(contentsOf: files[1], encoding: .utf8),
            stderr: try String(contentsOf: files[2], encoding: .utf8))
    }
}
