import CSodium

/// XChaCha20-Poly1305 (IETF construction) over byte arrays, in place.
package enum Seal {
    package static let nonceBytes = Int(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
    package static let tagBytes = Int(crypto_aead_xchacha20poly1305_ietf_ABYTES)

    /// libsodium picks its fastest code here; false when that failed.
    package static let isReady = sodium_init() >= 0

    /// Encrypts `bytes[text]` where it lies and writes its tag behind it; there must be room for it.
    package static func seal(
        _ bytes: inout [UInt8], text: Range<Int>, nonce: [UInt8], authenticating extra: [UInt8], with key: SecretBytes
    ) {
        precondition(nonce.count == nonceBytes && text.upperBound + tagBytes <= bytes.count)
        bytes.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            let message = base + text.lowerBound
            key.withBytes { key in
                // Fails never: lengths are in range.
                _ = crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
                    message, base + text.upperBound, nil, message, UInt64(text.count), extra, UInt64(extra.count), nil,
                    nonce, key)
            }
        }
    }

    /// Decrypts `bytes[text]`, whose tag stands behind it, where it lies; false when it was not sealed so.
    package static func open(
        _ bytes: inout [UInt8], text: Range<Int>, nonce: [UInt8], authenticating extra: [UInt8], with key: SecretBytes
    ) -> Bool {
        guard nonce.count == nonceBytes, text.upperBound + tagBytes <= bytes.count else { return false }
        return bytes.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return false }
            let message = base + text.lowerBound
            return key.withBytes { key in
                crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
                    message, nil, message, UInt64(text.count), base + text.upperBound, extra, UInt64(extra.count),
                    nonce, key)
            } == 0
        }
    }
}
