public import ClusterMessages
public import GRPCCore
public import Primitives
internal import SwiftProtobuf

extension Failure {
    /// The same kind and text for a caller on another node.
    public var rpc: RPCError {
        let code: RPCError.Code =
            switch self.code {
            case .invalidArgument: .invalidArgument
            case .notFound: .notFound
            case .alreadyExists: .alreadyExists
            case .conflict: .aborted
            case .failedPrecondition: .failedPrecondition
            case .permissionDenied: .permissionDenied
            case .unauthenticated: .unauthenticated
            case .unavailable: .unavailable
            case .unknown: .unknown
            case .resourceExhausted: .resourceExhausted
            case .deadlineExceeded: .deadlineExceeded
            case .unimplemented: .unimplemented
            case .dataLoss: .dataLoss
            default: .internalError
            }
        return RPCError(code: code, message: description)
    }
}

extension RPCError {
    /// The other direction of ``Failure/rpc``.
    public var failure: Failure {
        let code: Failure.Code =
            switch self.code {
            case .invalidArgument: .invalidArgument
            case .notFound: .notFound
            case .alreadyExists: .alreadyExists
            case .aborted: .conflict
            case .failedPrecondition: .failedPrecondition
            case .permissionDenied: .permissionDenied
            case .unauthenticated: .unauthenticated
            case .unavailable: .unavailable
            case .unknown: .unknown
            case .resourceExhausted: .resourceExhausted
            case .deadlineExceeded: .deadlineExceeded
            case .unimplemented: .unimplemented
            case .dataLoss: .dataLoss
            default: .internal
            }
        return Failure(code, message)
    }
}

extension WireRefusal {
    public init(_ failure: Failure) {
        self = .with {
            $0.code = failure.code.description
            $0.message = failure.description
        }
    }
}

extension Failure {
    /// The other direction of ``WireRefusal/init(_:)``.
    public init(_ refusal: WireRefusal) {
        self.init(Failure.Code(description: refusal.code), refusal.message)
    }

    /// What the other end of a connection is told of an error.
    init(told error: any Error) {
        self = error as? Failure ?? (error as? RPCError)?.failure ?? Failure(.invalidArgument, "\(error)")
    }
}
