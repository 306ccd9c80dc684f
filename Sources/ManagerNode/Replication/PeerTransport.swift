import ClusterMessages
import ClusterWire
import Consensus
import GRPCCore
import Logging
import Primitives
import SwiftProtobuf
import Synchronization

/// Carries Raft's messages to the other managers: one link for heartbeats, one for everything else, to each.
final class PeerTransport: Sendable {
    private struct Peer {
        let address: String
        let heartbeats: PeerOutbox
        let messages: PeerOutbox
        let tasks: [Task<Void, Never>]

        func end() {
            for task in tasks { task.cancel() }
        }
    }

    private let connections: NodeConnections
    private let announcement: PeerAnnouncement
    private let addressOf: @Sendable (RaftID) -> String?
    private let report: @Sendable (RaftInput) -> Void
    private let log: Logger
    /// nil once it is closed.
    private let peers = Mutex<[RaftID: Peer]?>([:])

    /// - Parameters:
    ///   - announcement: what each link begins with.
    ///   - addressOf: `HOST:PORT` of a member as far as it is known.
    ///   - report: takes what Raft has to know of the network.
    init(
        connections: NodeConnections, log: Logger, announcement: PeerAnnouncement,
        addressOf: @escaping @Sendable (RaftID) -> String?, report: @escaping @Sendable (RaftInput) -> Void
    ) {
        self.connections = connections
        self.announcement = announcement
        self.addressOf = addressOf
        self.report = report
        self.log = log
    }

    /// Never blocks; what a peer cannot take is dropped, and Raft sends it again.
    func send(_ messages: [Consensus.Message]) {
        for message in messages {
            guard let address = addressOf(message.to) else {
                report(.unreachable(message.to))
                continue
            }
            let (peer, former) = peers.withLock { peers -> (Peer?, Peer?) in
                let known = peers?[message.to]
                if known?.address == address || peers == nil { return (known, nil) }
                let peer = connect(message.to, address)
                peers?[message.to] = peer
                return (peer, known)
            }
            if let former {
                former.end()
                // Nobody is there any more, or another member, which is found again.
                connections.drop(former.address)
            }
            guard let peer else { return }
            let lane = message.isHeartbeat ? peer.heartbeats : peer.messages
            if !lane.push(message) { report(.unreachable(message.to)) }
        }
    }

    func sendSnapshot(_ transfer: SnapshotTransfer, _ source: any SnapshotSource) {
        let to = transfer.message.to
        guard let address = addressOf(to) else { return report(.snapshotSent(to, succeeded: false)) }
        // Ends by itself: the call has a deadline.
        Task { [connections, report, log] in
            do {
                let client = WireRaft.Client(wrapping: try connections.client(to: address))
                var options = CallOptions.defaults
                options.timeout = .seconds(600)
                _ = try await client.installSnapshot(
                    request: StreamingClientRequest { writer in
                        var source = source
                        while let piece = try source.next() {
                            try await writer.write(.with { $0.data = wireBytes(piece) })
                        }
                        try await writer.write(.with { $0.message = transfer.message.wire })
                    }, options: options)
                report(.snapshotSent(to, succeeded: true))
            } catch {
                log.warning("cannot send a snapshot to \(address): \(error)")
                report(.snapshotSent(to, succeeded: false))
            }
        }
    }

    /// A link that says where this member is and nothing else.
    func introduce(to address: String) async throws {
        let isWelcome = Mutex(false)
        let use = LinkUse(receive: { frame in
            guard case .welcome = frame.frame else { return }
            isWelcome.withLock { $0 = true }
            throw Failure(.unavailable, "all is said")
        })
        do {
            try await connections.link(to: address, announcement.hello(.introduction), LinkBell(), use)
        } catch {
            if !isWelcome.withLock({ $0 }) { throw error }
        }
    }

    func close() {
        let all = peers.withLock { peers in
            defer { peers = nil }
            return Array((peers ?? [:]).values)
        }
        for peer in all { peer.end() }
    }

    /// Lets go of members that are none any more.
    func end(where isGone: (RaftID) -> Bool) {
        let gone = peers.withLock { peers in
            let gone = (peers ?? [:]).keys.filter(isGone)
            return gone.compactMap { peers?.removeValue(forKey: $0) }
        }
        for peer in gone { peer.end() }
    }

    private func connect(_ id: RaftID, _ address: String) -> Peer {
        func lane(_ lane: WireLinkLane) -> (PeerOutbox, Task<Void, Never>) {
            let outbox = PeerOutbox()
            // Owned by the peer: `end()` cancels it.
            return (outbox, Task { await self.run(lane, outbox, id, address) })
        }
        let (heartbeats, first) = lane(.heartbeats)
        let (messages, second) = lane(.messages)
        return Peer(address: address, heartbeats: heartbeats, messages: messages, tasks: [first, second])
    }

    private func run(_ lane: WireLinkLane, _ outbox: PeerOutbox, _ id: RaftID, _ address: String) async {
        let isWelcome = Atomic(false)
        let use = LinkUse(
            next: { outbox.next() },
            receive: { frame in
                if case .welcome = frame.frame { isWelcome.store(true, ordering: .relaxed) }
            })
        var pause = ManagerLimits.peerBackoff
        while !Task.isCancelled {
            do {
                try await connections.link(to: address, announcement.hello(lane), outbox.bell, use)
            } catch {
                if Task.isCancelled { return }
                log.debug("the link to \(address) ended: \(error)")
            }
            report(.unreachable(id))
            let wasWelcome = isWelcome.exchange(false, ordering: .relaxed)
            pause = wasWelcome ? ManagerLimits.peerBackoff : min(pause * 2, ManagerLimits.longestPeerBackoff)
            try? await Task.sleep(for: pause)
        }
    }
}

extension Consensus.Message {
    fileprivate var isHeartbeat: Bool {
        switch payload {
        case .heartbeat, .heartbeatResponse: true
        default: false
        }
    }
}
