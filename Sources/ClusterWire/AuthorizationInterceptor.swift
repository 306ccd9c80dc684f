import ClusterIdentity
import ClusterModel
import GRPCCore
import Primitives
import X509

/// Before every call: whether its caller may make it; and while it lasts: whether its certificate still counts.
struct Authorization: ServerInterceptor {
    let clock: @Sendable () -> Timestamp
    /// What the state says of a member whose certificate is in order; on a node without the state, its certificate's role.
    let standing: @Sendable (PeerIdentity) -> Standing

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next:
            @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let method = context.descriptor.fullyQualifiedMethod
        // Read once a call: it is judged again with every message.
        let member = context.peerCertificate.flatMap(CallingMember.init)
        let caller = try admit(member, method: method)
        guard let member, caller != .lapsed else { return try await next(request, context) }
        var request = request
        // What comes in is taken as long as the certificate counts; a session never rests.
        request.messages = RPCAsyncSequence(
            wrapping: request.messages.map { [clock] message in
                if let lapse = member.lapse(at: clock()) { throw lapse }
                return message
            })
        var response = try await next(request, context)
        if case .success(var contents) = response.accepted {
            // What goes out is made after the handler has returned, and may be for ever.
            let produce = contents.producer
            contents.producer = { writer in try await untilLapse(of: member) { try await produce(writer) } }
            response.accepted = .success(contents)
        }
        return response
    }

    /// The member that calls by another way than gRPC, if it may.
    func require(_ member: CallingMember?, method: String) throws -> PeerIdentity {
        let caller = try admit(member, method: method)
        guard let member else { throw Authorization.refusal(of: caller, method) }
        return member.node
    }

    private func admit(_ member: CallingMember?, method: String) throws -> AuthorizationTable.Caller {
        let caller = try caller(member)
        guard AuthorizationTable.allows(caller, method: method) else {
            if caller == .lapsed, let lapse = member?.lapse(at: clock()) { throw lapse }
            throw Authorization.refusal(of: caller, method)
        }
        return caller
    }

    private static func refusal(of caller: AuthorizationTable.Caller, _ method: String) -> RPCError {
        RPCError(code: .permissionDenied, message: "a \(caller) may not call \(method)")
    }

    private func caller(_ member: CallingMember?) throws -> AuthorizationTable.Caller {
        guard let member else { return .stranger }
        switch standing(member.node) {
        case .member(let role):
            if member.lapse(at: clock()) != nil { return .lapsed }
            return role == .manager ? .manager : .worker
        case .revoked:
            // Not `permissionDenied`: it is for good, and the node is to know.
            throw RPCError(
                code: .unauthenticated,
                message:
                    "node \(member.node.node) was removed from the cluster: `swarmctl leave --force` on it, then join "
                    + "again")
        }
    }

    /// Ends a call whose caller's certificate runs out under it.
    private func untilLapse<Value: Sendable>(
        of member: CallingMember, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await body() }
            group.addTask {
                while true {
                    if let lapse = member.lapse(at: clock()) { throw lapse }
                    try await Task.sleep(for: WireLimits.validityCheck)
                }
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }
}
