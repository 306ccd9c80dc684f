import ClusterModel
import ClusterState
import EngineAPI
import EngineFakes
import Foundation
import Testing

/// Deploys compose files with the real `swarmctl` to the served API.
@Suite struct StackTests {
    private let swarmctl = CommandLineTool.swarmctl

    private static let file = """
        services:
          web:
            image: web:${TAG:-1}
            command: serve --fast
            ports: ["127.0.0.1:8080:80", "9000:90"]
            environment: {B: 2, A: 1}
            networks: {front: {aliases: [www]}, default: }
            volumes: [data:/data]
            secrets: [key]
            configs: [{source: conf, target: /etc/conf, mode: 0440}]
            healthcheck: {test: "true", interval: 5s}
            labels: {c: d}
            deploy:
              replicas: 2
              update_config: {parallelism: 1, order: start-first, monitor: 1s}
              resources: {limits: {memory: 64M, cpus: "0.5", pids: 20}}
              placement: {constraints: [node.role == manager]}
          db:
            image: web:2
            restart: "no"
        networks:
          front: {internal: true}
        volumes:
          data:
        secrets:
          key: {file: ./key.txt}
        configs:
          conf: {content: "one"}
          fixed: {name: fixed, content: "two"}
        """

    /// A folder with a compose file, removed afterwards.
    private func withFile<Result>(
        _ text: String = file, _ body: (_ file: String, _ folder: URL) async throws -> Result
    ) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("stack-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("compose.yml")
        try Data(text.utf8).write(to: file)
        try Data("secret".utf8).write(to: folder.appendingPathComponent("key.txt"))
        return try await body(file.path, folder)
    }

    /// Everything that a second deployment must not change.
    private func state(_ engine: FakeEngine) async throws -> [String] {
        let tables = try await engine.cluster.tables()
        return tables.services.sorted.map { "\($0.spec.name) \($0.meta.version)" }
            + tables.tasks.sorted.map { "\($0.name) \($0.meta.version) \($0.desiredState)" }
            + tables.networks.sorted.map { "\($0.spec.name) \($0.meta.version)" }
            + tables.secrets.sorted.map { "\($0.name) \($0.meta.version)" }
            + tables.configs.sorted.map { "\($0.name) \($0.meta.version)" }
    }

    @Test func aStackIsDeployedListedAndRemoved() async throws {
        try await FakeEngine.serve { engine in
            try await withFile { file, _ in
                let deployed = try await swarmctl("stack", "deploy", "-c", file, "app", on: engine)
                #expect(deployed.status == 0, "\(deployed)")
                #expect(deployed.stderr.isEmpty, "\(deployed.stderr)")
                let made = deployed.stdout.split(separator: "\n").filter { $0.hasPrefix("Creating") }
                #expect(
                    made == [
                        "Creating network app_default", "Creating network app_front",
                        "Creating secret app_key-2bb80d53", "Creating config app_conf-7692c3ad",
                        "Creating config fixed", "Creating service app_db", "Creating service app_web",
                    ])
                #expect(deployed.stdout.contains("app: 3 tasks running after"))
                #expect(deployed.stdout.contains("  app_web.2   n1"))
                #expect(
                    try await swarmctl("stack", "ls", on: engine).stdout == "NAME   SERVICES\napp    2\n")
                let services = try await swarmctl(
                    "stack", "services", "--format", "{{.Name}} {{.Replicas}} {{.Image}}", "app", on: engine)
                #expect(services.stdout == "app_db 1/1 web:2\napp_web 2/2 web:1\n", "\(services)")
                let tasks = try await swarmctl("stack", "ps", "--format", "{{.Name}} {{.Node}}", "app", on: engine)
                #expect(tasks.stdout == "app_db.1 n1\napp_web.1 n1\napp_web.2 n1\n", "\(tasks)")
                let removed = try await swarmctl("stack", "rm", "app", on: engine)
                #expect(removed.status == 0, "\(removed)")
                let tables = try await engine.cluster.tables()
                #expect(tables.services.sorted.isEmpty && tables.tasks.sorted.isEmpty)
                #expect(
                    tables.networks.sorted.isEmpty && tables.secrets.sorted.isEmpty && tables.configs.sorted.isEmpty)
                let again = try await swarmctl("stack", "rm", "app", on: engine)
                #expect(again.status == 0 && again.stderr == "Nothing found in stack: app\n")
                #expect(try await swarmctl("stack", "ps", "app", on: engine).status == 1)
            }
        }
    }

    @Test func theSpecReachesTheClusterAsWritten() async throws {
        try await FakeEngine.serve { engine in
            try await withFile { file, _ in
                #expect(try await swarmctl("stack", "deploy", "-d", "-c", file, "app", on: engine).status == 0)
                let tables = try await engine.cluster.tables()
                let web = try #require(tables.service(named: "app_web"))
                let container = web.spec.task.container
                #expect(container.image.hasPrefix("web:1@sha256:"))
                #expect(container.environment == ["A=1", "B=2"])
                #expect(container.arguments == ["serve", "--fast"])
                #expect(container.secrets.map(\.id) == tables.secrets.sorted.map(\.id))
                #expect(container.secrets.map(\.target) == ["key"])
                #expect(container.configs.map(\.name) == ["app_conf-7692c3ad"])
                #expect(web.spec.ports.map(\.hostAddress) == ["127.0.0.1", nil])
                let names = web.spec.task.networks.compactMap { tables.networks[$0.network]?.spec.name }
                #expect(names == ["app_default", "app_front"])
                #expect(web.spec.task.networks.map(\.aliases) == [["web"], ["www", "web"]])
                #expect(web.spec.labels["com.docker.stack.image"] == "web:1")
                #expect(web.spec.task.limits.memoryBytes == 64 << 20)
                #expect(tables.service(named: "app_db")?.spec.task.restart.condition == RestartCondition.none)
            }
        }
    }

    @Test func deployingTheSameFileAgainChangesNothing() async throws {
        try await FakeEngine.serve { engine in
            try await withFile { file, _ in
                _ = try await swarmctl("stack", "deploy", "-d", "-c", file, "app", on: engine)
                let before = try await state(engine)
                let again = try await swarmctl("stack", "deploy", "-c", file, "--prune", "app", on: engine)
                #expect(again.status == 0, "\(again)")
                #expect(again.stdout.contains("Unchanged service app_db\nUnchanged service app_web\n"))
                #expect(try await state(engine) == before)
            }
        }
    }

    /// moby issue 35803.
    @Test func aChangedSecretUpdatesItsServiceAlone() async throws {
        try await FakeEngine.serve { engine in
            try await withFile { file, folder in
                _ = try await swarmctl("stack", "deploy", "-d", "-c", file, "app", on: engine)
                try Data("other".utf8).write(to: folder.appendingPathComponent("key.txt"))
                let changed = try await swarmctl("stack", "deploy", "-c", file, "app", on: engine)
                #expect(changed.status == 0, "\(changed)")
                #expect(changed.stdout.contains("Creating secret app_key-d9298a10\n"), "\(changed.stdout)")
                #expect(changed.stdout.contains("Unchanged service app_db\nUpdating service app_web\n"))
                var names = try await engine.cluster.tables().secrets.sorted.map(\.name).sorted()
                #expect(names == ["app_key-2bb80d53", "app_key-d9298a10"])
                // The old one stays as long as a rollback would need it.
                _ = try await swarmctl("stack", "deploy", "-c", file, "--prune", "app", on: engine)
                names = try await engine.cluster.tables().secrets.sorted.map(\.name).sorted()
                #expect(names == ["app_key-2bb80d53", "app_key-d9298a10"])
                for tag in ["2", "3"] {
                    _ = try await swarmctl(
                        "stack", "deploy", "-d", "-c", file, "--prune", "app", on: engine, environment: ["TAG": tag])
                }
                #expect(try await engine.cluster.tables().secrets.sorted.map(\.name) == ["app_key-d9298a10"])
            }
        }
    }

    @Test func aFixedNameCannotGetAnotherContent() async throws {
        try await FakeEngine.serve { engine in
            let text = "services: {web: {image: web}}\nsecrets: {k: {name: fixed, environment: K}}\n"
            try await withFile(text) { file, _ in
                func deploy(_ value: String) async throws -> CommandLineTool.Output {
                    try await swarmctl(
                        "stack", "deploy", "-d", "-c", file, "app", on: engine, environment: ["K": value])
                }
                #expect(try await deploy("one").status == 0)
                let refused = try await deploy("two")
                #expect(refused.status == 1)
                #expect(refused.stderr.contains("compose.yml:2:11: secret fixed: only updates to Labels are allowed"))
                #expect(try await deploy("one").status == 0)
            }
        }
    }

    @Test func pruneRemovesWhatIsNotAskedFor() async throws {
        try await FakeEngine.serve { engine in
            try await withFile { file, folder in
                _ = try await swarmctl("stack", "deploy", "-d", "-c", file, "app", on: engine)
                let small = folder.appendingPathComponent("small.yml").path
                try Data("services: {db: {image: \"web:2\", restart: \"no\"}}".utf8)
                    .write(to: URL(fileURLWithPath: small))
                let kept = try await swarmctl("stack", "deploy", "-d", "-c", small, "app", on: engine)
                #expect(kept.stdout == "Unchanged service app_db\n", "\(kept)")
                let pruned = try await swarmctl("stack", "deploy", "--prune", "-c", small, "app", on: engine)
                #expect(pruned.status == 0, "\(pruned)")
                let tables = try await engine.cluster.tables()
                #expect(tables.services.sorted.map(\.spec.name) == ["app_db"])
                #expect(tables.networks.sorted.map(\.spec.name) == ["app_default"])
                #expect(tables.secrets.sorted.isEmpty && tables.configs.sorted.isEmpty)
            }
        }
    }

    @Test func nothingIsDeployedFromAFaultyFile() async throws {
        try await FakeEngine.serve { engine in
            let before = try await state(engine)
            try await withFile("services:\n  a: {image: a}\n  web:\n    image: web\n    ports: [x]\n") { file, _ in
                let refused = try await swarmctl("stack", "deploy", "-c", file, "app", on: engine)
                #expect(refused.status == 1)
                #expect(refused.stderr.hasPrefix("swarmctl: \(file):5:13: services.web.ports[0] must be"))
            }
            try await withFile("services: {a: {image: a, devices: []}}\n") { file, _ in
                let refused = try await swarmctl("stack", "deploy", "--strict", "-c", file, "app", on: engine)
                #expect(refused.status == 1)
                #expect(
                    refused.stderr == "WARNING: \(file):1: services.a.devices is not supported and ignored\n"
                        + "swarmctl: nothing is deployed: --strict, and 1 warnings about the files\n")
            }
            let external = "services: {a: {image: a, networks: [n]}}\nnetworks: {n: {external: true}}\n"
            try await withFile(external) { file, _ in
                let refused = try await swarmctl("stack", "deploy", "-c", file, "app", on: engine)
                #expect(refused.status == 1)
                #expect(refused.stderr.contains(":2:12: network \"n\" is declared as external, but could not be found"))
            }
            let missing = try await swarmctl("stack", "deploy", "-c", "/none.yml", "app", on: engine)
            #expect(missing.status == 1)
            #expect(missing.stderr == "swarmctl: cannot read /none.yml: no such file\n")
            #expect(try await state(engine) == before)
        }
    }

    @Test func tasksThatDoNotRunEndTheWaitWithTheirError() async throws {
        try await FakeEngine.serve { engine in
            await engine.cluster.failTasks(with: "manifest for web:1 not found")
            try await withFile("services: {web: {image: \"web:1\"}, db: {image: \"web:2\"}}") { file, _ in
                let output = try await swarmctl("stack", "deploy", "-c", file, "--timeout", "500ms", "app", on: engine)
                #expect(output.status == 3)
                #expect(output.stderr.hasPrefix("swarmctl: stack app: not done after 0.5 s: app_db: 0/1 running"))
                #expect(output.stderr.contains("app_web.1: manifest for web:1 not found"), "\(output.stderr)")
            }
        }
    }

    @Test func configPrintsTheFilesAsOne() async throws {
        try await FakeEngine.serve { engine in
            try await withFile("services: {web: {image: \"web:${TAG}\"}}") { file, folder in
                try Data("TAG=7\n".utf8).write(to: folder.appendingPathComponent("my.env"))
                let printed = try await swarmctl(
                    "stack", "config", "-c", file, "--env-file", folder.path + "/my.env", on: engine)
                #expect(printed.stdout == "services:\n  web:\n    image: \"web:7\"\n", "\(printed)")
                let piped = try await swarmctl(
                    "stack", "config", "-c", "-", on: engine, input: "services: {a: {image: a}}")
                #expect(piped.stdout == "services:\n  a:\n    image: a\n", "\(piped)")
            }
        }
    }
}
