import ClusterIdentity
import OverlayProtocol
import Primitives

/// Who this node is, as it was kept.
enum StoredIdentity {
    case none
    case open(NodeMembership, Credentials, KeyRing)
    /// Somebody has to unlock it first.
    case locked(LockedNode)
}

extension StateFolder {
    /// - Throws: ``Failure`` `dataLoss` naming what is damaged or missing.
    func loadIdentity() throws -> StoredIdentity {
        guard let text = try read("identity/node.conf") else { return .none }
        guard let certificate = try read("identity/node.pem"), let keys = try read(StateFolder.keyFile),
            let roots = try read("identity/roots.pem")
        else {
            throw Failure(
                .dataLoss,
                "\(path)/identity is incomplete: move it aside (the key of the log is in it), start swarmd, and join the cluster "
                    + "again as a new node, or `swarmctl restore BACKUP` where this was the only manager")
        }
        let pems = roots.split(separator: "-----END CERTIFICATE-----").filter { $0.contains("BEGIN") }
            .map { String($0) + "-----END CERTIFICATE-----\n" }
        let membership = try NodeMembership(parsing: text)
        let file = try KeyFile(parsing: keys, path: "\(path)/\(StateFolder.keyFile)")
        switch file.content {
        case .open(let keys):
            let credentials = try Credentials(
                certificatePEM: certificate, keyPEM: keys.privateKeyPEM, rootsPEM: pems)
            let ring = KeyRing(keys, version: file.version, node: credentials.identity.node, folder: self)
            return .open(membership, credentials, ring)
        case .locked(let sealed):
            let identity = try PeerIdentity(certificatePEM: certificate)
            return .locked(
                LockedNode(
                    membership: membership, identity: identity, certificatePEM: certificate, rootsPEM: pems,
                    sealedKeys: sealed, version: file.version, folder: self))
        }
    }

    static let keyFile = "identity/keys"

    /// The membership goes last: without it the node has not joined.
    func save(_ membership: NodeMembership, _ credentials: Credentials) throws {
        try write(try credentials.certificatePEM(), to: "identity/node.pem")
        try write(try credentials.rootsPEM().joined(separator: "\n"), to: "identity/roots.pem")
        try write(membership.text, to: "identity/node.conf")
    }

    /// The node's key pair of the overlay; made when it is first asked for.
    func overlayKeys() throws -> KeyPair {
        let name = "identity/overlay.key"
        if let text = try read(name) {
            guard let bytes = Hexadecimal.bytes(of: text.filter { $0 != "\n" }), let keys = KeyPair(secretBytes: bytes)
            else {
                throw Failure(.dataLoss, "\(path)/\(name) is damaged: remove it, and the node gets a new overlay key")
            }
            return keys
        }
        var random = SystemRandomNumberGenerator()
        guard let keys = KeyPair(using: &random) else {
            throw Failure(.internal, "libsodium made no key for the overlay")
        }
        let text = keys.withSecretBytes { Hexadecimal.text(of: $0) }
        try write(text + "\n", to: name)
        return keys
    }

    func forgetMembership() {
        for name in ["node.conf", "node.pem", "keys", "roots.pem", "overlay.key"] { remove("identity/\(name)") }
    }
}
