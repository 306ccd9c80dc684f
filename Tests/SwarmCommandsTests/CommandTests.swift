import EngineAPI
import EngineFakes
import Foundation
import Testing

/// Runs the real `swarmctl` against the served API.
@Suite struct CommandTests {
    private let swarmctl = CommandLineTool.swarmctl

    @Test func aServiceIsCreatedScaledUpdatedAndRemoved() async throws {
        try await FakeEngine.serve { engine in
            let created = try await swarmctl(
                "service", "create", "--name", "web", "--replicas", "2", "--publish", "8080:80", "--env", "A=1",
                "--limit-memory", "64M", "web:1", "serve", "--fast", on: engine)
            #expect(created.status == 0, "\(created.stderr)")
            #expect(created.stdout.contains("web: 2 running after"))
            #expect(created.stdout.contains("web.1   n1"))
            let list = try await swarmctl("service", "ls", on: engine)
            #expect(list.stdout.contains("2/2") && list.stdout.contains("*:8080->80/tcp"), "\(list.stdout)")
            let scaled = try await swarmctl("service", "scale", "web=5", on: engine)
            #expect(scaled.status == 0 && scaled.stdout.contains("web.5   n1"), "\(scaled)")
            let updated = try await swarmctl(
                "service", "update", "--env-add", "B=2", "--env-rm", "A", "--image", "web:2", "--timeout", "10s", "web",
                on: engine)
            #expect(updated.status == 0, "\(updated)")
            let template = "{{.Spec.TaskTemplate.ContainerSpec.Env}} {{json .Spec.TaskTemplate.ContainerSpec.Args}}"
            let inspected = try await swarmctl("service", "inspect", "--format", template, "web", on: engine)
            #expect(inspected.stdout == "[B=2] [\"serve\",\"--fast\"]\n", "\(inspected)")
            let tasks = try await swarmctl("service", "ps", "web", on: engine)
            #expect(tasks.stdout.contains(" \\_ web.1") && tasks.stdout.contains("Shutdown"), "\(tasks.stdout)")
            let rolledBack = try await swarmctl("service", "rollback", "-d", "web", on: engine)
            #expect(rolledBack.status == 0, "\(rolledBack)")
            #expect(try await swarmctl("service", "rm", "web", on: engine).stdout == "web\n")
        }
    }

    @Test func aTaskThatDoesNotRunEndsTheWaitWithItsError() async throws {
        try await FakeEngine.serve { engine in
            await engine.cluster.failTasks(with: "manifest for web:9 not found")
            let output = try await swarmctl(
                "service", "create", "--name", "web", "--timeout", "500ms", "web:1", on: engine)
            #expect(output.status == 3)
            #expect(output.stderr.hasPrefix("swarmctl: web: not done after 0.5 s: 0/1 running"), "\(output.stderr)")
            #expect(output.stderr.contains("web.1: manifest for web:9 not found"))
            #expect(output.stderr.split(separator: "\n").count == 1)
        }
    }

    @Test func errorsAreOneLineWithAStatus() async throws {
        try await FakeEngine.serve { engine in
            let missing = try await swarmctl("service", "inspect", "none", on: engine)
            #expect(missing.status == 1)
            #expect(missing.stderr == "swarmctl: service none not found\n")
            let unreachable = try await swarmctl("--host", "unix:///nowhere.sock", on: engine)
            #expect(unreachable.status == 64)
            let closed = try await swarmctl("info", "--host", "unix:///nowhere.sock", on: engine)
            #expect(closed.status == 4)
            #expect(
                closed.stderr.hasPrefix("swarmctl: cannot reach the daemon at unix:///nowhere.sock: "),
                "\(closed.stderr)")
            let wrong = try await swarmctl("service", "scale", "web", on: engine)
            #expect(wrong.status == 1 && wrong.stderr.contains("SERVICE=NUMBER"))
        }
    }

    @Test func hostsAreChosenInOrder() async throws {
        try await FakeEngine.serve { engine in
            let other = ["SWARM_HOST": "unix:///nowhere.sock"]
            #expect(try await swarmctl("node", "ls", "-q", on: engine).status == 0)
            #expect(try await swarmctl("node", "ls", "-q", on: engine, environment: other).status == 4)
            let host = "unix://\(engine.socketPath)"
            let named = try await swarmctl("node", "ls", "-q", "-H", host, on: engine, environment: other)
            #expect(named.status == 0)
        }
    }

    @Test func aClusterIsMadeAndLeft() async throws {
        try await FakeEngine.serve(member: .init(state: .inactive)) { engine in
            let begun = try await swarmctl("init", "--advertise-addr", "10.1.0.1", on: engine)
            #expect(begun.status == 0, "\(begun)")
            #expect(begun.stdout.contains("    swarmctl join SWMTKN-worker\n"))
            #expect(try await swarmctl("token", "manager", "-q", on: engine).stdout == "SWMTKN-manager\n")
            let rotated = try await swarmctl("token", "worker", "--rotate", "-q", on: engine)
            #expect(rotated.stdout == "SWMTKN-worker-2\n", "\(rotated)")
            #expect(try await swarmctl("leave", on: engine).status == 1)
            #expect(try await swarmctl("leave", "--force", on: engine).status == 0)
            let joined = try await swarmctl("join", "-", on: engine, input: "SWMTKN-worker-2\n")
            #expect(joined.stdout == "This node joined a swarm as a worker.\n", "\(joined)")
        }
    }

    @Test func nodesAreShownAndChanged() async throws {
        try await FakeEngine.serve { engine in
            let list = try await swarmctl("node", "ls", on: engine)
            #expect(list.stdout.hasPrefix("ID") && list.stdout.contains("Leader") && list.stdout.contains(" *"))
            let update = try await swarmctl(
                "node", "update", "--availability", "drain", "--label-add", "zone=eu", "n1", on: engine)
            #expect(update.status == 0, "\(update)")
            let format = "{{.Hostname}} {{.Availability}}"
            #expect(try await swarmctl("node", "ls", "--format", format, on: engine).stdout == "n1 Drain\n")
            #expect(
                try await swarmctl("node", "inspect", "-f", "{{.Spec.Labels.zone}}", "self", on: engine).stdout
                    == "eu\n")
            #expect(try await swarmctl("node", "demote", "n1", on: engine).status == 1)
            let unknown = try await swarmctl("node", "ls", "--format", "{{.Colour}}", on: engine)
            #expect(unknown.stderr == "swarmctl: template: there is no field .Colour\n")
        }
    }

    @Test func imagesArePulledImportedAndRemoved() async throws {
        try await FakeEngine.serve { engine in
            let list = try await swarmctl("image", "ls", on: engine)
            #expect(list.stdout.contains("web") && list.stdout.contains("12.3MB"), "\(list)")
            #expect(try await swarmctl("image", "pull", "web:2", on: engine).status == 0)
            let missing = try await swarmctl("image", "pull", "missing:1", on: engine)
            #expect(missing.status == 1 && missing.stderr == "swarmctl: manifest for missing:1 not found\n")
            let imported = try await swarmctl("image", "import", "-", "base:1", on: engine, input: "tar bytes")
            #expect(imported.status == 0 && imported.stdout.hasPrefix("sha256:"), "\(imported)")
            #expect(await engine.images.uploaded == Array("tar bytes".utf8))
            #expect(try await swarmctl("image", "tag", "base:1", "base:2", on: engine).status == 0)
            #expect(try await swarmctl("image", "push", "base:2", on: engine).status == 0)
            #expect(try await swarmctl("image", "rm", "base:2", on: engine).stdout.contains("Untagged: base:2"))
            #expect(try await swarmctl("image", "load", on: engine, input: "x").stdout == "Loaded image: loaded:1\n")
        }
    }

    @Test func networksSecretsConfigsAndVolumesLive() async throws {
        try await FakeEngine.serve { engine in
            #expect(try await swarmctl("network", "create", "--subnet", "10.9.0.0/24", "back", on: engine).status == 0)
            #expect(try await swarmctl("secret", "create", "key", on: engine, input: "s3cret").status == 0)
            #expect(try await swarmctl("config", "create", "conf", "-", on: engine, input: "a=1").status == 0)
            #expect(try await swarmctl("volume", "create", "data", on: engine).stdout == "data\n")
            let created = try await swarmctl(
                "service", "create", "-d", "--name", "web", "--network", "back", "--secret", "key", "--config",
                "source=conf,target=/etc/conf,mode=0400", "--mount", "type=volume,src=data,dst=/data", "web:1",
                on: engine)
            #expect(created.status == 0, "\(created)")
            let refused = try await swarmctl("network", "rm", "back", on: engine)
            #expect(refused.stderr == "swarmctl: network back is in use by service web\n", "\(refused)")
            let update = try await swarmctl(
                "service", "update", "-d", "--network-rm", "back", "--secret-rm", "key", "web", on: engine)
            #expect(update.status == 0, "\(update)")
            #expect(try await swarmctl("network", "rm", "back", on: engine).status == 0)
            #expect(try await swarmctl("secret", "rm", "key", on: engine).status == 0)
            #expect(try await swarmctl("config", "ls", "--format", "{{.Name}}", on: engine).stdout == "conf\n")
            #expect(try await swarmctl("volume", "ls", "-q", on: engine).stdout == "data\n")
            #expect(try await swarmctl("volume", "rm", "data", on: engine).status == 0)
        }
    }

    @Test func logsNameTaskAndNode() async throws {
        try await FakeEngine.serve(lines: [.stdout: "out\n", .notice: "lost\n"]) { engine in
            _ = try await swarmctl("service", "create", "-d", "--name", "web", "web:1", on: engine)
            let logs = try await swarmctl("service", "logs", "web", on: engine)
            #expect(logs.stdout.hasPrefix("web.1.") && logs.stdout.hasSuffix("@n1    | out\n"), "\(logs)")
            #expect(logs.stderr.hasSuffix("| lost\n"))
            #expect(try await swarmctl("service", "logs", "--raw", "web", on: engine).stdout == "out\n")
        }
    }

    @Test func infoVersionAndHelpAreShown() async throws {
        try await FakeEngine.serve { engine in
            #expect(try await swarmctl("info", on: engine).stdout.contains("Swarm: active"))
            #expect(try await swarmctl("version", "-f", "{{.Server.ApiVersion}}", on: engine).stdout == "1.47\n")
            let help = try await swarmctl("service", "create", "--help", on: engine)
            #expect(help.status == 0 && help.stdout.contains("EXAMPLES"))
            let completion = try await swarmctl("--generate-completion-script", "bash", on: engine)
            #expect(completion.status == 0 && completion.stdout.contains("swarmctl"))
        }
    }
}
