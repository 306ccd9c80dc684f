internal import ClusterIdentity
internal import GRPCCore
internal import Primitives
internal import X509

/// Who makes a call, and for how long it may.
struct CallingMember: Sendable {
    let node: PeerIdentity
    let validity: CertificateValidity

    /// nil for a stranger. The handshake has verified the certificate.
    init?(_ certificate: Certificate) {
        guard !certificate.isSelfSigned, let node = PeerIdentity(certificate) else { return nil }
        self.node = node
        validity = certificate.validity
    }

    /// Why the certificate does not count now; nil when it does.
    func lapse(at now: Timestamp) -> RPCError? {
        guard let problem = validity.problem(at: now) else { return nil }
        var text = problem.text("the certificate of node \(node.node)", "this manager's clock", now: now)
        if case .expired = problem { text += ": \(ValidityProblem.renewal)" }
        return RPCError(code: .unauthenticated, message: text)
    }
}
