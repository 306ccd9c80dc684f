import Assignments
import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterWire
import GRPCCore
import Primitives
import SwiftProtobuf

/// The agents' sessions: assignments down, statuses and heartbeats up.
struct DispatcherService: WireDispatcher.SimpleServiceProtocol {
    let slot: ManagerSlot

    func session(
        request: RPCAsyncSequence<WireAgentMessage, any Error>, response: RPCWriter<WireManagerMessage>,
        context: ServerContext
    ) async throws {
        let manager = try slot.require()
        guard let peer = context.peer else { throw RPCError(code: .permissionDenied, message: "not a member") }
        guard let leader = manager.leader else {
            // One that was elected a moment ago names nobody: it would name itself.
            let hint = manager.isLeader ? nil : manager.leaderAddress
            return try await response.write(.end(leader: hint ?? "", "this manager does not lead"))
        }
        let (events, toAgent) = AsyncStream.makeStream(
            of: Leader.SessionEvent.self, bufferingPolicy: .bufferingOldest(ManagerLimits.sessionMessages))
        let host = context.remoteHost
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await event in events {
                    switch event {
                    case .assignments(let message):
                        try await response.write(.with { $0.assignments = message.wire })
                    case .heartbeatAnswer:
                        try await response.write(.with { $0.heartbeatAnswer = WireHeartbeatAnswer() })
                    case .end(let reason, let isFenced):
                        return try await response.write(.end(leader: "", reason, isFenced: isFenced))
                    }
                }
            }
            group.addTask {
                var id: SessionID?
                do {
                    // A request can be iterated once only: the registration is its first message.
                    for try await message in request {
                        if let id {
                            try await take(message, id, leader, toAgent)
                        } else {
                            id = try await register(message, peer.node, host, leader, toAgent)
                        }
                    }
                } catch {
                    if let id { await leader.disconnect(id) }
                    throw error
                }
                if let id { await leader.disconnect(id) }
            }
            // Whichever side ends first ends the session.
            try await group.next()
            group.cancelAll()
        }
    }

    private func register(
        _ message: WireAgentMessage, _ node: NodeID, _ host: String, _ leader: Leader,
        _ toAgent: AsyncStream<Leader.SessionEvent>.Continuation
    ) async throws -> SessionID {
        guard case .registration(let registration) = message.message else {
            throw RPCError(code: .invalidArgument, message: "a session begins with a registration")
        }
        let description = try NodeDescription(wire: registration.machine)
        let marks = SessionMarks(
            own: Array(registration.mark.prefix(ManagerLimits.markBytes)),
            earlier: registration.earlierMarks.suffix(ManagerLimits.earlierMarks).map { Array($0) })
        guard let id = await leader.register(node, marks, description, address: host, toAgent) else {
            throw RPCError(code: .unavailable, message: "this manager no longer leads")
        }
        return id
    }

    private func take(
        _ message: WireAgentMessage, _ id: SessionID, _ leader: Leader,
        _ toAgent: AsyncStream<Leader.SessionEvent>.Continuation
    ) async throws {
        switch message.message {
        case .heartbeat:
            await leader.heartbeat(id)
            // One that finds no room waits behind messages that say the same.
            toAgent.yield(.heartbeatAnswer)
        case .statuses(let batch):
            var statuses: [(task: TaskID, status: TaskStatus)] = []
            for report in batch.reports {
                statuses.append((try TaskID(wire: report.task, field: "task"), try TaskStatus(wire: report.status)))
            }
            await leader.statuses(id, statuses)
        case .registration, nil:
            throw RPCError(code: .invalidArgument, message: "a second registration in one session")
        }
    }
}

extension WireManagerMessage {
    fileprivate static func end(leader: String, _ message: String, isFenced: Bool = false) -> Self {
        .with {
            $0.end = .with {
                $0.leaderAddress = leader
                $0.message = message
                $0.isFenced = isFenced
            }
        }
    }
}

extension ServerContext {
    /// The address of the other end, without scheme and port: gRPC writes `ipv4:10.0.0.1:40000`.
    fileprivate var remoteHost: String {
        let parts = remotePeer.split(separator: ":")
        return parts.count == 3 ? String(parts[1]) : remotePeer
    }
}
