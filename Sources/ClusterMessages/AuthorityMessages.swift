public import ClusterModel
import Primitives
import SwiftProtobuf

extension Authority {
    public init(wire: WireAuthority) {
        self.init(
            rootCertificate: wire.rootCertificate, signingKey: wire.signingKey,
            earlier: wire.earlier.map(EarlierRoot.init(wire:)), trustDigest: Array(wire.trustDigest))
    }

    public var wire: WireAuthority {
        .with {
            $0.rootCertificate = rootCertificate
            $0.signingKey = signingKey
            $0.earlier = earlier.map(\.wire)
            $0.trustDigest = wireBytes(trustDigest)
        }
    }
}

extension EarlierRoot {
    public init(wire: WireEarlierRoot) {
        self.init(certificate: wire.certificate, signingKey: wire.signingKey, crossSigned: wire.crossSigned)
    }

    public var wire: WireEarlierRoot {
        .with {
            $0.certificate = certificate
            $0.signingKey = signingKey
            $0.crossSigned = crossSigned
        }
    }
}

extension CertificateInfo {
    public init(wire: WireCertificateInfo) {
        self.init(
            issuerSubject: Array(wire.issuerSubject), issuerPublicKey: Array(wire.issuerPublicKey),
            trustDigest: Array(wire.trustDigest), expiresAt: Timestamp(nanoseconds: wire.expiresAt))
    }

    public var wire: WireCertificateInfo {
        .with {
            $0.issuerSubject = wireBytes(issuerSubject)
            $0.issuerPublicKey = wireBytes(issuerPublicKey)
            $0.trustDigest = wireBytes(trustDigest)
            $0.expiresAt = expiresAt.nanoseconds
        }
    }
}
