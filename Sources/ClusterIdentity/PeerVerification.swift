public import ClusterModel
internal import Crypto
public import NIOCore
public import NIOSSL
public import Primitives
import SwiftASN1
internal import Synchronization
public import X509

import struct Foundation.Date

/// Decides during the TLS handshake who may talk at all; what they may call is the authorization table's business.
public enum PeerVerification: Sendable {
    /// A member with a chain to these roots and this cluster's id.
    case members(roots: [Certificate], cluster: ClusterID)
    /// A member, or a stranger that presents a lone self-signed certificate and may only ask to join.
    case membersAndJoiners(roots: [Certificate], cluster: ClusterID)
    /// A manager of the cluster whose root has this digest: all that a joiner knows.
    case managerUnder(rootDigest: String)

    public typealias Callback =
        @Sendable ([NIOSSLCertificate], EventLoopPromise<NIOSSLVerificationResultWithMetadata>) -> Void

    public var callback: Callback {
        { presented, promise in
            promise.completeWithTask {
                guard let chain = try? presented.map({ try Certificate(derEncoded: $0.toDERBytes()) }),
                    let leaf = chain.first, await accepts(leaf, rest: Array(chain.dropFirst()))
                else { return .failed }
                return .certificateVerified(VerificationMetadata(NIOSSL.ValidatedCertificateChain(presented)))
            }
        }
    }

    /// Whether the chain that was presented is acceptable now.
    public func accepts(_ leaf: Certificate, rest: [Certificate]) async -> Bool {
        switch self {
        case .members(let roots, let cluster):
            return await PeerVerification.chains(leaf, to: roots) && PeerIdentity(leaf)?.cluster == cluster
        case .membersAndJoiners(let roots, let cluster):
            if rest.isEmpty && leaf.isSelfSigned { return true }
            return await PeerVerification.chains(leaf, to: roots) && PeerIdentity(leaf)?.cluster == cluster
        case .managerUnder(let rootDigest):
            let pinned = rest.filter { (try? $0.tokenDigest()) == rootDigest }
            return await PeerVerification.chains(leaf, to: pinned) && PeerIdentity(leaf)?.role == .manager
        }
    }

    private static func chains(_ leaf: Certificate, to roots: [Certificate]) async -> Bool {
        guard !roots.isEmpty else { return false }
        var verifier = Verifier(rootCertificates: CertificateStore(roots)) { RFC5280Policy() }
        switch await verifier.validate(leaf: leaf, intermediates: CertificateStore([])) {
        case .validCertificate: return true
        case .couldNotValidate: return false
        }
    }
}

extension Certificate {
    /// Signed by its own key: of a joiner, or a root.
    public var isSelfSigned: Bool {
        issuer == subject && publicKey.isValidSignature(signature, for: self)
    }
}
