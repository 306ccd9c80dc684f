public import ClusterModel
internal import Crypto
public import Primitives
import SwiftASN1
public import X509

extension Authority {
    /// The authority with a new root; the one before is trusted until ``settled()``.
    ///
    /// - Parameters:
    ///   - own: certificate and key, PEM, to use instead of generated ones.
    /// - Throws: ``Failure``: `resourceExhausted` when too many roots are trusted already, `invalidArgument` for a
    ///   certificate that cannot be the cluster's root.
    public func rotated(
        for cluster: ClusterID, own: (certificate: String, key: String)? = nil, at now: Timestamp
    ) throws -> Authority {
        guard earlier.count + 2 <= IdentityLimits.trustedRoots else {
            throw Failure(
                .resourceExhausted,
                "\(earlier.count + 1) roots are trusted already, the limit is \(IdentityLimits.trustedRoots): start the "
                    + "nodes that earlier rotations wait for, or remove them with `swarmctl node rm`")
        }
        let newest =
            try own.map { try Authority.check($0, at: now) }
            ?? CertificateAuthority(
                generatingFor: cluster, at: now)
        let before = [EarlierRoot(certificate: rootCertificate, signingKey: signingKey, crossSigned: "")]
        var rotated = Authority(
            rootCertificate: try newest.certificatePEM(), signingKey: try newest.keyPEM(), earlier: earlier + before)
        guard rotated.rootCertificate != rootCertificate,
            !earlier.contains(where: {
                $0.certificate == rotated.rootCertificate
            })
        else { throw Failure(.invalidArgument, "this certificate is a root of the cluster already") }
        for index in rotated.earlier.indices {
            let root = rotated.earlier[index]
            let authority = try CertificateAuthority(certificatePEM: root.certificate, keyPEM: root.signingKey)
            rotated.earlier[index].crossSigned = try authority.crossSign(newest).pem()
        }
        rotated.trustDigest = try rotated.digest()
        return rotated
    }

    /// The authority when every node has a certificate of the newest root: no other is trusted any more.
    public func settled() throws -> Authority {
        var settled = Authority(rootCertificate: rootCertificate, signingKey: signingKey)
        settled.trustDigest = try settled.digest()
        return settled
    }

    /// What a node's certificate of the newest root says of its issuer.
    public func issuer() throws -> CertificateInfo {
        let root = try Certificate(pemEncoded: rootCertificate)
        return CertificateInfo(
            issuerSubject: try root.subject.derBytes(), issuerPublicKey: try root.publicKey.derBytes(),
            trustDigest: trustDigest)
    }

    /// What a join token pins: the root that all nodes trust.
    public func tokenDigest() throws -> String { try Certificate(pemEncoded: commonRoot).tokenDigest() }

    private func digest() throws -> [UInt8] {
        try Certificate.digest(of: try trusted.map { try Certificate(pemEncoded: $0) })
    }

    /// A root of the operator's own.
    private static func check(
        _ own: (certificate: String, key: String), at now: Timestamp
    ) throws -> CertificateAuthority {
        func refuse(_ why: String) -> Failure {
            Failure(.invalidArgument, "this cannot be the cluster's root certificate: \(why)")
        }
        let authority: CertificateAuthority
        do {
            authority = try CertificateAuthority(certificatePEM: own.certificate, keyPEM: own.key)
        } catch { throw refuse("certificate or key is not readable PEM (\(error))") }
        let root = authority.certificate
        guard authority.holdsItsKey else { throw refuse("the key is another certificate's") }
        guard root.isSelfSigned else { throw refuse("it is not signed by itself") }
        guard case .isCertificateAuthority(let length)? = try root.extensions.basicConstraints, length != 0 else {
            throw refuse("it must be an authority that lets at least one other stand below it (path length)")
        }
        if let usage = try root.extensions.keyUsage, !usage.keyCertSign {
            throw refuse("its key may not sign certificates")
        }
        if let problem = root.validityProblem(at: now) {
            throw refuse(problem.text("it", "this manager's clock", now: now))
        }
        return authority
    }
}

extension Credentials {
    /// What the node tells of its certificate.
    public func info() throws -> CertificateInfo {
        let issuer = (roots + intermediates).first {
            $0.subject == certificate.issuer && $0.publicKey.isValidSignature(certificate.signature, for: certificate)
        }
        return CertificateInfo(
            issuerSubject: try certificate.issuer.derBytes(), issuerPublicKey: try issuer?.publicKey.derBytes() ?? [],
            trustDigest: trustDigest,
            expiresAt: Timestamp(certificate.notValidAfter))
    }
}

extension Certificate {
    /// SHA-256 of all of them, in whatever order they come.
    static func digest(of certificates: [Certificate]) throws -> [UInt8] {
        var hash = SHA256()
        for der in try certificates.map({ try $0.derBytes() }).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            hash.update(data: der)
        }
        return Array(hash.finalize())
    }
}

extension DistinguishedName {
    func derBytes() throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.serialize(self)
        return serializer.serializedBytes
    }
}

extension Certificate.PublicKey {
    func derBytes() throws -> [UInt8] { try serializeAsPEM().derBytes }
}

extension Cluster {
    /// A node's certificate under the newest root, with the validity that the cluster's settings say.
    public func issue(
        _ key: Certificate.PublicKey, to identity: PeerIdentity, at now: Timestamp
    ) throws -> Certificate {
        let newest = try CertificateAuthority(
            certificatePEM: authority.rootCertificate, keyPEM: authority.signingKey)
        return try newest.issue(key, to: identity, validity: spec.certificateValidity, at: now)
    }
}
