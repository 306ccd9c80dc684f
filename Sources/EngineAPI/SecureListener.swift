import HummingbirdTLS
import NIOSSL
public import Primitives

/// Where the API answers over TCP: with TLS, to clients with a certificate of a given authority, and to nobody else.
public struct SecureListener: Sendable {
    let host: String
    let port: Int
    let configuration: TLSConfiguration

    /// - Parameters:
    ///   - address: `HOST:PORT`.
    ///   - authority: PEM file of the authority that signs clients' certificates.
    ///   - certificate: PEM file of the daemon's certificate, its chain behind it.
    ///   - key: PEM file of the certificate's key.
    /// - Throws: ``Failure`` `invalidArgument` naming the file that cannot be used.
    public init(address: String, authority: String, certificate: String, key: String) throws(Failure) {
        guard let colon = address.lastIndex(of: ":"), colon != address.startIndex,
            let port = UInt16(address[address.index(after: colon)...])
        else { throw Failure(.invalidArgument, "\"\(address)\" is not an address of the form HOST:PORT") }
        host = String(address[..<colon])
        self.port = Int(port)
        let authorities = try SecureListener.read(authority, "certificates") { try NIOSSLCertificate.fromPEMFile($0) }
        let chain = try SecureListener.read(certificate, "certificates") { try NIOSSLCertificate.fromPEMFile($0) }
        let privateKey = try SecureListener.read(key, "a key") { try NIOSSLPrivateKey(file: $0, format: .pem) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.trustRoots = .certificates(authorities)
        // A client's name is not its address; that the authority has signed it is what counts, as in dockerd's tlsverify.
        configuration.certificateVerification = .noHostnameVerification
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        self.configuration = configuration
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw Failure(.invalidArgument, "\(certificate) and \(key) cannot be used together: \(error)")
        }
    }

    private static func read<Value>(
        _ path: String, _ what: String, _ body: (String) throws -> Value
    ) throws(Failure) -> Value {
        do {
            return try body(path)
        } catch {
            throw Failure(.invalidArgument, "cannot read \(what) in PEM from \(path): \(error)")
        }
    }
}
