public import Primitives
public import X509

/// Why a certificate does not count at a moment.
public enum ValidityProblem: Hashable, Sendable {
    case expired(at: Timestamp)
    case notYetValid(until: Timestamp)

    /// - Parameters:
    ///   - subject: whose certificate: "node X's certificate".
    ///   - clock: whose clock says `now`: "this manager's clock".
    public func text(_ subject: String, _ clock: String, now: Timestamp) -> String {
        switch self {
        case .expired(let time): "\(subject) expired at \(time.rfc3339), and \(clock) says \(now.rfc3339)"
        case .notYetValid(let time):
            "\(subject) is valid from \(time.rfc3339) on, and \(clock) says \(now.rfc3339): set the clocks of both machines"
        }
    }

    /// How a node whose certificate has run out comes back.
    public static let renewal =
        "`swarmctl join --renew TOKEN` on it, with what `swarmctl token` prints on a manager, brings it back with its tasks"
}

extension Certificate {
    public var validity: CertificateValidity {
        CertificateValidity(begin: Timestamp(notValidBefore), end: Timestamp(notValidAfter))
    }

    /// Nil while the certificate counts.
    public func validityProblem(at now: Timestamp) -> ValidityProblem? { validity.problem(at: now) }
}

/// From when to when a certificate counts.
public struct CertificateValidity: Hashable, Sendable {
    public var begin: Timestamp
    public var end: Timestamp

    /// Nil while the certificate counts.
    public func problem(at now: Timestamp) -> ValidityProblem? {
        if now < begin { return .notYetValid(until: begin) }
        return now > end ? .expired(at: end) : nil
    }
}
