import Foundation
import Testing

/// A `docker-registry` process on the lab's registry host.
struct LabRegistry {
    let lab: Lab
    /// `HOST:PORT`, as images name it.
    let name: String

    /// Starts one, or finds it running.
    ///
    /// - Parameter account: `user:password` that it asks for.
    init(_ lab: Lab, port: Int, account: String? = nil) throws {
        self.lab = lab
        name = "\(lab.registryAddress):\(port)"
        let folder = "\(lab.folder)/registry-\(port)"
        if FileManager.default.fileExists(atPath: folder) { return }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var configuration = """
            version: 0.1
            storage: {filesystem: {rootdirectory: \(folder)/data}}
            http: {addr: ":\(port)"}

            """
        if let account {
            let words = account.split(separator: ":").map(String.init)
            let made = try Command.run(["htpasswd", "-Bbc", "\(folder)/htpasswd"] + words)
            try #require(made.status == 0, "\(made.errors)")
            configuration += "auth: {htpasswd: {realm: lab, path: \(folder)/htpasswd}}\n"
        }
        try configuration.write(toFile: "\(folder)/config.yml", atomically: true, encoding: .utf8)
        let start = try lab.exec(
            "registry",
            [
                "sh", "-c", "docker-registry serve \"$1/config.yml\" >\"$1/log\" 2>&1 &", "sh", folder,
            ])
        try #require(start.status == 0, "\(start.errors)")
        try lab.waitUntil("the registry answers") { try curl("/v2/").status == 0 }
    }

    /// Asks the registry from its own host.
    func curl(_ path: String, _ arguments: String...) throws -> Command.Result {
        try lab.exec("registry", ["curl", "-sS"] + arguments + ["http://\(name)\(path)"])
    }

    /// `skopeo copy` on the registry's host.
    func copy(_ arguments: String...) throws {
        let result = try lab.exec(
            "registry",
            ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"] + arguments)
        try #require(result.status == 0, "skopeo \(arguments): \(result.errors)")
    }
}

extension AppTests {
    /// Images on their way: registry, accounts, compressions, archives.
    @Suite(.serialized) struct RegistryTests {
        /// An open registry with `box:1` in it.
        private func registry() throws -> LabRegistry {
            let lab = try AppTests.lab()
            let registry = try LabRegistry(lab, port: 5000)
            if try registry.curl("/v2/box/manifests/1", "-f").status != 0 {
                try lab.on("n1", "image", "tag", "box:1", "\(registry.name)/box:1")
                try lab.on("n1", "image", "push", "\(registry.name)/box:1")
            }
            return registry
        }

        private func errors(of service: String) throws -> String {
            try AppTests.lab().tasks(of: service).map(\.error).joined(separator: "\n")
        }

        @Test func anImageIsPushedAndPulledByItsDigest() throws {
            let lab = try AppTests.lab()
            let registry = try registry()
            try lab.on(
                "n1", "service", "create", "--name", "pulled", "--mode", "global", "\(registry.name)/box:1", "sleep",
                "1000")
            let image = try AppTests.inspect("pulled", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
            let found = try registry.curl(
                "/v2/box/manifests/1", "-o", "/dev/null", "-D", "-", "-H", LabRegistry.accept
            )
            .output.split(separator: "\r\n").first { $0.lowercased().hasPrefix("docker-content-digest") }
            .map { $0.split(separator: " ").last.map(String.init) ?? "" }
            let digest = try #require(found)
            #expect(image == "\(registry.name)/box:1@\(digest)")
            let nodes = Set(try lab.tasks(of: "pulled").filter(\.isRunning).map(\.node))
            #expect(nodes == ["n1", "n2", "n3"])
            for node in ["n2", "n3"] {
                let list = try lab.on(node, "image", "ls", "--format", "{{.Repository}} {{.Digest}}")
                #expect(list.contains("\(registry.name)/box \(digest)"), "\(list)")
            }
            try AppTests.remove("pulled")
        }

        @Test func whatARegistrySaysOfAMissingImageIsInTheTasksError() throws {
            let lab = try AppTests.lab()
            let registry = try registry()
            let create = try lab.exec(
                "n1",
                [
                    "swarmctl", "service", "create", "--detach", "--restart-condition", "none", "--name", "missing",
                    "\(registry.name)/box:nope", "sleep", "1000",
                ])
            #expect(create.status == 0)
            #expect(create.errors.contains("could not be accessed on a registry"), "\(create.errors)")
            try lab.waitUntil("the error is there") {
                let text = try errors(of: "missing")
                return text.contains("box:nope") && text.contains("manifest unknown")
            }
            try AppTests.remove("missing")
        }

        /// The account reaches the nodes that pull, and nobody who asks the API.
        @Test func anAccountGoesToTheNodesAndIsNeverShown() throws {
            let lab = try AppTests.lab()
            let registry = try LabRegistry(lab, port: 5001, account: "ann:open-sesame")
            let image = "\(registry.name)/private:1"
            let password = ["env", "SWARM_REGISTRY_PASSWORD=open-sesame", "swarmctl"]
            try lab.on("n1", "image", "tag", "box:1", image)
            let anonymous = try lab.exec("n1", ["swarmctl", "image", "push", image])
            #expect(anonymous.status != 0 && anonymous.errors.contains("log in"), "\(anonymous.errors)")
            let push = try lab.exec("n1", password + ["image", "push", "--username", "ann", image])
            try #require(push.status == 0, "\(push.errors)")

            let there = ["--constraint", "node.hostname==n2", "--name", "private", image, "sleep", "1000"]
            let without = try lab.exec(
                "n1",
                ["swarmctl", "service", "create", "--detach", "--restart-delay", "200ms"] + there)
            try #require(without.status == 0, "\(without.errors)")
            try lab.waitUntil("the registry refuses the node") {
                try errors(of: "private").contains("authentication required")
            }
            let update = try lab.exec(
                "n1",
                password + ["service", "update", "--with-registry-auth", "--username", "ann", "--force", "private"])
            #expect(update.status == 0, "\(update.errors)")
            #expect(try lab.tasks(of: "private").contains { $0.isRunning && $0.node == "n2" })

            // `docker login` leaves the account in a file.
            let config = try AppTests.folder("docker-config")
            let auth = Data("ann:open-sesame".utf8).base64EncodedString()
            try "{\"auths\": {\"\(registry.name)\": {\"auth\": \"\(auth)\"}}}".write(
                toFile: "\(config)/config.json", atomically: true, encoding: .utf8)
            let second = try lab.exec(
                "n1",
                [
                    "env", "DOCKER_CONFIG=\(config)", "swarmctl", "service", "create", "--with-registry-auth", "--name",
                    "second", "--constraint", "node.hostname==n3", image, "sleep", "1000",
                ])
            #expect(second.status == 0, "\(second.errors)")
            #expect(try AppTests.inspect("second", "{{.Spec.TaskTemplate.ContainerSpec.Image}}").contains("@sha256:"))

            for path in ["/services", "/services/private", "/tasks", "/services/second"] {
                let answer = try lab.api("n1", path)
                #expect(answer.contains("private:1"), "\(path)")
                #expect(!answer.contains("open-sesame") && !answer.contains(auth), "\(path)")
            }
            try AppTests.remove("private", "second")
        }

        /// Layers in gzip and zstd, and a list of manifests for several platforms.
        @Test func compressionsAndListsArePulled() throws {
            let lab = try AppTests.lab()
            let registry = try registry()
            let folder = try AppTests.folder("layers")
            let source = "docker://\(registry.name)/box:1"
            try registry.copy("--dest-decompress", source, "dir:\(folder)/plain")
            // A registry each: skopeo does not compress again what is there already.
            for (format, port) in [("gzip", 5003), ("zstd", 5004)] {
                let registry = try LabRegistry(lab, port: port)
                let target = "docker://\(registry.name)/box-\(format):1"
                try registry.copy("--format", "oci", "--dest-compress-format", format, "dir:\(folder)/plain", target)
                let manifest = try registry.curl("/v2/box-\(format)/manifests/1", "-H", LabRegistry.accept).output
                #expect(manifest.contains("tar+\(format)"), "\(manifest)")
                try lab.on(
                    "n1", "service", "create", "--name", format, "--constraint", "node.hostname==n2",
                    "\(registry.name)/box-\(format):1", "sleep", "1000")
                #expect(try lab.tasks(of: format).contains { $0.isRunning && $0.node == "n2" })
            }
            try pushList(registry, folder)
            try lab.on(
                "n1", "service", "create", "--name", "listed", "--constraint", "node.hostname==n3",
                "\(registry.name)/box:list", "sleep", "1000")
            let digest = try registry.curl("/v2/box/manifests/list", "-H", LabRegistry.accept).output
            #expect(digest.contains("manifest.list"))
            let sum = try AppTests.shell("printf %s \"$1\" | sha256sum | cut -d ' ' -f 1", digest)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let image = try AppTests.inspect("listed", "{{.Spec.TaskTemplate.ContainerSpec.Image}}")
            #expect(image == "\(registry.name)/box:list@sha256:\(sum)")
            #expect(try lab.tasks(of: "listed").contains { $0.isRunning && $0.node == "n3" })
            try AppTests.remove("gzip", "zstd", "listed")
        }

        /// A list whose first entry is of another platform.
        private func pushList(_ registry: LabRegistry, _ folder: String) throws {
            let script = """
                import hashlib, json, sys
                manifest = open(sys.argv[1], "rb").read()
                entry = {"mediaType": json.loads(manifest).get("mediaType", sys.argv[2]), "size": len(manifest),
                         "digest": "sha256:" + hashlib.sha256(manifest).hexdigest()}
                platforms = [{"architecture": "s390x", "os": "linux"}, {"architecture": "amd64", "os": "linux"},
                             {"architecture": "arm64", "os": "linux"}]
                print(json.dumps({"schemaVersion": 2,
                    "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
                    "manifests": [dict(entry, platform=platform) for platform in platforms]}), end="")
                """
            let fetched = try registry.curl(
                "/v2/box/manifests/1", "-o", "\(folder)/manifest.json", "-H", LabRegistry.accept)
            try #require(fetched.status == 0, "\(fetched.errors)")
            let list = try Command.run([
                "python3", "-c", script, "\(folder)/manifest.json", "application/vnd.oci.image.manifest.v1+json",
            ])
            try #require(list.status == 0, "\(list.errors)")
            try list.output.write(toFile: "\(folder)/list.json", atomically: true, encoding: .utf8)
            let put = try registry.curl(
                "/v2/box/manifests/list", "-f", "-X", "PUT", "--data-binary", "@\(folder)/list.json", "-H",
                "Content-Type: application/vnd.docker.distribution.manifest.list.v2+json")
            try #require(put.status == 0, "\(put.errors)")
        }

        @Test func archivesOfDockerAndOCIAreLoaded() throws {
            let lab = try AppTests.lab()
            let registry = try registry()
            let folder = try AppTests.folder("archives")
            for kind in ["docker", "oci"] {
                let archive = "\(folder)/\(kind).tar"
                try registry.copy("docker://\(registry.name)/box:1", "\(kind)-archive:\(archive):loaded-\(kind):1")
                #expect(try lab.on("n2", "image", "load", "--input", archive).contains("loaded-\(kind):1"))
                try AppTests.create(
                    "loaded-\(kind)", "--constraint", "node.hostname==n2", "loaded-\(kind):1", "sh", "-c",
                    "echo from the archive; exec sleep 1000")
                try lab.waitUntil("it has spoken") { try AppTests.logs("loaded-\(kind)").contains("from the archive") }
                try AppTests.remove("loaded-\(kind)")
            }
        }
    }
}

extension LabRegistry {
    static let accept =
        "Accept: application/vnd.docker.distribution.manifest.v2+json, "
        + "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, "
        + "application/vnd.oci.image.index.v1+json"
}
