import ClusterMessages
import GRPCCore
import Primitives
import Testing

@testable import ClusterWire

@Suite struct FailuresOnTheWireTests {
    @Test(arguments: [
        Failure.Code.invalidArgument, .notFound, .alreadyExists, .conflict, .failedPrecondition, .permissionDenied,
        .unauthenticated, .unavailable, .unknown, .resourceExhausted, .deadlineExceeded, .unimplemented, .dataLoss,
        .internal,
    ])
    func aFailureIsTheSameAtTheOtherEnd(_ code: Failure.Code) {
        let failure = Failure(code, "it is so")
        let (called, linked) = (failure.rpc.failure, Failure(WireRefusal(failure)))
        #expect(called.code == code && linked.code == code)
        #expect(called.message == failure.description && linked.message == failure.description)
    }

    @Test func whatHasNoKindIsInternal() {
        #expect(RPCError(code: .outOfRange, message: "").failure.code == .internal)
    }
}
