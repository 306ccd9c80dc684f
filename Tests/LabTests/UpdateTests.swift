import Foundation
import Testing

extension AppTests {
    /// Updates that go wrong, and what stays up meanwhile.
    @Suite(.serialized) struct UpdateTests {
        /// Says its version on port 80; healthy unless the version is `bad`.
        private static let server = """
            mkdir -p /www; echo "$VERSION" > /www/index.html; [ "$VERSION" = bad ] || touch /tmp/ok
            exec httpd -f -p 80 -h /www
            """

        private func create(_ name: String, port: Int, _ arguments: String...) throws {
            let lab = try AppTests.lab()
            let result = try lab.exec(
                "n1",
                [
                    "swarmctl", "service", "create", "--no-resolve-image", "--name", name, "--publish", "\(port):80",
                    "--env", "VERSION=good", "--health-cmd", "test -e /tmp/ok", "--health-interval", "200ms",
                    "--health-retries", "2", "--update-monitor", "1s", "--rollback-monitor", "1s", "--restart-delay",
                    "200ms", "--stop-grace-period", "1s",
                ] + arguments + ["box:1", "sh", "-c", UpdateTests.server])
            try #require(result.status == 0, "\(result.errors)\(result.output)")
        }

        /// Answers at a published port of every node, one line each.
        private func answers(_ port: Int) throws -> [String] {
            let lab = try AppTests.lab()
            return try lab.nodes.flatMap { node in
                try (0..<4).map { _ in
                    let result = try lab.exec(
                        "outside", ["curl", "-sS", "--max-time", "3", "http://\(lab.address(of: node)):\(port)/"])
                    return result.output.trimmingCharacters(in: .whitespacesAndNewlines) + result.errors
                }
            }
        }

        @Test func anUnhealthyVersionPausesTheUpdateAndTheOldOneAnswers() throws {
            let lab = try AppTests.lab()
            try create("pausing", port: 8091, "--replicas", "2")
            let before = Set(try lab.tasks(of: "pausing").filter(\.isRunning).map(\.id))
            let update = try lab.exec(
                "n1",
                [
                    "swarmctl", "service", "update", "--no-resolve-image", "--timeout", "40s", "--env-add",
                    "VERSION=bad", "pausing",
                ])
            #expect(update.status != 0)
            #expect(update.errors.contains("the update is paused"), "\(update.errors)")
            #expect(update.errors.contains("unhealthy"), "\(update.errors)")
            #expect(try AppTests.inspect("pausing", "{{.UpdateStatus.State}}") == "paused")
            #expect(try AppTests.inspect("pausing", "{{.UpdateStatus.Message}}").contains("update paused"))
            // One of the two was never touched, and what is unhealthy is asked nothing.
            let kept = try lab.tasks(of: "pausing").filter { $0.isRunning && before.contains($0.id) }
            #expect(kept.count == 1)
            #expect(try answers(8091).allSatisfy { $0 == "good" })

            try lab.on("n1", "service", "rollback", "pausing")
            #expect(try AppTests.inspect("pausing", "{{.UpdateStatus.State}}") == "rollback_completed")
            let after = try lab.tasks(of: "pausing").filter(\.isRunning)
            #expect(after.count == 2 && after.contains { $0.id == kept.first?.id })
            #expect(try AppTests.inspect("pausing", "{{json .Spec.TaskTemplate.ContainerSpec.Env}}").contains("good"))
            #expect(try answers(8091).allSatisfy { $0 == "good" })
            try AppTests.remove("pausing")
        }

        @Test func anUnhealthyVersionIsRolledBackWhereThatIsAskedFor() throws {
            let lab = try AppTests.lab()
            try create("returning", port: 8092, "--replicas", "2", "--update-failure-action", "rollback")
            let update = try lab.exec(
                "n1",
                [
                    "swarmctl", "service", "update", "--no-resolve-image", "--timeout", "40s", "--env-add",
                    "VERSION=bad", "returning",
                ])
            #expect(update.status != 0)
            #expect(update.errors.contains("the update was rolled back"), "\(update.errors)")
            #expect(try AppTests.inspect("returning", "{{.UpdateStatus.State}}") == "rollback_completed")
            #expect(try lab.tasks(of: "returning").filter(\.isRunning).count == 2)
            #expect(try answers(8092).allSatisfy { $0 == "good" })
            try AppTests.remove("returning")
        }

        /// The old task ends after the new one has become healthy, not before.
        @Test func startFirstStartsFirst() throws {
            let lab = try AppTests.lab()
            try create("overlapping", port: 8093, "--update-order", "start-first")
            let old = try #require(try lab.tasks(of: "overlapping").first { $0.isRunning }?.id)
            let update = try lab.exec(
                "n1",
                ["swarmctl", "service", "update", "--no-resolve-image", "--env-add", "VERSION=new", "overlapping"])
            try #require(update.status == 0, "\(update.errors)")
            let new = try #require(try lab.tasks(of: "overlapping").first { $0.isRunning }?.id)
            try #require(new != old)
            try lab.waitUntil("the old task has ended") {
                try lab.api("n1", "/tasks/\(old)").contains("\"State\":\"shutdown\"")
            }
            func time(_ task: String) throws -> String {
                let json = try lab.api("n1", "/tasks/\(task)")
                let range = json.range(of: "\"Timestamp\":\"[^\"]+\"", options: .regularExpression)
                return String(json[try #require(range)])
            }
            // Both are RFC 3339 with nine digits after the point: their order is that of the texts.
            #expect(try time(new) < time(old))
            #expect(try answers(8093).allSatisfy { $0 == "new" })
            try AppTests.remove("overlapping")
        }
    }
}
