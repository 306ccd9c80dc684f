import CSodium

/// 32 secret bytes, wiped when the last reference to them goes.
///
/// A reference rather than a value, so that copies of a state never multiply the secret.
// @unchecked: the memory is written in `init` only, before the reference is shared, and only read afterwards.
package final class SecretBytes: @unchecked Sendable {
    package static let count = 32

    @usableFromInline let storage: UnsafeMutablePointer<UInt8>

    /// Hands zeroed memory of ``count`` bytes to `fill`.
    package init<E: Error>(_ fill: (UnsafeMutablePointer<UInt8>) throws(E) -> Void) throws(E) {
        storage = .allocate(capacity: SecretBytes.count)
        storage.initialize(repeating: 0, count: SecretBytes.count)
        try fill(storage)
    }

    /// The caller has checked that there are ``count`` bytes.
    package convenience init(copying bytes: some Sequence<UInt8>) {
        self.init { memory in
            for (index, byte) in bytes.prefix(SecretBytes.count).enumerated() { memory[index] = byte }
        }
    }

    /// `random` must be fit for keys (`SystemRandomNumberGenerator`) outside of tests.
    package convenience init(using random: inout some RandomNumberGenerator) {
        let words = (random.next(), random.next(), random.next(), random.next())
        self.init { memory in
            withUnsafeBytes(of: words) { bytes in
                for index in 0..<SecretBytes.count { memory[index] = bytes[index] }
            }
        }
    }

    deinit {
        sodium_memzero(storage, SecretBytes.count)
        storage.deallocate()
    }

    /// The pointer is valid inside `body` only. Inlined: the overlay does this for every packet.
    @inlinable
    package func withBytes<R, E: Error>(_ body: (UnsafePointer<UInt8>) throws(E) -> R) throws(E) -> R {
        try body(UnsafePointer(storage))
    }
}
