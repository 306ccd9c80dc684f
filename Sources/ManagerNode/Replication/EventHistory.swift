public import ClusterState
import DequeModule
public import Primitives
import Synchronization

/// The events of late on this manager, and whoever follows them.
public final class EventHistory: Sendable {
    public typealias Stream = AsyncThrowingStream<ClusterEvent, any Error>

    private struct Follower {
        var until: Timestamp?
        var stream: Stream.Continuation
    }

    private struct State {
        var recent: Deque<ClusterEvent> = []
        var followers: [UInt64: Follower] = [:]
        var nextFollower: UInt64 = 0
        var end: Failure?
    }

    private let state = Mutex(State())

    /// Called by the Raft thread alone.
    func record(_ changes: [StateChange], _ roster: Roster, at now: Timestamp) {
        if changes.contains(where: { $0.before == nil && $0.after == nil }) {
            return endAll(
                Failure(
                    .unavailable,
                    "this manager caught up by a snapshot: what happened in between is not known here; follow again"))
        }
        let events = changes.compactMap { ClusterEvent($0, in: roster, at: now) }
        if events.isEmpty { return }
        let (tooSlow, atEnd) = state.withLock { state in
            state.recent.append(contentsOf: events)
            state.recent.removeFirst(max(0, state.recent.count - ManagerLimits.recentEvents))
            var ended: (tooSlow: [Stream.Continuation], atEnd: [Stream.Continuation]) = ([], [])
            for (id, follower) in state.followers {
                if let until = follower.until, until < now {
                    ended.atEnd.append(follower.stream)
                    state.followers[id] = nil
                } else if !EventHistory.give(events, to: follower.stream) {
                    ended.tooSlow.append(follower.stream)
                    state.followers[id] = nil
                }
            }
            return ended
        }
        // Outside of the lock: the end of a stream calls back.
        for stream in atEnd { stream.finish() }
        for stream in tooSlow { stream.finish(throwing: EventHistory.tooSlow) }
    }

    /// The events since a moment as far as they are kept, then those that follow, with none missing in between.
    ///
    /// - Parameters:
    ///   - since: nil is: from now on.
    ///   - until: nil is: until the reader goes.
    /// - Returns: a stream that ends with ``Failure`` `resourceExhausted` when its reader is too slow.
    public func follow(since: Timestamp?, until: Timestamp?, now: Timestamp) -> Stream {
        let (stream, source) = Stream.makeStream(bufferingPolicy: .bufferingOldest(ManagerLimits.followedEvents))
        let isOver = until.map { $0 <= now } ?? false
        let (id, failure): (UInt64?, Failure?) = state.withLock { state in
            if let since {
                let past = state.recent.filter { event in
                    event.time >= since && until.map { event.time <= $0 } ?? true
                }
                _ = EventHistory.give(Array(past), to: source)
            }
            if isOver || state.end != nil { return (nil, isOver ? nil : state.end) }
            state.nextFollower += 1
            state.followers[state.nextFollower] = Follower(until: until, stream: source)
            return (state.nextFollower, nil)
        }
        guard let id else {
            source.finish(throwing: failure)
            return stream
        }
        // Ends at that time, or with the stream.
        let timer = until.map { until in
            Task {
                try await Task.sleep(for: .nanoseconds(until.nanoseconds - now.nanoseconds))
                source.finish()
            }
        }
        source.onTermination = { [weak self] _ in
            timer?.cancel()
            self?.state.withLock { _ = $0.followers.removeValue(forKey: id) }
        }
        return stream
    }

    /// This manager tells no more.
    func end(_ failure: Failure) {
        state.withLock { $0.end = failure }
        endAll(failure)
    }

    private func endAll(_ failure: Failure) {
        let all = state.withLock { state in
            defer { state.followers = [:] }
            return state.followers.values.map(\.stream)
        }
        for stream in all { stream.finish(throwing: failure) }
    }

    private static func give(_ events: [ClusterEvent], to stream: Stream.Continuation) -> Bool {
        for event in events {
            if case .dropped = stream.yield(event) { return false }
        }
        return true
    }

    private static let tooSlow = Failure(
        .resourceExhausted,
        "the reader is more than \(ManagerLimits.followedEvents) events behind: read faster, ask for less with filters, "
            + "or begin again with since")
}
