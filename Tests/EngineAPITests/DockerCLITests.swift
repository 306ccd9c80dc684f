import EngineAPI
import EngineFakes
import Testing

/// Runs the real `docker` client against the served API.
@Suite(.enabled(if: CommandLineTool.docker.isInstalled, "no docker client"))
struct DockerCLITests {
    @Test func nodesAreListed() async throws {
        try await FakeEngine.serve { engine in
            let output = try await CommandLineTool.docker.run(["node", "ls"], on: engine)
            #expect(output.status == 0, "\(output.stderr)")
            #expect(output.stdout.contains("n1"))
            #expect(output.stdout.contains("Leader"))
            let inspected = try await CommandLineTool.docker.run(["node", "inspect", "--pretty", "self"], on: engine)
            #expect(inspected.stdout.contains("Reachable"), "\(inspected.stderr)")
        }
    }

    @Test func aServiceLives() async throws {
        try await FakeEngine.serve { engine in
            let created = try await CommandLineTool.docker.run(
                [
                    "service", "create", "--name", "web", "--replicas", "2", "--env", "A=1", "--limit-memory", "64M",
                    "--publish", "8080:80", "--mount", "type=volume,src=data,dst=/data", "--health-cmd", "true",
                    "--constraint", "node.role==manager", "web:1", "serve", "now",
                ], on: engine)
            #expect(created.status == 0, "\(created.stderr)")
            #expect(!created.stderr.contains("WARNING"), "\(created.stderr)")
            let list = try await CommandLineTool.docker.run(["service", "ls"], on: engine)
            #expect(list.stdout.contains("2/2") && list.stdout.contains("*:8080->80/tcp"), "\(list.stdout)")
            let tasks = try await CommandLineTool.docker.run(["service", "ps", "web"], on: engine)
            #expect(tasks.stdout.contains("web.1") && tasks.stdout.contains("Running"), "\(tasks.stdout)")
            let scaled = try await CommandLineTool.docker.run(["service", "scale", "web=4"], on: engine)
            #expect(scaled.status == 0, "\(scaled.stderr)")
            let updated = try await CommandLineTool.docker.run(
                ["service", "update", "--env-add", "B=2", "web"], on: engine)
            #expect(updated.status == 0, "\(updated.stderr)")
            let inspected = try await CommandLineTool.docker.run(
                [
                    "service", "inspect", "-f",
                    "{{.Spec.TaskTemplate.ContainerSpec.Env}} {{.Spec.Mode.Replicated.Replicas}}", "web",
                ], on: engine)
            // The client itself mixes the variables' order up.
            #expect(
                ["[A=1 B=2] 4\n", "[B=2 A=1] 4\n"].contains(inspected.stdout),
                "\(inspected.stdout) \(inspected.stderr)")
            let pretty = try await CommandLineTool.docker.run(["service", "inspect", "--pretty", "web"], on: engine)
            #expect(pretty.stdout.contains("64MiB"), "\(pretty.stderr)")
            let rolledBack = try await CommandLineTool.docker.run(["service", "rollback", "-d", "web"], on: engine)
            #expect(rolledBack.status == 0, "\(rolledBack.stderr)")
            let removed = try await CommandLineTool.docker.run(["service", "rm", "web"], on: engine)
            #expect(removed.status == 0, "\(removed.stderr)")
            let rest = try await CommandLineTool.docker.run(["service", "ls", "-q"], on: engine)
            #expect(rest.stdout.isEmpty)
        }
    }

    @Test func theImageIsPinnedThroughTheDistributionEndpoint() async throws {
        try await FakeEngine.serve { engine in
            _ = try await CommandLineTool.docker.run(["service", "create", "-d", "--name", "web", "web:1"], on: engine)
            let image = try await CommandLineTool.docker.run(
                ["service", "inspect", "-f", "{{.Spec.TaskTemplate.ContainerSpec.Image}}", "web"], on: engine)
            #expect(image.stdout.hasPrefix("web:1@sha256:dddd"), "\(image.stdout) \(image.stderr)")
        }
    }

    @Test func logsAreDemultiplexedAndNamed() async throws {
        try await FakeEngine.serve(lines: [.stdout: "to out\n", .notice: "to err\n"]) { engine in
            _ = try await CommandLineTool.docker.run(["service", "create", "-d", "--name", "web", "web:1"], on: engine)
            let logs = try await CommandLineTool.docker.run(["service", "logs", "web"], on: engine)
            #expect(logs.stdout.contains("web.1.") && logs.stdout.contains("to out"), "\(logs.stderr)")
            #expect(logs.stderr.contains("to err"))
            let raw = try await CommandLineTool.docker.run(["service", "logs", "--raw", "web"], on: engine)
            #expect(raw.stdout == "to out\n")
        }
    }

    @Test func infoAndVersionAreShown() async throws {
        try await FakeEngine.serve { engine in
            let info = try await CommandLineTool.docker.run(["info"], on: engine)
            #expect(info.stdout.contains("Swarm: active"), "\(info.stdout) \(info.stderr)")
            #expect(info.stdout.contains("Is Manager: true"))
            let version = try await CommandLineTool.docker.run(["version", "-f", "{{.Server.APIVersion}}"], on: engine)
            #expect(version.stdout == "1.47\n", "\(version.stderr)")
        }
    }

    @Test func networksSecretsConfigsAndVolumesLive() async throws {
        try await FakeEngine.serve { engine in
            for command in [
                ["network", "create", "-d", "overlay", "--subnet", "10.9.0.0/24", "back"],
                ["volume", "create", "data"], ["image", "pull", "web:1"], ["swarm", "join-token", "worker"],
            ] {
                let output = try await CommandLineTool.docker.run(command, on: engine)
                #expect(output.status == 0, "\(command): \(output.stderr)")
            }
            let secret = try await CommandLineTool.docker.run(
                ["secret", "create", "key", "-"], on: engine, input: "s3cret")
            #expect(secret.status == 0, "\(secret.stderr)")
            let config = try await CommandLineTool.docker.run(
                ["config", "create", "conf", "-"], on: engine, input: "port=1")
            #expect(config.status == 0, "\(config.stderr)")
            let created = try await CommandLineTool.docker.run(
                [
                    "service", "create", "-d", "--name", "web", "--network", "back", "--secret", "key", "--config",
                    "source=conf,target=/etc/conf", "web:1",
                ], on: engine)
            #expect(created.status == 0, "\(created.stderr)")
            let refused = try await CommandLineTool.docker.run(["secret", "rm", "key"], on: engine)
            #expect(refused.status != 0 && refused.stderr.contains("in use by the following service: web"))
            for list in [
                ["network", "ls"], ["secret", "ls"], ["config", "ls"], ["volume", "ls"], ["images"], ["ps"],
            ] {
                let output = try await CommandLineTool.docker.run(list, on: engine)
                #expect(output.status == 0 && output.stdout.split(separator: "\n").count > 1, "\(list) \(output)")
            }
        }
    }
}
