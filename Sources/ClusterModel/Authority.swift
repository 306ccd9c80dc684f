public import Primitives

/// The cluster's certificate authority, PEM.
public struct Authority: Hashable, Sendable {
    /// Of the newest root: what signs.
    public var rootCertificate: String
    public var signingKey: String
    /// Trusted until every node has a certificate of the newest root; oldest first.
    public var earlier: [EarlierRoot]
    /// SHA-256 of all that nodes are to trust and to present; empty until the first rotation.
    public var trustDigest: [UInt8]

    public init(
        rootCertificate: String = "", signingKey: String = "", earlier: [EarlierRoot] = [], trustDigest: [UInt8] = []
    ) {
        self.rootCertificate = rootCertificate
        self.signingKey = signingKey
        self.earlier = earlier
        self.trustDigest = trustDigest
    }

    /// Whether nodes are on their way to the newest root.
    public var isRotating: Bool { !earlier.isEmpty }

    /// The root that all nodes trust, those that were away included: join tokens pin it.
    public var commonRoot: String { earlier.first?.certificate ?? rootCertificate }

    /// What nodes hold: the newest root first, then the earlier ones, then what leads from them to the newest.
    public var trusted: [String] { [rootCertificate] + earlier.map(\.certificate) + earlier.map(\.crossSigned) }
}

/// A root that a rotation is about to replace.
public struct EarlierRoot: Hashable, Sendable {
    public var certificate: String
    /// Kept to sign the key of each newer root.
    public var signingKey: String
    /// The newest root's key, signed by this root: whoever knows this root alone follows it to the newest.
    public var crossSigned: String

    public init(certificate: String, signingKey: String, crossSigned: String) {
        self.certificate = certificate
        self.signingKey = signingKey
        self.crossSigned = crossSigned
    }
}

/// Of the certificate that a node presents; it comes with its registration.
public struct CertificateInfo: Hashable, Sendable {
    /// DER of the issuer's name.
    public var issuerSubject: [UInt8]
    /// DER of the issuer's public key (SubjectPublicKeyInfo).
    public var issuerPublicKey: [UInt8]
    /// As ``Authority/trustDigest``, of what the node holds.
    public var trustDigest: [UInt8]
    public var expiresAt: Timestamp

    public init(
        issuerSubject: [UInt8] = [], issuerPublicKey: [UInt8] = [], trustDigest: [UInt8] = [],
        expiresAt: Timestamp = .zero
    ) {
        self.issuerSubject = issuerSubject
        self.issuerPublicKey = issuerPublicKey
        self.trustDigest = trustDigest
        self.expiresAt = expiresAt
    }
}
