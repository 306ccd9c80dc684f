/// Why a run failed.
public enum Violation: Error, Hashable, Sendable, CustomStringConvertible {
    /// Something happened that must never happen.
    case safety(String)
    /// Something did not happen that must happen when nothing fails any more.
    case liveness(String)

    public var description: String {
        switch self {
        case .safety(let what): "safety: \(what)"
        case .liveness(let what): "liveness: \(what)"
        }
    }
}
