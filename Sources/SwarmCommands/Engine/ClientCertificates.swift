import AsyncHTTPClient
import NIOCore
import NIOSSL
import Synchronization

/// The PEM files that a client proves itself with to a daemon that answers over TLS, and knows that daemon by.
struct ClientCertificates: Hashable, Sendable {
    var authority: String
    var certificate: String
    var key: String

    /// As `docker` finds them: the three options, or a folder with ca.pem, cert.pem and key.pem.
    ///
    /// - Returns: nil where neither is given.
    static func find(
        authority: String?, certificate: String?, key: String?, environment: [String: String]
    ) throws -> ClientCertificates? {
        let folder = [environment["SWARM_CERT_PATH"], environment["DOCKER_CERT_PATH"]].compactMap { $0 }
            .first { !$0.isEmpty }
        let given = [authority, certificate, key].compactMap { $0 }
        if given.isEmpty, folder == nil { return nil }
        func path(_ option: String?, _ name: String) throws -> String {
            if let option { return option }
            guard let folder else {
                throw CommandFailure("--tlscacert, --tlscert and --tlskey go together: name all three")
            }
            return folder + "/" + name
        }
        return ClientCertificates(
            authority: try path(authority, "ca.pem"), certificate: try path(certificate, "cert.pem"),
            key: try path(key, "key.pem"))
    }

    fileprivate func tls() throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(
            try read(authority, "certificates") { try NIOSSLCertificate.fromPEMFile($0) })
        configuration.certificateChain = try read(certificate, "certificates") {
            try NIOSSLCertificate.fromPEMFile($0).map { .certificate($0) }
        }
        configuration.privateKey = .privateKey(
            try read(key, "a key") { try NIOSSLPrivateKey(file: $0, format: .pem) })
        return configuration
    }

    private func read<Value>(_ path: String, _ what: String, _ body: (String) throws -> Value) throws -> Value {
        do {
            return try body(path)
        } catch {
            throw CommandFailure("cannot read \(what) in PEM from \(path): \(error)")
        }
    }
}

/// One HTTP client for each set of certificates; they live until the process ends.
enum HTTPClients {
    private static let clients = Mutex<[ClientCertificates?: HTTPClient]>([:])

    static func client(_ certificates: ClientCertificates?) throws -> HTTPClient {
        if let known = clients.withLock({ $0[certificates] }) { return known }
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = try certificates?.tls()
        configuration.timeout.connect = .seconds(CommandLimits.connectSeconds)
        // A daemon that does not listen is an answer; waiting for it is up to the user.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        clients.withLock { $0[certificates] = client }
        return client
    }
}
