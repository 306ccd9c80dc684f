import Foundation
import Testing

/// What people run on a cluster: one manager and two workers, shared by the suites inside.
@Suite(.serialized, .lab("apps", number: 12, managers: 1, workers: 2)) struct AppTests {
    static func lab() throws -> Lab { try #require(Lab.current) }

    /// Creates a service on n1; a failure of it fails the test.
    static func create(_ name: String, _ arguments: String...) throws {
        let result = try lab().exec(
            "n1", ["swarmctl", "service", "create", "--no-resolve-image", "--name", name] + arguments)
        try #require(result.status == 0, "\(result.errors)\(result.output)")
    }

    /// What `service inspect` prints for a template.
    static func inspect(_ service: String, _ template: String) throws -> String {
        try lab().on("n1", "service", "inspect", service, "--format", template)
    }

    static func logs(_ service: String) throws -> String {
        try lab().on("n1", "service", "logs", "--raw", service)
    }

    /// A folder of the test's own.
    static func folder(_ name: String) throws -> String {
        let path = try lab().folder + "/test-" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Runs a shell script with arguments; a failure of it fails the test.
    @discardableResult
    static func shell(_ script: String, _ arguments: String...) throws -> String {
        let result = try Command.run(["sh", "-c", "set -e\n" + script, "sh"] + arguments)
        try #require(result.status == 0, "\(script): exit \(result.status): \(result.errors)")
        return result.output
    }

    /// Waits until a service's tasks, and so its containers, are gone.
    static func remove(_ services: String...) throws {
        let lab = try lab()
        for service in services { try lab.on("n1", "service", "rm", service) }
    }
}
