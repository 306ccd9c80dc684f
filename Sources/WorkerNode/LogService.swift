import ClusterMessages
import ClusterModel
import ClusterWire
public import GRPCCore
import Primitives
import SwiftProtobuf

/// Gives managers the logs of this node's tasks.
struct LogService: WireAgent.SimpleServiceProtocol {
    let runtime: any TaskRuntime

    func logs(
        request: WireLogsRequest, response: RPCWriter<WireLogFrames>, context: ServerContext
    ) async throws {
        let query = LogQuery(wire: request)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for bytes in request.tasks {
                let id = try TaskID(wire: bytes, field: "tasks")
                group.addTask {
                    var batch = WireLogFrames()
                    for try await entry in try runtime.logs(of: id, query) {
                        batch.frames.append(
                            .with {
                                $0.task = bytes
                                $0.stream = entry.isError ? .stderr : .stdout
                                $0.timestamp = entry.time.nanoseconds
                                $0.data = wireBytes(entry.bytes)
                            })
                        // A follower sees each line at once; the past goes in batches.
                        if query.follow || batch.frames.count >= WorkerLimits.logLinesPerMessage {
                            try await response.write(batch)
                            batch = WireLogFrames()
                        }
                    }
                    if !batch.frames.isEmpty { try await response.write(batch) }
                }
            }
            try await group.waitForAll()
        }
    }
}

extension LogQuery {
    init(wire: WireLogsRequest) {
        self.init(
            stdout: wire.stdout, stderr: wire.stderr, follow: wire.follow,
            tail: wire.hasTail ? Int(clamping: wire.tail) : nil,
            since: wire.hasSince ? Timestamp(nanoseconds: wire.since) : nil,
            until: wire.hasUntil ? Timestamp(nanoseconds: wire.until) : nil)
    }
}

extension Worker {
    /// What every node offers on its listener.
    public nonisolated func services(_ runtime: any TaskRuntime) -> [any RegistrableRPCService] {
        [LogService(runtime: runtime)]
    }
}
