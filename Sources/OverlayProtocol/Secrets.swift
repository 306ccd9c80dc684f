import CSodium
import Sealing

/// What of libsodium this process can use.
enum Sodium {
    /// False when libsodium cannot be used, and then nothing is sealed or opened.
    static var isReady: Bool { Seal.isReady }

    /// Whether the processor has the instructions that make AES-256-GCM fast and free of timing leaks.
    static let hasHardwareAES = isReady && crypto_aead_aes256gcm_is_available() == 1
}

/// A node's X25519 public key, which the managers distribute.
public struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    /// Nil unless there are 32 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == OverlayLimits.keyBytes else { return nil }
        self.bytes = Array(bytes)
    }

    /// Hexadecimal.
    public var description: String {
        bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
    }
}

/// An X25519 key pair; the secret half is wiped with the last copy.
public struct KeyPair: Sendable {
    public let publicKey: PublicKey
    let secret: SecretBytes

    /// Nil unless there are 32 bytes (and libsodium works).
    public init?(secretBytes: some Collection<UInt8>) {
        guard secretBytes.count == OverlayLimits.keyBytes else { return nil }
        self.init(secret: SecretBytes(copying: secretBytes))
    }

    /// A fresh pair; `random` must be fit for keys (`SystemRandomNumberGenerator`) outside of tests.
    public init?(using random: inout some RandomNumberGenerator) {
        self.init(secret: SecretBytes(using: &random))
    }

    private init?(secret: SecretBytes) {
        guard Sodium.isReady else { return nil }
        var bytes = [UInt8](repeating: 0, count: OverlayLimits.keyBytes)
        let status = secret.withBytes { crypto_scalarmult_base(&bytes, $0) }
        guard status == 0, let publicKey = PublicKey(bytes: bytes) else { return nil }
        self.publicKey = publicKey
        self.secret = secret
    }

    /// The secret half, for the file that keeps it; the caller wipes or protects the copy.
    public func withSecretBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        secret.withBytes { body(UnsafeRawBufferPointer(start: $0, count: OverlayLimits.keyBytes)) }
    }
}
