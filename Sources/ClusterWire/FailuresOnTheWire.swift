public import ClusterMessages
public import GRPCCore
public import Primitives
internal import SwiftProtobuf

/// Kinds of failures and gRPC's codes for them, in both directions; what is missing is internal.
private let codes: [(failure: Failure.Code, rpc: RPCError.Code)] = [
    (.invalidArgument, .invalidArgument), (.notFound, .notFound), (.alreadyExists, .alreadyExists),
    (.conflict, .aborted), (.failedPrecondition, .failedPrecondition), (.permissionDenied, .permissionDenied),
    (.unauthenticated, .unauthenticated), (.unavailable, .unavailable), (.unknown, .unknown),
    (.resourceExhausted, .resourceExhausted), (.deadlineExceeded, .deadlineExceeded),
    (.unimplemented, .unimplemented), (.dataLoss, .dataLoss),
]

extension Failure {
    /// The same kind and text for a caller on another node.
    public var rpc: RPCError {
        RPCError(code: codes.first { $0.failure == code }?.rpc ?? .internalError, message: description)
    }
}

extension RPCError {
    /// The other direction of ``Failure/rpc``.
    public var failure: Failure {
        Failure(codes.first { $0.rpc == code }?.failure ?? .internal, message)
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
