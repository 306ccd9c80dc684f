import Foundation
import Testing

/// The `docker` command of this machine.
enum DockerClient {
    /// Debian 12 packages it with its daemon only (docker.io), which `make test-deps` does not install.
    static let isHere = (try? Command.run(["docker", "--version"]))?.status == 0
}

extension AppTests {
    /// The `docker` CLI, asking n1's socket.
    @Suite(.serialized, .enabled(if: DockerClient.isHere, "no docker client on this machine"))
    struct DockerCLITests {
        private func run(_ arguments: [String]) throws -> Command.Result {
            let lab = try AppTests.lab()
            return try Command.run(
                ["timeout", "90", "docker"] + arguments,
                environment: [
                    "DOCKER_HOST": "unix://\(lab.folder)/n1/swarm.sock", "DOCKER_CONFIG": "\(lab.folder)/docker",
                ])
        }

        /// `docker …`; a failure of it fails the test.
        @discardableResult
        private func docker(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String
        {
            let result = try run(arguments)
            try #require(
                result.status == 0, "docker \(arguments): exit \(result.status): \(result.errors)\(result.output)",
                sourceLocation: sourceLocation)
            return result.output
        }

        /// What `docker …` says when it fails, which it must.
        private func refusal(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String
        {
            let result = try run(arguments)
            #expect(result.status != 0, "docker \(arguments): \(result.output)", sourceLocation: sourceLocation)
            return result.errors
        }

        private func running(_ service: String) throws -> [TaskRow] {
            try AppTests.lab().tasks(of: service).filter(\.isRunning)
        }

        @Test func itSeesTheEngineAndTheNodes() throws {
            let lab = try AppTests.lab()
            #expect(try docker("version", "--format", "{{.Server.APIVersion}} {{.Server.Os}}") == "1.47 linux\n")
            let info = try docker("info")
            for line in ["Swarm: active", "Is Manager: true", "Nodes: 3", "Managers: 1"] {
                #expect(info.contains(line))
            }
            #expect(!info.contains("WARNING"))
            let nodes = try docker("node", "ls", "--format", "{{.Hostname}} {{.Status}} {{.ManagerStatus}}")
            #expect(nodes.split(separator: "\n").sorted() == ["n1 Ready Leader", "n2 Ready ", "n3 Ready "])
            #expect(try docker("node", "inspect", "self", "--pretty").contains("Hostname:              \tn1"))
            try docker("node", "update", "--label-add", "zone=eu", "n3")
            #expect(try docker("node", "inspect", "n3", "--format", "{{.Spec.Labels.zone}}") == "eu\n")
            try docker("node", "update", "--label-rm", "zone", "n3")
            let token = try docker("swarm", "join-token", "--quiet", "worker")
            #expect(token.hasPrefix("SWMTKN-1-"))
            #expect(
                try docker("swarm", "join-token", "worker").contains("docker swarm join --token \(token.dropLast())"))
            #expect(try docker("swarm", "ca").hasPrefix("-----BEGIN CERTIFICATE-----"))
            let root = try docker("swarm", "ca")
            #expect(try docker("swarm", "ca", "--rotate").contains("-----BEGIN CERTIFICATE-----"))
            #expect(try docker("swarm", "ca") != root)
            #expect(
                try docker("node", "ls", "--format", "{{.TLSStatus}}").split(separator: "\n")
                    == ["Ready", "Ready", "Ready"])
            #expect(try refusal("node", "demote", "n1").contains("last manager"))
            #expect(try refusal("node", "inspect", "nobody").contains("nobody"))
            #expect(try refusal("swarm", "init").contains("already part of a swarm"))
            #expect(try lab.on("n1", "node", "ls", "-q").split(separator: "\n").count == 3)
        }

        @Test func itRunsAServiceThroughItsLife() throws {
            let lab = try AppTests.lab()
            for node in lab.nodes { try lab.on(node, "image", "tag", "box:1", "box:2") }
            let created = try docker(
                "service", "create", "--name", "cli", "--no-resolve-image", "--replicas", "2", "--update-monitor",
                "500ms", "--rollback-monitor", "500ms", "--restart-delay", "200ms", "--init", "box:1", "sh", "-c",
                "echo speaking; exec sleep 1000")
            #expect(created.contains("Service") && created.contains("converged"))
            #expect(try running("cli").count == 2)
            #expect(
                try docker("service", "ls", "--format", "{{.Name}} {{.Replicas}} {{.Image}}").contains("cli 2/2 box:1"))
            let tasks = try docker("service", "ps", "cli", "--format", "{{.Name}} {{.DesiredState}} {{.CurrentState}}")
            #expect(tasks.contains("cli.1 Running Running") && tasks.contains("cli.2 Running Running"))
            let pretty = try docker("service", "inspect", "--pretty", "cli")
            for line in ["Name:\t\tcli", " Replicas:\t2", " Image:\t\tbox:1"] {
                #expect(pretty.contains(line), "\(pretty)")
            }

            #expect(try docker("service", "scale", "cli=3").contains("converged"))
            #expect(try running("cli").count == 3)
            let image = try docker(
                "service", "update", "--no-resolve-image", "--image", "box:2", "--update-parallelism", "0", "cli")
            #expect(image.contains("converged"))
            #expect(try docker("service", "inspect", "cli", "--format", "{{.UpdateStatus.State}}") == "completed\n")
            #expect(try docker("service", "update", "--env-add", "A=b", "--detach", "cli") == "cli\n")
            try lab.waitUntil("the update is done") {
                try docker("service", "inspect", "cli", "--format", "{{.UpdateStatus.State}}") == "completed\n"
            }
            #expect(try docker("service", "rollback", "cli").contains("converged"))
            let environment = "{{.Spec.TaskTemplate.ContainerSpec.Env}} {{.UpdateStatus.State}}"
            #expect(try docker("service", "inspect", "cli", "--format", environment) == "[] rollback_completed\n")
            #expect(try docker("service", "logs", "--raw", "cli").contains("speaking\n"))
            #expect(try docker("service", "logs", "--tail", "1", "cli").contains("| speaking"))

            let containers = try docker("ps", "--format", "{{.Image}} {{.Names}} {{.State}}")
            #expect(containers.contains(" cli.") && containers.contains("running"), "\(containers)")
            #expect(try refusal("service", "create", "--detach", "--name", "cli", "box:1").contains("already exists"))
            #expect(try docker("service", "rm", "cli") == "cli\n")
            #expect(try refusal("service", "inspect", "cli").contains("no such service: cli"))
        }

        /// An update that fails is an exit code, and the tasks' errors.
        @Test func itReportsAFailedUpdate() throws {
            try docker(
                "service", "create", "--name", "failing", "--no-resolve-image", "--update-monitor", "5s",
                "--restart-delay", "200ms", "--init", "box:1", "sleep", "1000")
            let text = try refusal("service", "update", "--no-resolve-image", "--args", "false", "failing")
            #expect(text.contains("paused"), "\(text)")
            #expect(try docker("service", "ps", "--no-trunc", "failing").contains("non-zero exit (1)"))
            try docker("service", "rm", "failing")
        }

        @Test func itDeploysStacks() throws {
            let folder = try AppTests.folder("docker-stack")
            let file = "\(folder)/compose.yml"
            try "hello\n".write(toFile: "\(folder)/settings", atomically: true, encoding: .utf8)
            try """
            version: "3.8"
            services:
              web:
                image: box:1
                command: sleep 1000
                init: true
                networks: [front]
                configs: [settings]
                secrets: [key]
                deploy: {replicas: 2}
            networks: {front: {}}
            configs: {settings: {file: ./settings}}
            secrets: {key: {file: ./settings}}
            """.write(toFile: file, atomically: true, encoding: .utf8)
            let deploy = ["stack", "deploy", "--resolve-image", "never", "--detach=false", "-c", file, "cli"]
            let first = try run(deploy)
            #expect(first.status == 0 && first.output.contains("Creating service cli_web"), "\(first.errors)")
            let before = try running("cli_web").map(\.id).sorted()
            #expect(before.count == 2)
            let second = try run(deploy)
            #expect(second.status == 0 && second.output.contains("Updating service cli_web"), "\(second.errors)")
            #expect(try running("cli_web").map(\.id).sorted() == before)
            #expect(try docker("stack", "ls", "--format", "{{.Name}} {{.Services}}").contains("cli 1"))
            #expect(try docker("stack", "ps", "cli", "--format", "{{.Name}}").contains("cli_web.2"))
            #expect(try docker("stack", "services", "cli", "--format", "{{.Name}} {{.Replicas}}") == "cli_web 2/2\n")
            let removed = try docker("stack", "rm", "cli")
            for object in ["service cli_web", "secret cli_key", "config cli_settings", "network cli_front"] {
                #expect(removed.contains("Removing \(object)"), "\(removed)")
            }
            #expect(try docker("stack", "ls", "--format", "{{.Name}}").isEmpty)
        }

        @Test func itKeepsNetworksSecretsConfigsVolumesAndImages() throws {
            let lab = try AppTests.lab()
            try docker("network", "create", "--driver", "overlay", "--subnet", "10.77.0.0/24", "clinet")
            #expect(
                try docker("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}").contains(
                    "clinet overlay swarm"))
            #expect(
                try docker("network", "inspect", "clinet", "--format", "{{(index .IPAM.Config 0).Subnet}}")
                    == "10.77.0.0/24\n")
            #expect(try refusal("network", "create", "bridged").contains("overlay"))
            #expect(try docker("network", "rm", "clinet") == "clinet\n")

            let file = "\(try AppTests.folder("payload"))/payload"
            try "open sesame\n".write(toFile: file, atomically: true, encoding: .utf8)
            for kind in ["secret", "config"] {
                try docker(kind, "create", "--label", "a=b", "cli\(kind)", file)
                #expect(try docker(kind, "ls", "--format", "{{.Name}} {{.Labels}}").contains("cli\(kind) a=b"))
                let all = try docker(kind, "inspect", "cli\(kind)")
                #expect(all.contains("Data") == (kind == "config"), "\(all)")
                #expect(try docker(kind, "rm", "cli\(kind)") == "cli\(kind)\n")
            }
            #expect(try docker("volume", "create", "clivolume") == "clivolume\n")
            #expect(try docker("volume", "ls", "--format", "{{.Name}} {{.Driver}}").contains("clivolume local"))
            #expect(try docker("volume", "rm", "clivolume") == "clivolume\n")
            #expect(try refusal("volume", "rm", "clivolume").contains("no such volume"))

            try docker("tag", "box:1", "cli/box:9")
            #expect(try docker("images", "--format", "{{.Repository}}:{{.Tag}}").contains("cli/box:9"))
            #expect(try docker("image", "inspect", "cli/box:9", "--format", "{{.Os}}") == "linux\n")
            #expect(try docker("rmi", "cli/box:9") == "Untagged: cli/box:9\n")
            #expect(try refusal("image", "inspect", "cli/box:9").contains("cli/box:9"))
            // A container without a service: said, not mistaken for a missing image.
            let text = try refusal("run", "box:1", "true")
            #expect(text.contains("docker service create") && !text.contains("Unable to find image"), "\(text)")
            #expect(try lab.on("n1", "service", "ls", "-q").isEmpty)
        }

        @Test func itLogsInAndSendsTheAccountAlong() throws {
            let lab = try AppTests.lab()
            let registry = try LabRegistry(lab, port: 5002, account: "bob:let-me-in")
            let image = "\(registry.name)/private:1"
            let wrong = try refusal("login", "--username", "bob", "--password", "wrong", registry.name)
            #expect(wrong.contains("unauthorized") || wrong.contains("authentication"), "\(wrong)")
            #expect(
                try docker("login", "--username", "bob", "--password", "let-me-in", registry.name)
                    .contains("Login Succeeded"))
            try docker("tag", "box:1", image)
            try docker("push", image)
            try docker(
                "service", "create", "--with-registry-auth", "--name", "private", "--constraint", "node.hostname==n3",
                image, "sleep", "1000")
            #expect(try running("private").map(\.node) == ["n3"])
            let shown = try docker(
                "service", "inspect", "private", "--format", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
            #expect(shown.contains("@sha256:"))
            try docker("service", "rm", "private")
        }
    }
}
