import CSodium
import Sealing

/// The ciphers a session can use; the numbers stand in handshakes.
public enum CipherSuite: UInt8, Hashable, Sendable, CaseIterable {
    case chaCha20Poly1305 = 1
    case aes256GCM = 2

    var offerBit: UInt8 { 1 << (rawValue - 1) }
}

/// A key made ready for one cipher: in-place AEAD with a counter for a nonce (Noise, section 12).
// @unchecked: both memories are written in `init` only and read afterwards; libsodium takes them as const.
final class CipherKey: @unchecked Sendable {
    private enum Engine {
        case chaCha(SecretBytes)
        /// The round keys, expanded once; 16-byte aligned.
        case aes(UnsafeMutablePointer<crypto_aead_aes256gcm_state>)
    }

    private let engine: Engine

    /// Nil when this processor cannot do `suite`.
    init?(_ suite: CipherSuite, key: SecretBytes) {
        guard Sodium.isReady else { return nil }
        switch suite {
        case .chaCha20Poly1305:
            engine = .chaCha(key)
        case .aes256GCM:
            guard Sodium.hasHardwareAES else { return nil }
            let memory = UnsafeMutableRawPointer.allocate(byteCount: crypto_aead_aes256gcm_statebytes(), alignment: 16)
            let state = memory.bindMemory(to: crypto_aead_aes256gcm_state.self, capacity: 1)
            _ = key.withBytes { crypto_aead_aes256gcm_beforenm(state, $0) }
            engine = .aes(state)
        }
    }

    deinit {
        if case .aes(let state) = engine {
            sodium_memzero(state, crypto_aead_aes256gcm_statebytes())
            UnsafeMutableRawPointer(state).deallocate()
        }
    }

    /// Encrypts `message`, which may be empty but not nil, where it lies and writes 16 bytes at `tag`.
    ///
    /// The caller never uses a counter twice with one key. False: nothing usable was written.
    func seal(
        _ message: UnsafeMutableRawBufferPointer, tag: UnsafeMutableRawPointer, counter: UInt64,
        authenticating header: UnsafeRawBufferPointer
    ) -> Bool {
        guard let text = message.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
        let mac = tag.assumingMemoryBound(to: UInt8.self)
        let extra = header.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let length = UInt64(message.count)
        let extraLength = UInt64(header.count)
        return withNonce(counter) { nonce in
            switch engine {
            case .aes(let state):
                crypto_aead_aes256gcm_encrypt_detached_afternm(
                    text, mac, nil, text, length, extra, extraLength, nil, nonce, state)
            case .chaCha(let key):
                key.withBytes {
                    crypto_aead_chacha20poly1305_ietf_encrypt_detached(
                        text, mac, nil, text, length, extra, extraLength, nil, nonce, $0)
                }
            }
        } == 0
    }

    /// Decrypts `message` where it lies; false when it was not sealed so, and then its content is undefined.
    func open(
        _ message: UnsafeMutableRawBufferPointer, tag: UnsafeRawPointer, counter: UInt64,
        authenticating header: UnsafeRawBufferPointer
    ) -> Bool {
        guard let text = message.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
        let mac = tag.assumingMemoryBound(to: UInt8.self)
        let extra = header.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let length = UInt64(message.count)
        let extraLength = UInt64(header.count)
        return withNonce(counter) { nonce in
            switch engine {
            case .aes(let state):
                crypto_aead_aes256gcm_decrypt_detached_afternm(
                    text, nil, text, length, mac, extra, extraLength, nonce, state)
            case .chaCha(let key):
                key.withBytes {
                    crypto_aead_chacha20poly1305_ietf_decrypt_detached(
                        text, nil, text, length, mac, extra, extraLength, nonce, $0)
                }
            }
        } == 0
    }

    /// Four zero bytes and the counter: big-endian for AES-GCM, little-endian for ChaCha20 (Noise, section 12).
    @inline(__always)
    private func withNonce(_ counter: UInt64, _ body: (UnsafePointer<UInt8>) -> Int32) -> Int32 {
        let ordered = if case .aes = engine { counter.bigEndian } else { counter.littleEndian }
        let words = (
            UInt32(0), UInt32(truncatingIfNeeded: ordered), UInt32(truncatingIfNeeded: ordered >> 32)
        )
        return withUnsafeBytes(of: words) { bytes in
            guard let base = bytes.baseAddress else { return -1 }
            return body(base.assumingMemoryBound(to: UInt8.self))
        }
    }
}
