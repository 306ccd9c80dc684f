internal import Crypto
public import Primitives
import SwiftASN1
public import X509

import struct Foundation.Date

/// What a node shows to others and trusts in others.
public struct Credentials: Sendable {
    public let certificate: Certificate
    public let roots: [Certificate]
    /// Presented with the certificate: they lead from a root that others may still know alone to a newer one.
    public let intermediates: [Certificate]
    public let identity: PeerIdentity
    /// Of all that is trusted and presented: the managers tell a node by it whether that is what they want.
    public let trustDigest: [UInt8]
    private let key: Certificate.PrivateKey

    /// - Parameter roots: what is trusted, and beside it what leads from one root to another.
    /// - Throws: ``Failure`` when the certificate names no node of a cluster.
    public init(certificate: Certificate, key: Certificate.PrivateKey, roots: [Certificate]) throws {
        guard let identity = PeerIdentity(certificate) else { throw PeerIdentity.unnamed(certificate) }
        self.certificate = certificate
        self.identity = identity
        self.key = key
        self.roots = roots.filter(\.isSelfSigned)
        intermediates = roots.filter { !$0.isSelfSigned }
        trustDigest = try Certificate.digest(of: roots)
    }

    public init(certificatePEM: String, keyPEM: String, rootsPEM: [String]) throws {
        try self.init(
            certificate: Certificate(pemEncoded: certificatePEM), key: Certificate.PrivateKey(pemEncoded: keyPEM),
            roots: rootsPEM.map { try Certificate(pemEncoded: $0) })
    }

    public func certificatePEM() throws -> String { try certificate.serializeAsPEM().pemString }
    public func keyPEM() throws -> String { try key.serializeAsPEM().pemString }
    /// Roots first, then what leads from one to another.
    public func rootsPEM() throws -> [String] { try (roots + intermediates).map { try $0.serializeAsPEM().pemString } }
}

extension Credentials {
    /// When half of the certificate's time is over: the node then asks for a new one.
    public var renewsAt: Timestamp {
        let begin = Timestamp(certificate.notValidBefore) + IdentityLimits.backdating
        let nanoseconds = Timestamp(certificate.notValidAfter).nanoseconds
        return Timestamp(nanoseconds: begin.nanoseconds + (nanoseconds - begin.nanoseconds) / 2)
    }
}

extension Timestamp {
    /// Certificates count whole seconds.
    init(_ date: Date) { self.init(nanoseconds: Int64(date.timeIntervalSince1970) * 1_000_000_000) }
}

/// A fresh key with a certificate signed by itself: it proves the possession of the key while joining, nothing else.
public struct JoinerCredentials: Sendable {
    public let certificate: Certificate
    public let key: Certificate.PrivateKey

    /// A member's own, for a connection that trusts a token's root instead of what the member knows.
    public init(_ member: Credentials) throws {
        certificate = member.certificate
        key = try Certificate.PrivateKey(pemEncoded: member.keyPEM())
    }

    public init(at now: Timestamp) throws {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try DistinguishedName { CommonName("swarm-joiner") }
        certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: key.publicKey,
            notValidBefore: Date(now - IdentityLimits.backdating),
            notValidAfter: Date(now + IdentityLimits.joinerValidity), issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256, extensions: Certificate.Extensions(), issuerPrivateKey: key)
        self.key = key
    }
}

extension JoinerCredentials {
    public func certificatePEM() throws -> String { try certificate.serializeAsPEM().pemString }
    public func keyPEM() throws -> String { try key.serializeAsPEM().pemString }
}

extension Certificate {
    public func pem() throws -> String { try serializeAsPEM().pemString }
}
