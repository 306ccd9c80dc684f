public import ClusterModel
public import Primitives
import Sealing

/// The secrets that a node keeps: under which its log is sealed, and by which it proves who it is.
public struct NodeKeys: Hashable, Sendable {
    /// ``logKeyBytes`` of them.
    public var logKey: [UInt8]
    public var privateKeyPEM: String

    public static let logKeyBytes = 32

    /// A fresh key for the log, beside the private key of a certificate.
    public init(privateKeyPEM: String, using random: inout some RandomNumberGenerator) {
        self.privateKeyPEM = privateKeyPEM
        logKey = (0..<NodeKeys.logKeyBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    fileprivate init?(encoded: [UInt8]) {
        guard encoded.count > NodeKeys.logKeyBytes else { return nil }
        logKey = Array(encoded[..<NodeKeys.logKeyBytes])
        privateKeyPEM = String(decoding: encoded[NodeKeys.logKeyBytes...], as: UTF8.self)
    }

    fileprivate var encoded: [UInt8] { logKey + Array(privateKeyPEM.utf8) }
}

/// A node's keys as a file: as they are, or locked by the cluster's unlock key.
public struct KeyFile: Hashable, Sendable {
    public enum Content: Hashable, Sendable {
        case open(NodeKeys)
        /// A nonce, the keys sealed with XChaCha20-Poly1305, a tag.
        case locked([UInt8])
    }

    public var content: Content
    /// The version of the cluster's settings that said whether and how to lock: an older one changes nothing any more.
    public var version: UInt64

    private static let magic = "swarm node keys 1"

    public init(_ keys: NodeKeys, version: UInt64 = 0) {
        content = .open(keys)
        self.version = version
    }

    /// Locks the keys so that only `key` opens them again.
    ///
    /// - Parameters:
    ///   - node: whose keys they are: the file is of no use in another node's place.
    ///   - random: must be fit for keys (`SystemRandomNumberGenerator`) outside of tests.
    public init(
        locking keys: NodeKeys, with key: UnlockKey, of node: NodeID, version: UInt64,
        using random: inout some RandomNumberGenerator
    ) throws(Failure) {
        guard Seal.isReady else { throw Failure(.internal, "libsodium cannot be used on this machine") }
        let nonce = (0..<Seal.nonceBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let text = keys.encoded
        var sealed = text + [UInt8](repeating: 0, count: Seal.tagBytes)
        Seal.seal(
            &sealed, text: 0..<text.count, nonce: nonce, authenticating: Array(node.description.utf8),
            with: SecretBytes(copying: key.bytes))
        content = .locked(nonce + sealed)
        self.version = version
    }

    /// The keys; nil when `key` is not the one that they were locked with, or they were changed since.
    public static func unlock(_ locked: [UInt8], with key: UnlockKey, of node: NodeID) -> NodeKeys? {
        guard Seal.isReady, locked.count > Seal.nonceBytes + Seal.tagBytes else { return nil }
        var bytes = Array(locked[Seal.nonceBytes...])
        let text = 0..<bytes.count - Seal.tagBytes
        let isOpen = Seal.open(
            &bytes, text: text, nonce: Array(locked[..<Seal.nonceBytes]), authenticating: Array(node.description.utf8),
            with: SecretBytes(copying: key.bytes))
        return isOpen ? NodeKeys(encoded: Array(bytes[text])) : nil
    }

    /// Three lines: what it is and whether it is open or locked, the version, the bytes in hexadecimal.
    public var text: String {
        let (state, bytes) =
            switch content {
            case .open(let keys): ("open", keys.encoded)
            case .locked(let sealed): ("locked", sealed)
            }
        return "\(KeyFile.magic) \(state)\n\(version)\n\(Hexadecimal.text(of: bytes))\n"
    }

    /// - Parameter path: for the message.
    /// - Throws: ``Failure`` `dataLoss` naming the file.
    public init(parsing text: String, path: String) throws(Failure) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if let first = lines.first, first.hasPrefix("swarm node keys "), !first.hasPrefix(KeyFile.magic + " ") {
            throw Failure(
                .failedPrecondition, "\(path) is \"\(first)\", this swarmd reads \"\(KeyFile.magic)\": upgrade it")
        }
        guard lines.count >= 3, let version = UInt64(lines[1]), let bytes = Hexadecimal.bytes(of: lines[2]) else {
            throw KeyFile.damage(path)
        }
        self.version = version
        switch lines[0] {
        case "\(KeyFile.magic) open":
            guard let keys = NodeKeys(encoded: bytes) else { throw KeyFile.damage(path) }
            content = .open(keys)
        case "\(KeyFile.magic) locked": content = .locked(bytes)
        default: throw KeyFile.damage(path)
        }
    }

    private static func damage(_ path: String) -> Failure {
        Failure(
            .dataLoss,
            "\(path) is damaged, and without its keys the node cannot take part: move that folder aside, start swarmd, and "
                + "join the cluster again as a new node, or `swarmctl restore BACKUP` where this was the only manager")
    }
}
