import ClusterMessages
import ClusterWire
import Consensus
import DequeModule
import SwiftProtobuf
import Synchronization

/// Messages on their way to one peer. One link after the other takes from it; without one they wait.
final class PeerOutbox: Sendable {
    private let messages = Mutex<Deque<Consensus.Message>>([])
    let bell = LinkBell()

    /// False when the peer is too far behind: the message is dropped.
    func push(_ message: Consensus.Message) -> Bool {
        let isTaken = messages.withLock { messages in
            guard messages.count < ManagerLimits.peerMessages else { return false }
            messages.append(message)
            return true
        }
        if isTaken { bell.ring() }
        return isTaken
    }

    /// All that waits, up to the limit of a frame.
    func next() -> WireLinkFrame? {
        let taken = messages.withLock { $0.takeFrame(\.entryBytes) }
        return taken.isEmpty ? nil : .with { $0.messages = .with { $0.messages = taken.map(\.wire) } }
    }
}

extension Consensus.Message {
    fileprivate var entryBytes: Int {
        guard case .append(let append) = payload else { return 0 }
        return append.entries.reduce(0) { $0 + $1.data.count }
    }
}
