import ClusterModel
import Consensus
import Primitives

extension Failure {
    static let lostToNewLeader = Failure(
        .unknown,
        "leadership was lost while the change was under way; it may or may not have been made: look, then retry")
    static let noLongerLeading = Failure(.unavailable, "leadership was lost meanwhile: try again in a moment")

    /// Not `unavailable`: to try again here is of no use.
    static func stopped(_ cause: Failure) -> Failure {
        Failure(
            cause.code == .unavailable ? .internal : cause.code,
            "this manager has stopped: \(cause); a change that was under way may or may not have been made")
    }
}

extension TransactionRefusal {
    var failure: Failure {
        switch self {
        case .exists, .nameTaken: Failure(.alreadyExists, description)
        case .notFound: Failure(.notFound, description)
        case .stale: Failure(.conflict, description)
        case .tooLarge: Failure(.invalidArgument, description)
        }
    }
}

extension ProposalRefused {
    var failure: Failure {
        switch self {
        case .notLeader: Failure(.unavailable, "this manager is not the leader")
        case .transferring: Failure(.unavailable, "leadership is being handed over")
        case .overloaded: Failure(.resourceExhausted, "too many changes are under way: try again in a moment")
        case .entryTooLarge(let bytes, let maximum):
            Failure(.invalidArgument, "the change has \(bytes) bytes, the limit is \(maximum)")
        case .membershipChangePending: Failure(.unavailable, "another change of the managers is under way")
        case .termNotCommitted: Failure(.unavailable, "the leader has only just been elected")
        case .membership(.leaderItself):
            Failure(.failedPrecondition, "the leader cannot remove itself: let it hand over first")
        case .membership(.lastVoter): Failure(.failedPrecondition, "the last manager cannot be removed")
        case .membership(.noEffect): Failure(.alreadyExists, "the managers are already so")
        case .membership(.invalidID), .invalidTransferee: Failure(.invalidArgument, "no such manager")
        }
    }
}
