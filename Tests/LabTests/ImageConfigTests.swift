import Foundation
import Testing

extension AppTests {
    /// What an image says of itself reaches its containers.
    @Suite(.serialized) struct ImageConfigTests {
        /// The tests' image with more files, with instructions for its configuration.
        private func image(_ name: String, on node: String = "n2", files script: String = "", _ changes: String...)
            throws
        {
            let lab = try AppTests.lab()
            let folder = try AppTests.folder("image")
            try AppTests.shell(
                """
                rm -rf "$1/root"; mkdir "$1/root"; tar -C "$1/root" -xf "$2"; cd "$1/root"
                \(script)
                tar -C "$1/root" --numeric-owner -cf "$1/root.tar" .
                """, folder, try TestImage.archive())
            var command = ["swarmctl", "image", "import", "\(folder)/root.tar", name]
            for change in changes { command += ["--change", change] }
            let result = try lab.exec(node, command)
            try #require(result.status == 0, "\(result.errors)")
        }

        @Test func userFolderVariablesCommandAndSignalAreTheImages() throws {
            let lab = try AppTests.lab()
            try image(
                "configured:1", files: "mkdir work",
                "USER app", "WORKDIR /work", "ENV GREETING=hello", "STOPSIGNAL SIGUSR1", "VOLUME /anonymous",
                #"ENTRYPOINT ["/bin/sh", "-c"]"#,
                """
                CMD ["trap 'echo got usr1; exit 0' USR1; echo $GREETING:$(id -u):$(pwd):$(stat -c %F /anonymous); \
                grep -c /anonymous /proc/mounts; while true; do sleep 0.1; done"]
                """)
            try AppTests.create(
                "configured", "--stop-grace-period", "5s", "--constraint", "node.hostname==n2", "configured:1")
            try lab.waitUntil("it has spoken") {
                try AppTests.logs("configured").contains("hello:1000:/work:directory\n1")
            }
            // Of an ended task that was replaced, the log stays.
            try lab.on("n1", "service", "update", "--no-resolve-image", "--force", "--detach", "configured")
            try lab.waitUntil("the image's signal came") { try AppTests.logs("configured").contains("got usr1") }
            try AppTests.remove("configured")
            try lab.waitUntil("the anonymous volume went with its task") {
                try lab.on("n2", "volume", "ls", "--quiet").isEmpty
            }
        }

        @Test func whatContainersUseIsNotRemoved() throws {
            let lab = try AppTests.lab()
            try image("used:1", files: "date +%N >unique")
            try AppTests.create(
                "user", "--init", "--constraint", "node.hostname==n2", "--mount", "type=volume,src=inuse,dst=/data",
                "used:1", "sleep", "1000")
            // The daemon's next life knows it too.
            try lab.lab("kill", "n2")
            try lab.lab("start", "n2")
            try lab.waitUntil("the node is back") {
                try lab.on("n1", "node", "ls", "--format", "{{.Hostname}} {{.Status}}").contains("n2 Ready")
            }
            for (kind, name) in [("image", "used:1"), ("volume", "inuse")] {
                let refused = try lab.exec("n2", ["swarmctl", kind, "rm", name])
                #expect(refused.status != 0 && refused.errors.contains("use"), "\(refused.errors)\(refused.output)")
            }
            try AppTests.remove("user")
            for (kind, name) in [("image", "used:1"), ("volume", "inuse")] {
                try lab.waitUntil("\(kind) \(name) can be removed") {
                    try lab.exec("n2", ["swarmctl", kind, "rm", name]).status == 0
                }
            }
        }

        @Test func theImagesHealthCheckIsAsked() throws {
            let lab = try AppTests.lab()
            try image(
                "checked:1", "HEALTHCHECK --interval=200ms --retries=3 CMD test -e /tmp/ok",
                #"CMD ["sh", "-c", "[ \"$READY\" = never ] || touch /tmp/ok; exec sleep 1000"]"#)
            let here = ["--constraint", "node.hostname==n2"]
            try AppTests.create("checked", here[0], here[1], "checked:1")
            let task = try #require(try lab.tasks(of: "checked").first { $0.isRunning }?.id)
            #expect(try lab.api("n1", "/tasks/\(task)").contains("\"Health\":\"healthy\""))
            #expect(try lab.api("n2", "/images/checked:1/json").contains("test -e /tmp/ok"))

            // The check outlives the daemon that read it from the image.
            try lab.lab("kill", "n2")
            try lab.lab("start", "n2")
            try lab.waitUntil("the node is back") {
                try lab.on("n1", "node", "ls", "--format", "{{.Hostname}} {{.Status}}").contains("n2 Ready")
            }
            #expect(try lab.tasks(of: "checked").contains { $0.id == task && $0.isRunning })
            let json = try lab.api("n1", "/tasks/\(task)")
            let range = try #require(json.range(of: "\"PID\":[0-9]+", options: .regularExpression))
            let pid = try #require(json[range].split(separator: ":").last)
            let removal = try lab.exec("n2", ["rm", "/proc/\(pid)/root/tmp/ok"])
            try #require(removal.status == 0, "\(removal.errors)")
            try lab.waitUntil("the task is found unhealthy and replaced") {
                try lab.tasks(of: "checked").contains { $0.id == task && $0.error.contains("unhealthy") }
            }

            // `--no-healthcheck` is stronger than the image.
            try AppTests.create("unchecked", here[0], here[1], "--no-healthcheck", "--env", "READY=never", "checked:1")
            #expect(try lab.tasks(of: "unchecked").contains(where: \.isRunning))
            try AppTests.remove("checked", "unchecked")
        }

        /// Docker's rule: an empty volume gets what the image has at its mount point, once.
        @Test func anEmptyVolumeGetsTheImagesContent() throws {
            let lab = try AppTests.lab()
            try image(
                "content:1",
                files: """
                    mkdir -p data/inner; echo first > data/file; chmod 0640 data/file; chown 1000:1000 data data/file
                    chmod 0750 data; ln -s file data/link; ln -s /etc/shadow data/outside; echo x > data/inner/deep
                    chmod 4755 data/inner/deep; mkdir away; ln -s ../../../../../../../../root away/up
                    """)
            let look = """
                stat -c '%n %a %u:%g %F' /data /data/file /data/inner/deep; readlink /data/link; readlink /data/outside
                cat /data/file; exec sleep 1000
                """
            let there = ["--constraint", "node.hostname==n2"]
            try AppTests.create(
                "filled", there[0], there[1], "--mount", "type=volume,source=filled,target=/data", "content:1", "sh",
                "-c", look)
            try lab.waitUntil("it has looked") { try AppTests.logs("filled").contains("first") }
            let text = try AppTests.logs("filled")
            for line in [
                "/data 750 1000:1000 directory", "/data/file 640 1000:1000 regular file",
                "/data/inner/deep 4755 0:0 regular file", "file\n/etc/shadow\n",
            ] { #expect(text.contains(line), "\(text)") }

            // What is in it by then is the user's: another image's content is not laid over it.
            try AppTests.remove("filled")
            try image("content:2", files: "mkdir data; echo second > data/file; echo more > data/more")
            try AppTests.create(
                "again", there[0], there[1], "--mount", "type=volume,source=filled,target=/data", "content:2", "sh",
                "-c", "cat /data/file; ls /data; exec sleep 1000")
            try lab.waitUntil("it has looked") { try AppTests.logs("again").contains("outside") }
            #expect(try AppTests.logs("again") == "first\nfile\ninner\nlink\noutside")

            try AppTests.create(
                "bare", there[0], there[1], "--mount", "type=volume,source=bare,target=/data,volume-nocopy=true",
                "content:1", "sh", "-c", "ls /data | wc -l; exec sleep 1000")
            try lab.waitUntil("it has looked") { try AppTests.logs("bare") == "0" }

            // A link out of the image leads to the image's root, never to the node's.
            try AppTests.create(
                "escape", there[0], there[1], "--mount", "type=volume,source=escape,target=/away/up", "content:1", "sh",
                "-c", "ls -A /root /away/up | wc -l; exec sleep 1000")
            try lab.waitUntil("it has looked") { try !AppTests.logs("escape").isEmpty }
            let host = try lab.exec("n2", ["ls", "-A", "/var/lib/swarm/volumes/escape/_data"])
            #expect(host.status == 0 && host.output.isEmpty, "\(host.output)\(host.errors)")
            try AppTests.remove("again", "bare", "escape")
        }
    }
}
