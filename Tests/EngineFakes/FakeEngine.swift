public import EngineAPI
import Foundation
import Logging

/// A served API over fakes, on a unix socket of its own.
public struct FakeEngine: Sendable {
    public let cluster: FakeCluster
    public let images: FakeImages
    public let volumes: FakeVolumes
    public let socketPath: String

    /// Serves while `body` runs.
    public static func serve<Result: Sendable>(
        member: Membership? = nil, lines: [LogLine.Stream: String] = [.stdout: "hello\n"],
        check: @escaping ServiceCheck = { _, _ in [] }, _ body: @Sendable (FakeEngine) async throws -> Result
    ) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("engine-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let engine = FakeEngine(
            cluster: FakeCluster(member: member, lines: lines), images: FakeImages(), volumes: FakeVolumes(),
            socketPath: folder.appendingPathComponent("s.sock").path)
        let api = EngineAPI(
            cluster: engine.cluster, images: engine.images, volumes: engine.volumes, node: FakeNode(), check: check)
        var logger = Logger(label: "engine")
        logger.logLevel = .error
        let (listening, continuation) = AsyncStream.makeStream(of: Void.self)
        let server = EngineServer(api: api, socketPath: engine.socketPath, logger: logger) { continuation.finish() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            for await _ in listening {}
            let result = try await body(engine)
            group.cancelAll()
            return result
        }
    }
}
