internal import ClusterIdentity
internal import NIOCertificateReloading
internal import NIOSSL

/// The node's certificate as it is at each handshake: a renewal needs no new listener.
struct PresentCertificate: CertificateReloader {
    let credentials: CredentialStore

    /// The root goes along: a joiner compares its digest with the token's.
    var sslContextConfigurationOverride: NIOSSLContextConfigurationOverride {
        var override = NIOSSLContextConfigurationOverride()
        do {
            let now = credentials.current
            let chain = [try now.certificatePEM()] + (try now.rootsPEM())
            override.certificateChain = try chain.flatMap {
                try NIOSSLCertificate.fromPEMBytes(Array($0.utf8)).map(NIOSSLCertificateSource.certificate)
            }
            override.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(try now.keyPEM().utf8), format: .pem))
        } catch {
            // What was read from PEM writes as PEM; an override of nothing leaves what the listener began with.
            return NIOSSLContextConfigurationOverride()
        }
        return override
    }
}
