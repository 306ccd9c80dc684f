import ClusterModel
import ClusterState
import DockerSchema
import HTTPTypes
import Hummingbird
import NIOCore
import Primitives

extension EngineAPI {
    func serviceLogs(_ name: String, _ exchange: Exchange) async throws -> Response {
        let tables = try await managerTables()
        let service = try Lookup.service(name, in: tables)
        let tasks = tables.tasks(of: service.id).filter { $0.nodeID != nil }
        return try logs(of: tasks, isTerminal: service.spec.task.container.terminal, exchange)
    }

    func taskLogs(_ name: String, _ exchange: Exchange) async throws -> Response {
        let task = try Lookup.task(name, in: try await managerTables())
        return try logs(of: [task], isTerminal: task.spec.container.terminal, exchange)
    }

    private func logs(of tasks: [ClusterTask], isTerminal: Bool, _ exchange: Exchange) throws -> Response {
        let query = exchange.query
        let options = LogOptions(
            stdout: query.flag("stdout"), stderr: query.flag("stderr"), follow: query.flag("follow"),
            since: try query.time("since"), until: try query.time("until"), tail: try Self.tail(query))
        guard options.stdout || options.stderr else {
            throw Failure(.invalidArgument, "You must choose at least one stream: stdout=1 or stderr=1")
        }
        let services = Dictionary(tasks.map { ($0.id, $0.serviceID) }) { first, _ in first }
        let timestamps = query.flag("timestamps")
        let details = query.flag("details")
        let lines = cluster.logs(of: tasks.map(\.id), options: options)
        let body = exchange.request.body
        // Since API 1.42 the type says whether there are headers.
        let type = isTerminal ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream"
        var headers: HTTPFields = [.contentType: type]
        // Watching the reader takes the connection: no further request of it would be read.
        if options.follow { headers[.connection] = "close" }
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                let framing = LogFraming(
                    timestamps: timestamps, details: details, isRaw: isTerminal, serviceID: { services[$0] })
                if options.follow {
                    // A reader that went away must not leave the merge of all nodes running.
                    try await body.consumeWithCancellationOnInboundClose { _ in
                        try await Self.write(lines, framing, to: &writer)
                    }
                } else {
                    try await Self.write(lines, framing, to: &writer)
                }
                try await writer.finish(nil)
            })
    }

    @concurrent
    private static func write(
        _ lines: AsyncThrowingStream<LogLine, any Error>, _ framing: LogFraming,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        do {
            for try await line in lines {
                try await writer.write(ByteBuffer(bytes: framing.frame(line)))
            }
        } catch let failure as Failure {
            // The status is sent already; stream 3 is what the daemon itself has to say.
            var frame = ByteWriter()
            let text = "error from daemon in stream: \(failure)\n"
            frame.write(UInt8(3))
            frame.write(bytes: [0, 0, 0])
            frame.writePrefixed(string: text)
            try await writer.write(ByteBuffer(bytes: frame.bytes))
        }
    }

    private static func tail(_ query: Query) throws(Failure) -> Int? {
        guard let text = query["tail"], text != "all" else { return nil }
        guard let count = Int(text), count >= 0 else {
            throw Failure(.invalidArgument, "tail: \"\(text)\" is neither a number nor \"all\"")
        }
        return count
    }
}
