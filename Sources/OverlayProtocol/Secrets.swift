import CSodium

/// What of libsodium this process can use.
enum Sodium {
    /// libsodium picks its fastest code here; false when that failed, and then nothing is sealed or opened.
    static let isReady = sodium_init() >= 0

    /// Whether the processor has the instructions that make AES-256-GCM fast and free of timing leaks.
    static let hasHardwareAES = isReady && crypto_aead_aes256gcm_is_available() == 1
}

/// 32 secret bytes, wiped when the last reference to them goes.
///
/// A reference rather than a value, so that copies of a state never multiply the secret.
// @unchecked: the memory is written in `init` only, before the reference is shared, and only read afterwards.
final class SecretBytes: @unchecked Sendable {
    private let storage: UnsafeMutablePointer<UInt8>

    /// Hands zeroed memory of 32 bytes to `fill`.
    init<E: Error>(_ fill: (UnsafeMutablePointer<UInt8>) throws(E) -> Void) throws(E) {
        storage = .allocate(capacity: OverlayLimits.keyBytes)
        storage.initialize(repeating: 0, count: OverlayLimits.keyBytes)
        try fill(storage)
    }

    /// The caller has checked that there are 32 bytes.
    convenience init(copying bytes: some Sequence<UInt8>) {
        self.init { memory in
            for (index, byte) in bytes.prefix(OverlayLimits.keyBytes).enumerated() { memory[index] = byte }
        }
    }

    convenience init(using random: inout some RandomNumberGenerator) {
        let words = (random.next(), random.next(), random.next(), random.next())
        self.init { memory in
            withUnsafeBytes(of: words) { bytes in
                for index in 0..<OverlayLimits.keyBytes { memory[index] = bytes[index] }
            }
        }
    }

    deinit {
        sodium_memzero(storage, OverlayLimits.keyBytes)
        storage.deallocate()
    }

    /// The pointer is valid inside `body` only.
    func withBytes<R, E: Error>(_ body: (UnsafePointer<UInt8>) throws(E) -> R) throws(E) -> R {
        try body(UnsafePointer(storage))
    }
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
