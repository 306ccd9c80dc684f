public import Primitives
import Synchronization

/// Lets a complaint into the log once a minute: the same one is the same text but for its figures, since clocks and ports
/// in it change with each attempt.
public final class ComplaintFilter: Sendable {
    private let known = Mutex<[String: Instant]>([:])

    public init() {}

    public func isNews(_ complaint: String, at now: Instant) -> Bool {
        let key = String(complaint.filter { !$0.isNumber })
        return known.withLock { known in
            if let last = known[key], now < last + WorkerLimits.complaintPeriod { return false }
            if known.count >= WorkerLimits.knownComplaints { known = [:] }
            known[key] = now
            return true
        }
    }

    /// What was wrong is right: the next time it is news.
    public func forget() { known.withLock { $0 = [:] } }
}
