import Foundation

/// Runs a program against a served API and collects what it prints.
public struct CommandLineTool: Sendable {
    public struct Output: Sendable {
        public var status: Int32
        public var stdout: String
        public var stderr: String
    }

    public let path: String

    public init(path: String) { self.path = path }

    public static let docker = CommandLineTool(path: "/usr/local/bin/docker")
    /// Built beside the test bundle.
    public static let swarmctl = CommandLineTool(
        path: URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent("swarmctl").path)

    public var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: path) }

    public func callAsFunction(
        _ arguments: String..., on engine: FakeEngine, input: String = "", environment: [String: String] = [:]
    ) async throws -> Output {
        try await run(arguments, on: engine, input: input, environment: environment)
    }

    public func run(
        _ arguments: [String], on engine: FakeEngine, input: String = "", environment: [String: String] = [:]
    ) async throws -> Output {
        try await withCheckedThrowingContinuation { continuation in
            // waitUntilExit blocks, so it gets a thread of its own.
            Thread.detachNewThread {
                continuation.resume(with: Result { try runBlocking(arguments, engine, input, environment) })
            }
        }
    }

    private func runBlocking(
        _ arguments: [String], _ engine: FakeEngine, _ input: String, _ environment: [String: String]
    ) throws -> Output {
        let folder = URL(fileURLWithPath: engine.socketPath).deletingLastPathComponent()
        // Files instead of pipes: nothing has to drain them.
        let files = (0..<3).map { _ in folder.appendingPathComponent(UUID().uuidString) }
        try Data(input.utf8).write(to: files[0])
        for file in files[1...] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let own = [
            "DOCKER_HOST": "unix://\(engine.socketPath)", "HOME": folder.path, "PATH": "/usr/bin:/bin",
        ]
        process.environment = own.merging(environment) { $1 }
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        return Output(
            status: process.terminationStatus, stdout: try String(contentsOf: files[1], encoding: .utf8),
            stderr: try String(contentsOf: files[2], encoding: .utf8))
    }
}
