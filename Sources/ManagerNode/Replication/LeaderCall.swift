import ClusterMessages
import ClusterWire
import Consensus
import LinuxSystem
import Primitives
import SwiftProtobuf
import Synchronization

/// One link with proposals to one leader: what waits when the connection is free travels together.
final class LeaderCall: Sendable {
    private struct Waiter {
        let continuation: CheckedContinuation<LogIndex, any Error>
        let deadline: Instant
    }

    private struct State {
        var nextNumber: UInt64 = 1
        var unsent: [WireProposal] = []
        var waiters: [UInt64: Waiter] = [:]
        var hasEnded = false
    }

    /// `HOST:PORT` of the leader.
    let address: String
    private let state = Mutex(State())
    private let bell = LinkBell()

    init(to address: String) {
        self.address = address
    }

    var hasEnded: Bool { state.withLock { $0.hasEnded } }
    /// Proposals without an outcome.
    var underWay: Int { state.withLock { $0.waiters.count } }

    /// Returns the raft index at which the leader applied the transaction.
    ///
    /// - Throws: ``Failure``: the leader's refusal, `unavailable` when nothing was sent, or `unknown` when nobody knows
    ///   what became of it.
    func propose(_ transaction: [UInt8]) async throws -> LogIndex {
        try await withCheckedThrowingContinuation { continuation in
            let isTaken = state.withLock { state in
                guard !state.hasEnded, state.waiters.count < ManagerLimits.forwardedProposals else { return false }
                let number = state.nextNumber
                state.nextNumber += 1
                state.waiters[number] = Waiter(
                    continuation: continuation, deadline: Clock.now + ManagerLimits.proposeTimeout)
                state.unsent.append(
                    .with {
                        $0.number = number
                        $0.transaction = wireBytes(transaction)
                    })
                return true
            }
            if isTaken {
                bell.ring()
            } else {
                continuation.resume(throwing: Failure(.unavailable, "the leader at \(address) takes no more"))
            }
        }
    }

    /// Until the link breaks, or is ended.
    func run(_ connections: NodeConnections) async {
        let use = LinkUse(
            next: { [self] in
                let proposals = takeUnsent()
                return proposals.isEmpty ? nil : .with { $0.proposals = .with { $0.proposals = proposals } }
            },
            receive: { [self] frame in
                guard case .outcomes(let outcomes) = frame.frame else { return }
                for outcome in outcomes.outcomes { take(outcome) }
            })
        let hello = WireLinkHello.with { $0.lane = .proposals }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [self] in try await connections.link(to: address, hello, bell, use) }
                group.addTask { [self] in
                    while true {
                        try await Task.sleep(for: ManagerLimits.proposeTimeout / 20)
                        expire()
                    }
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch { end("\(error)") }
    }

    /// Whoever waits is told; what comes later is not taken.
    func end(_ reason: String) {
        let (sent, unsent) = state.withLock { state in
            defer {
                state.waiters = [:]
                state.unsent = []
            }
            state.hasEnded = true
            let unsent = state.unsent.compactMap { state.waiters.removeValue(forKey: $0.number) }
            return (Array(state.waiters.values), unsent)
        }
        for waiter in sent { waiter.continuation.resume(throwing: LeaderCall.open(reason)) }
        let failure = Failure(.unavailable, "the leader at \(address) was not reached: \(reason)")
        for waiter in unsent { waiter.continuation.resume(throwing: failure) }
    }

    private static func open(_ reason: String) -> Failure {
        Failure(
            .unknown, "no answer of the leader (\(reason)); the change may or may not have been made: look, then retry")
    }

    /// The next frame's proposals; none when nothing waits.
    func takeUnsent() -> [WireProposal] { state.withLock { $0.unsent.takeFrame(\.transaction.count) } }

    private func take(_ outcome: WireOutcome) {
        guard let waiter = state.withLock({ $0.waiters.removeValue(forKey: outcome.number) }) else { return }
        switch outcome.outcome {
        case .index(let index): waiter.continuation.resume(returning: index)
        case .notLeader, nil:
            waiter.continuation.resume(throwing: Failure(.unavailable, "the leader has changed"))
        case .refusal(let refusal):
            waiter.continuation.resume(throwing: Failure(refusal))
        }
    }

    private func expire() {
        let now = Clock.now
        let overdue = state.withLock { state in
            let numbers = Set(state.waiters.filter { $0.value.deadline <= now }.keys)
            // Nobody would expect it to be made any more.
            if !numbers.isEmpty { state.unsent.removeAll { numbers.contains($0.number) } }
            return numbers.compactMap { state.waiters.removeValue(forKey: $0) }
        }
        for waiter in overdue { waiter.continuation.resume(throwing: LeaderCall.open("none in time")) }
    }
}

/// The call to whoever leads now.
final class LeaderCalls: Sendable {
    private struct Current {
        let call: LeaderCall
        let task: Task<Void, Never>
    }

    private let connections: NodeConnections
    private let current = Mutex<Current?>(nil)

    init(_ connections: NodeConnections) {
        self.connections = connections
    }

    func call(to address: String) -> LeaderCall {
        let (call, old) = current.withLock { current -> (LeaderCall, Current?) in
            if let known = current?.call, known.address == address, !known.hasEnded { return (known, nil) }
            let old = current
            let call = LeaderCall(to: address)
            // Ended with the call, by `end`.
            current = Current(call: call, task: Task { [connections] in await call.run(connections) })
            return (call, old)
        }
        old.map(end)
        return call
    }

    /// Somebody else leads: what was sent to the former leader may never be answered.
    func follow(_ address: String) {
        let old = current.withLock { current -> Current? in
            guard current?.call.address != address else { return nil }
            defer { current = nil }
            return current
        }
        old.map(end)
    }

    func close() { follow("") }

    private func end(_ old: Current) {
        old.call.end("the leader has changed")
        old.task.cancel()
    }
}
