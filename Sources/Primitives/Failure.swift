/// An error that reaches a person: what kind it is, what failed and what to do, and what caused it.
public struct Failure: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure, with the meaning of gRPC's status codes. Extensible: switch with a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String, Hashable, Sendable {
            case invalidArgument = "invalid argument"
            case notFound = "not found"
            case alreadyExists = "already exists"
            case conflict = "conflict"
            case failedPrecondition = "failed precondition"
            case permissionDenied = "permission denied"
            case unauthenticated = "unauthenticated"
            case unavailable = "unavailable"
            case unknown = "outcome unknown"
            case resourceExhausted = "resource exhausted"
            case deadlineExceeded = "deadline exceeded"
            case unimplemented = "unimplemented"
            case dataLoss = "data loss"
            case `internal` = "internal"
        }

        private let kind: Kind
        private init(_ kind: Kind) { self.kind = kind }

        /// The caller's input is wrong whatever the state of the system.
        public static let invalidArgument = Code(.invalidArgument)
        public static let notFound = Code(.notFound)
        public static let alreadyExists = Code(.alreadyExists)
        /// A stale version: read again and retry.
        public static let conflict = Code(.conflict)
        /// The system is not in a state in which this can be done.
        public static let failedPrecondition = Code(.failedPrecondition)
        public static let permissionDenied = Code(.permissionDenied)
        public static let unauthenticated = Code(.unauthenticated)
        /// It may work in a moment: no leader, no connection.
        public static let unavailable = Code(.unavailable)
        /// The change may have been made, or may still be: look before it is made again.
        public static let unknown = Code(.unknown)
        public static let resourceExhausted = Code(.resourceExhausted)
        public static let deadlineExceeded = Code(.deadlineExceeded)
        public static let unimplemented = Code(.unimplemented)
        /// Stored data is damaged.
        public static let dataLoss = Code(.dataLoss)
        public static let `internal` = Code(.internal)

        public var description: String { kind.rawValue }

        /// The code whose description this is; `internal` for an unknown one.
        public init(description: String) {
            kind = Kind(rawValue: description) ?? .internal
        }
    }

    public var code: Code
    /// One line: what failed, on what, why, and what to do next.
    public var message: String
    public var cause: (any Error)?

    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String {
        cause.map { "\(message): \($0)" } ?? message
    }
}
