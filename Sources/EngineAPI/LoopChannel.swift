import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// HTTP/1.1 connections whose tasks run on the event loops that read for them: a request that does little would otherwise
/// cross threads twice on its way in and twice on its way out.
///
/// The managers' heartbeats use the same loops, so what may take long goes to Swift's own threads (``Route/isBrief(_:)``).
struct LoopChannel: ServerChildChannel {
    private let base: HTTP1Channel

    static var server: HTTPServerBuilder {
        HTTPServerBuilder { LoopChannel(base: HTTP1Channel(responder: $0)) }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        base.setup(channel: channel, logger: logger)
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
            await base.handle(value: value, logger: logger)
        }
    }
}

private final class EventLoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

extension Route {
    /// Whether it may run on an event loop: it reads nothing of the state, which may be large, and waits for Raft alone.
    func isBrief(_ request: Request) -> Bool {
        switch self {
        case .ping, .secretCreate, .configCreate:
            let length = request.headers[.contentLength].map { Int($0) ?? .max }
            return (length ?? 0) <= EngineLimits.briefBodyBytes && request.headers[.transferEncoding] == nil
        default: return false
        }
    }
}

extension ResponseBody {
    /// A stream that is written on Swift's own threads.
    var offLoop: ResponseBody {
        let body = self
        return ResponseBody { writer in
            let writer = writer
            try await withTaskExecutorPreference(globalConcurrentExecutor) { try await body.write(writer) }
        }
    }
}
