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
    let manager: Manager

    func session(
        request: RPCAsyncSequence<WireAgentMessage, any Error>, response: RPCWriter<WireManagerMessage>,
        context: ServerContext
    ) async throws {
        guard let peer = context.peer else { throw RPCError(code: .permissionDenied, message: "not a member") }
        guard let leader = manager.leader else {
            return try await response.write(
                .end(leader: manager.leaderAddress ?? "", "this manager does not lead"))
        }
        var messages = request.makeAsyncIterator()
        guard case .registration(let registration)? = try await messages.next()?.message else {
            throw RPCError(code: .invalidArgument, message: "a session begins with a registration")
        }
        let description = try NodeDescription(wire: registration.machine)
        guard let (id, events) = await leader.register(peer.node, description, address: context.remoteHost) else {
            return try await response.write(.end(leader: "", "this manager no longer leads"))
        }
        defer { Task { await leader.disconnect(id) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await event in events {
                    switch event {
                    case .assignments(let message):
                        try await response.write(.with { $0.assignments = message.wire })
                    case .end(let reason):
                        return try await response.write(.end(leader: "", reason))
                    }
                }
            }
            group.addTask { try await take(request, id, leader) }
            // Whichever side ends first ends the session.
            try await group.next()
            group.cancelAll()
        }
    }

    private func take(
        _ request: RPCAsyncSequence<WireAgentMessage, any Error>, _ id: SessionID, _ leader: Leader
    ) async throws {
        for try await message in request {
            switch message.message {
            case .heartbeat: await leader.heartbeat(id)
            case .statuses(let batch):
                var statuses: [(task: TaskID, status: TaskStatus)] = []
                for report in batch.reports {
                    statuses.append(
                        (try TaskID(wire: report.task, field: "task"), try TaskStatus(wire: report.status)))
                }
                await leader.statuses(id, statuses)
            case .registration, nil:
                throw RPCError(code: .invalidArgument, message: "a second registration in one session")
            }
        }
    }
}

extension WireManagerMessage {
    fileprivate static func end(leader: String, _ message: String) -> Self {
        .with {
            $0.end = .with {
                $0.leaderAddress = leader
                $0.message = message
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
