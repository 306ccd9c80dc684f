import AgentCore
import ClusterMessages
public import ClusterModel
public import ClusterWire
import GRPCCore
public import Logging
public import Primitives
import SwiftProtobuf

/// The agent's connection to the managers: finds the leader, and finds the next one when it is lost.
public struct ManagerSession: Sendable {
    private let worker: Worker
    private let connections: NodeConnections
    private let describe: @Sendable () async throws -> NodeDescription
    private let onRole: @Sendable (NodeRole) async -> Void
    private let onRefusal: @Sendable (Failure) async -> Void
    private let log: Logger

    /// - Parameters:
    ///   - describe: the machine as it is now; asked at the beginning of each session.
    ///   - onRole: takes what the managers want the node to be, whenever they say so.
    ///   - onRefusal: takes why they will have nothing to do with it any more.
    public init(
        worker: Worker, connections: NodeConnections, log: Logger,
        describe: @escaping @Sendable () async throws -> NodeDescription,
        onRole: @escaping @Sendable (NodeRole) async -> Void, onRefusal: @escaping @Sendable (Failure) async -> Void
    ) {
        self.worker = worker
        self.connections = connections
        self.log = log
        self.describe = describe
        self.onRole = onRole
        self.onRefusal = onRefusal
    }

    private struct Ended: Error {
        var leader: String
        var message: String
    }

    /// One session after the other, until cancelled.
    public func run() async {
        var search = ManagerSearch()
        var lastComplaint = ""
        while !Task.isCancelled {
            guard let address = search.next(of: await worker.managers) else { return }
            var leader: String?
            do {
                try await session(with: address)
                lastComplaint = ""
            } catch let end as Ended {
                leader = end.leader
                log.debug("session with \(address) ended: \(end.message)")
            } catch {
                if Task.isCancelled { break }
                if let refusal = error as? RPCError, refusal.code == .unauthenticated {
                    await onRefusal(Failure(.unauthenticated, refusal.message))
                } else {
                    let complaint = "no session with the manager at \(address): \(error)"
                    if complaint != lastComplaint { log.info("\(complaint)") }
                    lastComplaint = complaint
                }
            }
            await worker.endSession()
            if search.onEnded(at: address, leader: leader) {
                try? await Task.sleep(for: WorkerLimits.sessionBackoff)
            }
        }
        await worker.endSession()
    }

    private func session(with address: String) async throws {
        let machine = try await describe()
        let client = WireDispatcher.Client(wrapping: try connections.client(to: address))
        let reports = await worker.beginSession()
        let request = StreamingClientRequest<WireAgentMessage> { [worker] writer in
            try await writer.write(.with { $0.registration = .with { $0.machine = machine.wire } })
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while true {
                        let period = await worker.heartbeatPeriod
                        let jitter = Double.random(
                            in: 1 - WorkerLimits.heartbeatJitter...1 + WorkerLimits.heartbeatJitter)
                        try await Task.sleep(for: period * jitter)
                        await worker.heartbeat()
                    }
                }
                for await report in reports { try await writer.write(report.wire) }
                group.cancelAll()
            }
        }
        var options = CallOptions.defaults
        options.waitForReady = false
        try await client.session(request: request, options: options) { [worker, onRole] response in
            for try await message in response.messages {
                switch message.message {
                case .assignments(let assignments):
                    let message = try AssignmentMessage(wire: assignments)
                    await worker.take(message)
                    if let role = message.role { await onRole(role) }
                case .end(let end): throw Ended(leader: end.leaderAddress, message: end.message)
                case nil: continue
                }
            }
        }
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
