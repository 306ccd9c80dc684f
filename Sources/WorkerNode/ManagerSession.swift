import AgentCore
import ClusterMessages
public import ClusterModel
public import ClusterWire
import GRPCCore
import LinuxSystem
public import Logging
public import Primitives
import SwiftProtobuf
import Synchronization

/// The agent's connection to the managers: finds the leader, and finds the next one when it is lost.
public struct ManagerSession: Sendable {
    private let worker: Worker
    private let connections: NodeConnections
    private let describe: @Sendable () async throws -> NodeDescription
    private let onWishes: @Sendable (WantedRole?, [UInt8]) async -> Void
    private let onRefusal: @Sendable (Failure) async -> Void
    private let log: Logger

    /// - Parameters:
    ///   - describe: the machine as it is now; asked at the beginning of each session.
    ///   - onWishes: takes what the managers want the node to be and the digest of what it is to trust, whenever they say
    ///     so.
    ///   - onRefusal: takes why they will have nothing to do with it any more.
    public init(
        worker: Worker, connections: NodeConnections, log: Logger,
        describe: @escaping @Sendable () async throws -> NodeDescription,
        onWishes: @escaping @Sendable (WantedRole?, [UInt8]) async -> Void,
        onRefusal: @escaping @Sendable (Failure) async -> Void
    ) {
        self.worker = worker
        self.connections = connections
        self.log = log
        self.describe = describe
        self.onWishes = onWishes
        self.onRefusal = onRefusal
    }

    private struct Ended: Error {
        var leader: String
        var message: String
        var isFenced: Bool
    }

    /// One session after the other, until cancelled.
    public func run() async {
        var search = ManagerSearch()
        let complaints = ComplaintFilter()
        let marks = SessionMarkBook()
        while !Task.isCancelled {
            guard let address = search.next(of: await worker.managers) else { return }
            let generation = connections.generation(of: address)
            var ending = ManagerSearch.End.lost
            var rest = WorkerLimits.sessionBackoff
            do {
                try await session(with: address, marks)
                complaints.forget()
            } catch let end as Ended {
                ending = .redirected(leader: end.leader)
                log.debug("session with \(address) ended: \(end.message)")
                if end.isFenced {
                    await onRefusal(Failure(.alreadyExists, end.message))
                    rest = WorkerLimits.refusedBackoff
                }
            } catch {
                if Task.isCancelled { break }
                if let refusal = error as? RPCError, refusal.code == .unauthenticated {
                    await onRefusal(Failure(.unauthenticated, refusal.message))
                    rest = WorkerLimits.refusedBackoff
                } else if connections.generation(of: address) != generation {
                    ending = .cutOff
                } else {
                    let reason = connections.problem(at: address) ?? "\(error)"
                    let complaint = "no session with the manager at \(address): \(reason)"
                    if complaints.isNews(complaint, at: Clock.now) { log.info("\(complaint)") }
                }
            }
            await worker.endSession()
            if search.onEnded(at: address, ending) {
                try? await Task.sleep(for: rest)
            }
        }
        await worker.endSession()
    }

    private func session(with address: String, _ marks: SessionMarkBook) async throws {
        let machine = try await describe()
        let client = WireDispatcher.Client(wrapping: try connections.client(to: address))
        let reports = await worker.beginSession()
        let silence = SilenceWatch()
        let request = StreamingClientRequest<WireAgentMessage> { [worker] writer in
            let shown = marks.next()
            try await writer.write(
                .with {
                    $0.registration = .with {
                        $0.machine = machine.wire
                        $0.mark = wireBytes(shown.own)
                        $0.earlierMarks = shown.earlier.map { wireBytes($0) }
                    }
                })
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while true {
                        try await ManagerSession.rest(worker)
                        await worker.heartbeat()
                        silence.onHeartbeat()
                    }
                }
                for await report in reports { try await writer.write(report.wire) }
                group.cancelAll()
            }
        }
        var options = CallOptions.defaults
        options.waitForReady = false
        try await unlessSilent(silence, address) { [worker, onWishes, options] in
            try await client.session(request: request, options: options) { response in
                for try await message in response.messages {
                    silence.onMessage()
                    switch message.message {
                    case .assignments(let assignments):
                        let message = try AssignmentMessage(wire: assignments)
                        marks.onAnswer()
                        await worker.take(message)
                        await onWishes(message.role, message.trustDigest)
                    case .end(let end):
                        throw Ended(leader: end.leaderAddress, message: end.message, isFenced: end.isFenced)
                    case .heartbeatAnswer, nil: continue
                    }
                }
            }
        }
    }

    /// Between two heartbeats: a period that is made shorter meanwhile counts at once, since a leader to come knows no
    /// other.
    private static func rest(_ worker: Worker) async throws {
        let jitter = Double.random(in: 1 - WorkerLimits.heartbeatJitter...1 + WorkerLimits.heartbeatJitter)
        let start = Clock.now
        while case let left = start + (await worker.heartbeatPeriod) * jitter - Clock.now, left > .zero {
            try await Task.sleep(for: min(left, WorkerLimits.silenceCheck))
        }
    }

    /// Until the session ends, or its manager has not answered for too long.
    private func unlessSilent(
        _ silence: SilenceWatch, _ address: String, _ session: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await session() }
            group.addTask { [worker] in
                while await !silence.isTooLong(heartbeatPeriod: worker.heartbeatPeriod) {
                    try await Task.sleep(for: WorkerLimits.silenceCheck)
                }
                throw Failure(.unavailable, "the manager at \(address) does not answer")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

/// One session's ``ManagerSilence``, for its two directions.
private final class SilenceWatch: Sendable {
    private let silence = Mutex(ManagerSilence(now: Clock.now))

    func onHeartbeat() { silence.withLock { $0.onHeartbeat(now: Clock.now) } }
    func onMessage() { silence.withLock { $0.onMessage() } }
    func isTooLong(heartbeatPeriod: Duration) -> Bool {
        silence.withLock { $0.isTooLong(heartbeatPeriod: heartbeatPeriod, now: Clock.now) }
    }
}

extension Worker.AgentReport {
    fileprivate var wire: WireAgentMessage {
        switch self {
        case .heartbeat: .with { $0.heartbeat = WireAgentHeartbeat() }
        case .status(let id, let status):
            .with {
                $0.statuses = .with {
                    $0.reports = [
                        .with {
                            $0.task = id.wire()
                            $0.status = status.wire
                        }
                    ]
                }
            }
        }
    }
}
