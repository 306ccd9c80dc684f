public import ClusterModel
internal import Crypto
public import NIOCore
public import NIOSSL
public import Primitives
import SwiftASN1
@_spi(DisableValidityCheck) @_spi(FixedExpiryValidationTime) public import X509

import struct Foundation.Date

/// What became of a peer in a handshake.
public enum PeerVerdict: Hashable, Sendable {
    /// Its certificate expires then.
    case accepted(until: Timestamp)
    /// For people.
    case refused(String)
}

/// Decides during the TLS handshake who may talk at all; what they may call is the authorization table's business.
public enum PeerVerification: Sendable {
    /// A member with a chain to these roots and this cluster's id.
    case members(roots: [Certificate], cluster: ClusterID)
    /// A member, or a stranger that presents a lone self-signed certificate and may only ask to join.
    ///
    /// A member whose certificate has run out is let in, too: it may come back, and is told why nothing else is answered.
    case membersAndJoiners(roots: [Certificate], cluster: ClusterID)
    /// A manager of the cluster whose root has this digest: all that a joiner knows.
    case managerUnder(rootDigest: String)

    public typealias Callback =
        @Sendable ([NIOSSLCertificate], EventLoopPromise<NIOSSLVerificationResultWithMetadata>) -> Void

    /// - Parameters:
    ///   - clock: by which certificates are judged.
    ///   - onVerdict: hears what became of each peer.
    public func callback(
        clock: @escaping @Sendable () -> Timestamp, onVerdict: @escaping @Sendable (PeerVerdict) -> Void
    ) -> Callback {
        { presented, promise in
            promise.completeWithTask {
                let verdict = await verdict(on: presented, at: clock())
                onVerdict(verdict)
                guard case .accepted = verdict else { return .failed }
                return .certificateVerified(VerificationMetadata(NIOSSL.ValidatedCertificateChain(presented)))
            }
        }
    }

    private func verdict(on presented: [NIOSSLCertificate], at now: Timestamp) async -> PeerVerdict {
        guard let chain = try? presented.map({ try Certificate(presented: $0) }), let leaf = chain.first
        else { return .refused("its certificate cannot be read") }
        let refusal = await refusal(of: leaf, rest: Array(chain.dropFirst()), at: now)
        return refusal.map(PeerVerdict.refused) ?? .accepted(until: Timestamp(leaf.notValidAfter))
    }

    /// Why the chain that was presented is not acceptable now; nil when it is.
    public func refusal(of leaf: Certificate, rest: [Certificate], at now: Timestamp) async -> String? {
        switch self {
        case .members(let roots, let cluster):
            return await PeerVerification.refusal(of: leaf, rest, roots, cluster, at: now)
        case .membersAndJoiners(let roots, let cluster):
            if rest.isEmpty && leaf.isSelfSigned { return nil }
            let time = leaf.validityProblem(at: now) == nil ? now : nil
            return await PeerVerification.refusal(of: leaf, rest, roots, cluster, at: time)
        case .managerUnder(let rootDigest):
            let pinned = rest.filter { (try? $0.tokenDigest()) == rootDigest }
            guard PeerIdentity(leaf)?.role == .manager else { return "it is not a manager" }
            return await PeerVerification.refusal(of: leaf, rest, pinned, nil, at: now)
        }
    }

    /// - Parameter now: nil leaves the certificates' times out of account.
    private static func refusal(
        of leaf: Certificate, _ rest: [Certificate], _ roots: [Certificate], _ cluster: ClusterID?, at now: Timestamp?
    ) async -> String? {
        guard let identity = PeerIdentity(leaf), cluster == nil || identity.cluster == cluster,
            await chains(leaf, rest, to: roots, at: nil)
        else { return "its certificate is not of this cluster" }
        guard let now else { return nil }
        if let problem = leaf.validityProblem(at: now) {
            return problem.text("the certificate of node \(identity.node)", "the clock here", now: now)
        }
        return await chains(leaf, rest, to: roots, at: now)
            ? nil : "the authority of its certificate is out of its time"
    }

    private static func chains(
        _ leaf: Certificate, _ rest: [Certificate], to roots: [Certificate], at now: Timestamp?
    ) async -> Bool {
        guard !roots.isEmpty else { return false }
        var verifier = Verifier(rootCertificates: CertificateStore(roots)) {
            now.map { RFC5280Policy(fixedExpiryValidationTime: Date($0)) } ?? .withValidityCheckDisabled()
        }
        let between = CertificateStore(rest.filter { !$0.isSelfSigned })
        switch await verifier.validate(leaf: leaf, intermediates: between) {
        case .validCertificate: return true
        case .couldNotValidate: return false
        }
    }
}

extension Certificate {
    /// As it was presented in a handshake.
    public init(presented: NIOSSLCertificate) throws {
        try self.init(derEncoded: presented.toDERBytes())
    }

    /// Signed by its own key: of a joiner, or a root.
    public var isSelfSigned: Bool {
        issuer == subject && publicKey.isValidSignature(signature, for: self)
    }
}
