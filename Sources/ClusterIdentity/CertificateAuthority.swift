public import ClusterModel
internal import Crypto
public import Primitives
import SwiftASN1
public import X509

import struct Foundation.Date

/// The cluster's root of trust: signs the certificates by which nodes know each other.
public struct CertificateAuthority: Sendable {
    public let certificate: Certificate
    private let key: Certificate.PrivateKey

    /// Makes a new root, valid for 20 years.
    public init(generatingFor cluster: ClusterID, at now: Timestamp) throws {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = try DistinguishedName {
            OrganizationName(cluster.description)
            CommonName("swarm-ca")
        }
        certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: key.publicKey,
            notValidBefore: Date(now - IdentityLimits.backdating),
            notValidAfter: Date(now + IdentityLimits.rootValidity), issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 1))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            },
            issuerPrivateKey: key)
        self.key = key
    }

    /// Reads what ``certificatePEM`` and ``keyPEM`` wrote.
    public init(certificatePEM: String, keyPEM: String) throws {
        certificate = try Certificate(pemEncoded: certificatePEM)
        key = try Certificate.PrivateKey(pemEncoded: keyPEM)
    }

    public func certificatePEM() throws -> String { try certificate.serializeAsPEM().pemString }
    public func keyPEM() throws -> String { try key.serializeAsPEM().pemString }

    /// `other`'s key under this root: whoever knows this root alone follows it to the other one.
    public func crossSign(_ other: CertificateAuthority) throws -> Certificate {
        try Certificate(
            version: .v3, serialNumber: .init(), publicKey: other.certificate.publicKey,
            notValidBefore: max(other.certificate.notValidBefore, certificate.notValidBefore),
            notValidAfter: min(other.certificate.notValidAfter, certificate.notValidAfter),
            issuer: certificate.subject, subject: other.certificate.subject,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            },
            issuerPrivateKey: key)
    }

    var holdsItsKey: Bool { key.publicKey == certificate.publicKey }

    /// A certificate for the node that holds the private half of `publicKey`.
    public func issue(
        _ publicKey: Certificate.PublicKey, to identity: PeerIdentity, validity: Duration, at now: Timestamp
    ) throws -> Certificate {
        try Certificate(
            version: .v3, serialNumber: .init(), publicKey: publicKey,
            notValidBefore: Date(now - IdentityLimits.backdating), notValidAfter: Date(now + validity),
            issuer: certificate.subject, subject: try identity.subject(),
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true, keyAgreement: true))
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames([.dnsName(identity.node.description)])
            },
            issuerPrivateKey: key)
    }
}

extension Certificate {
    public func derBytes() throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.serialize(self)
        return serializer.serializedBytes
    }

    /// SHA-256 of the DER form as 50 base-36 digits: what a join token pins.
    public func tokenDigest() throws -> String {
        let digest = SHA256.hash(data: try derBytes())
        return BaseThirtySix.text(of: Array(digest))
    }
}

extension Date {
    init(_ timestamp: Timestamp) {
        self.init(timeIntervalSince1970: Double(timestamp.nanoseconds / 1_000_000_000))
    }
}

/// Big-endian bytes as a base-36 number.
enum BaseThirtySix {
    /// 36^50 > 2^256: fifty digits hold a SHA-256 digest.
    private static let digitsOfSHA256 = 50

    static func text(of bytes: [UInt8]) -> String {
        var number = bytes
        var digits: [UInt8] = []
        for _ in 0..<digitsOfSHA256 {
            var remainder = 0
            for index in number.indices {
                let value = remainder << 8 | Int(number[index])
                number[index] = UInt8(value / 36)
                remainder = value % 36
            }
            digits.append(UInt8(remainder < 10 ? 48 + remainder : 87 + remainder))
        }
        return String(decoding: digits.reversed(), as: UTF8.self)
    }
}
