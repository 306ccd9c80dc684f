import CSodium
import Sealing

/// The key that a node's log and its snapshots are sealed with; wiped with the last copy.
public struct LogKey: Sendable {
    public static let byteCount = 32

    let secret: SecretBytes

    /// Nil unless there are ``byteCount`` bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        secret = SecretBytes(copying: bytes)
    }

    /// A fresh key; `random` must be fit for keys (`SystemRandomNumberGenerator`) outside of tests.
    public init(using random: inout some RandomNumberGenerator) {
        secret = SecretBytes(using: &random)
    }

    /// For the file that keeps it, wrapped or not; the caller protects the copy.
    public var bytes: [UInt8] {
        secret.withBytes { Array(UnsafeBufferPointer(start: $0, count: Self.byteCount)) }
    }

    /// A key for one purpose; keys of different purposes tell nothing of each other.
    func derived(for purpose: String, _ context: [UInt8] = []) -> SecretBytes {
        SecretBytes { hash(Array(purpose.utf8) + context, to: $0, count: Self.byteCount) }
    }

    /// Tells keys apart, and nothing else of them.
    var fingerprint: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: LogLimits.fingerprintBytes) { buffer, count in
            if let memory = buffer.baseAddress {
                hash(Array("swarm log fingerprint".utf8), to: memory, count: LogLimits.fingerprintBytes)
            }
            count = LogLimits.fingerprintBytes
        }
    }

    /// Keyed BLAKE2b.
    private func hash(_ input: [UInt8], to output: UnsafeMutablePointer<UInt8>, count: Int) {
        secret.withBytes { key in
            // It fails for lengths out of range only, and these are constants.
            _ = crypto_generichash(output, count, input, UInt64(input.count), key, Self.byteCount)
        }
    }
}
