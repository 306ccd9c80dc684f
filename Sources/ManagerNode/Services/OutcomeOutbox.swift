import ClusterMessages
import Primitives
import SwiftProtobuf
import Synchronization

/// What became of a follower's proposals, on its way back: what is known when the connection is free travels together.
final class OutcomeOutbox: Sendable {
    private let outcomes = Mutex<[WireOutcome]>([])
    let bell = Bell()

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

    func take() -> [WireOutcome] {
        outcomes.withLock { outcomes in
            defer { outcomes = [] }
            return outcomes
        }
    }
}

extension WireRefusal {
    init(_ failure: Failure) {
        self = .with {
            $0.code = failure.code.description
            $0.message = failure.description
        }
    }
}
