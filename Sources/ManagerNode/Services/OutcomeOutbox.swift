import ClusterMessages
import ClusterWire
import SwiftProtobuf
import Synchronization

/// What became of a follower's proposals, on its way back: what is known when the connection is free travels together.
final class OutcomeOutbox: Sendable {
    private let outcomes = Mutex<[WireOutcome]>([])
    private let bell: LinkBell

    init(_ bell: LinkBell) {
        self.bell = bell
    }

    func push(_ number: UInt64, _ outcome: WireOutcome.OneOf_Outcome) {
        outcomes.withLock {
            $0.append(
                .with {
                    $0.number = number
                    $0.outcome = outcome
                })
        }
        bell.ring()
    }

    /// All that waits, up to the limit of a frame.
    func next() -> WireLinkFrame? {
        let taken = outcomes.withLock { $0.takeFrame { $0.refusal.message.utf8.count } }
        return taken.isEmpty ? nil : .with { $0.outcomes = .with { $0.outcomes = taken } }
    }
}
