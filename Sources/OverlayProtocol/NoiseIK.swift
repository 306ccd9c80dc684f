import CSodium
import Sealing

/// Why a handshake message was refused.
public enum HandshakeError: Error, Hashable, Sendable {
    case wrongLength
    /// X25519 gave all zeroes: the other side's key is of small order (RFC 7748 section 6.1).
    case badKeyAgreement
    /// Not sealed with the keys, prologue or order that this side has.
    case authenticationFailed
    /// Payload of a version, cipher or form that this side does not know.
    case unknownPayload
    case cryptographyUnavailable
}

/// `Noise_IK_25519_ChaChaPoly_SHA256` (Noise Protocol Framework, revision 34): `-> e, es, s, ss; <- e, ee, se`.
///
/// Each step is a value made only by the step before, so messages cannot come out of order.
enum NoiseIK {
    /// What both sides share at the end: one key a direction.
    struct TransportKeys {
        let initiatorToResponder: SecretBytes
        let responderToInitiator: SecretBytes
        let handshakeHash: [UInt8]
    }

    /// The initiator after its message.
    struct AwaitingResponse: Sendable {
        fileprivate let symmetric: SymmetricState
        fileprivate let local: KeyPair
        fileprivate let ephemeral: KeyPair

        /// The transcript's hash so far.
        var handshakeHash: [UInt8] { symmetric.hash }
    }

    /// The responder after the initiator's message, which is authentic.
    struct Received {
        let remoteStatic: PublicKey
        let payload: [UInt8]
        fileprivate let symmetric: SymmetricState
        fileprivate let remoteEphemeral: PublicKey
    }

    static func initiate(
        prologue: [UInt8], local: KeyPair, remote: PublicKey, ephemeral: KeyPair, payload: [UInt8]
    ) throws(HandshakeError) -> (message: [UInt8], next: AwaitingResponse) {
        var symmetric = SymmetricState(prologue: prologue, responder: remote)
        var message = ephemeral.publicKey.bytes
        symmetric.mixHash(message)
        try symmetric.mixKey(agree(ephemeral, remote))
        message += try symmetric.encryptAndHash(local.publicKey.bytes)
        try symmetric.mixKey(agree(local, remote))
        message += try symmetric.encryptAndHash(payload)
        return (message, AwaitingResponse(symmetric: symmetric, local: local, ephemeral: ephemeral))
    }

    static func receive(
        prologue: [UInt8], local: KeyPair, message: [UInt8]
    ) throws(HandshakeError) -> Received {
        guard message.count >= 32 + 48 + 16, let remoteEphemeral = PublicKey(bytes: message[..<32]) else {
            throw .wrongLength
        }
        var symmetric = SymmetricState(prologue: prologue, responder: local.publicKey)
        symmetric.mixHash(remoteEphemeral.bytes)
        try symmetric.mixKey(agree(local, remoteEphemeral))
        guard let remoteStatic = PublicKey(bytes: try symmetric.decryptAndHash(message[32..<80])) else {
            throw .wrongLength
        }
        try symmetric.mixKey(agree(local, remoteStatic))
        let payload = try symmetric.decryptAndHash(message[80...])
        return Received(
            remoteStatic: remoteStatic, payload: payload, symmetric: symmetric, remoteEphemeral: remoteEphemeral)
    }

    fileprivate static func agree(_ local: KeyPair, _ remote: PublicKey) throws(HandshakeError) -> SecretBytes {
        try SecretBytes { (output) throws(HandshakeError) in
            let status = local.secret.withBytes { crypto_scalarmult(output, $0, remote.bytes) }
            guard status == 0 else { throw .badKeyAgreement }
        }
    }
}

extension NoiseIK.Received {
    func respond(
        ephemeral: KeyPair, payload: [UInt8]
    ) throws(HandshakeError) -> (message: [UInt8], keys: NoiseIK.TransportKeys) {
        var symmetric = symmetric
        var message = ephemeral.publicKey.bytes
        symmetric.mixHash(message)
        try symmetric.mixKey(NoiseIK.agree(ephemeral, remoteEphemeral))
        try symmetric.mixKey(NoiseIK.agree(ephemeral, remoteStatic))
        message += try symmetric.encryptAndHash(payload)
        return (message, symmetric.split())
    }
}

extension NoiseIK.AwaitingResponse {
    func finish(message: [UInt8]) throws(HandshakeError) -> (payload: [UInt8], keys: NoiseIK.TransportKeys) {
        guard message.count >= 32 + 16, let remoteEphemeral = PublicKey(bytes: message[..<32]) else {
            throw .wrongLength
        }
        var symmetric = symmetric
        symmetric.mixHash(remoteEphemeral.bytes)
        try symmetric.mixKey(NoiseIK.agree(ephemeral, remoteEphemeral))
        try symmetric.mixKey(NoiseIK.agree(local, remoteEphemeral))
        let payload = try symmetric.decryptAndHash(message[32...])
        return (payload, symmetric.split())
    }
}

/// The SymmetricState of the Noise specification, section 5.2.
private struct SymmetricState: Sendable {
    /// 32 bytes long, as a SHA-256 hash is, so it is the first hash itself.
    private static let protocolName = Array("Noise_IK_25519_ChaChaPoly_SHA256".utf8)

    private(set) var hash: [UInt8]
    private var chainingKey: SecretBytes
    private var cipher: CipherKey?
    private var nonce: UInt64 = 0

    init(prologue: [UInt8], responder: PublicKey) {
        hash = SymmetricState.protocolName
        chainingKey = SecretBytes(copying: SymmetricState.protocolName)
        mixHash(prologue)
        mixHash(responder.bytes)
    }

    mutating func mixHash(_ data: some Collection<UInt8>) {
        let input = hash + data
        crypto_hash_sha256(&hash, input, UInt64(input.count))
    }

    mutating func mixKey(_ input: SecretBytes) throws(HandshakeError) {
        let (first, second) = SymmetricState.hkdf(chainingKey, input)
        chainingKey = first
        guard let key = CipherKey(.chaCha20Poly1305, key: second) else { throw .cryptographyUnavailable }
        cipher = key
        nonce = 0
    }

    mutating func encryptAndHash(_ plaintext: [UInt8]) throws(HandshakeError) -> [UInt8] {
        guard let cipher else { throw .cryptographyUnavailable }
        var output = plaintext + [UInt8](repeating: 0, count: OverlayLimits.tagBytes)
        let sealed = output.withUnsafeMutableBytes { buffer in
            hash.withUnsafeBytes { header in
                guard let base = buffer.baseAddress else { return false }
                let text = UnsafeMutableRawBufferPointer(rebasing: buffer[..<plaintext.count])
                return cipher.seal(text, tag: base + plaintext.count, counter: nonce, authenticating: header)
            }
        }
        guard sealed else { throw .cryptographyUnavailable }
        nonce += 1
        mixHash(output)
        return output
    }

    mutating func decryptAndHash(_ ciphertext: ArraySlice<UInt8>) throws(HandshakeError) -> [UInt8] {
        guard let cipher else { throw .cryptographyUnavailable }
        let length = ciphertext.count - OverlayLimits.tagBytes
        guard length >= 0 else { throw .wrongLength }
        var text = Array(ciphertext)
        let opened = text.withUnsafeMutableBytes { buffer in
            hash.withUnsafeBytes { header in
                guard let base = buffer.baseAddress else { return false }
                let text = UnsafeMutableRawBufferPointer(rebasing: buffer[..<length])
                return cipher.open(text, tag: UnsafeRawPointer(base + length), counter: nonce, authenticating: header)
            }
        }
        guard opened else { throw .authenticationFailed }
        nonce += 1
        mixHash(ciphertext)
        return Array(text[..<length])
    }

    func split() -> NoiseIK.TransportKeys {
        let (first, second) = SymmetricState.hkdf(chainingKey, nil)
        return NoiseIK.TransportKeys(
            initiatorToResponder: first, responderToInitiator: second, handshakeHash: hash)
    }

    /// HKDF with two outputs (section 4.3); nil stands for an input of no bytes.
    private static func hkdf(_ chainingKey: SecretBytes, _ input: SecretBytes?) -> (SecretBytes, SecretBytes) {
        let temporary = hmac(key: chainingKey, input, suffix: nil)
        let first = hmac(key: temporary, nil, suffix: 1)
        let second = hmac(key: temporary, first, suffix: 2)
        return (first, second)
    }

    private static func hmac(key: SecretBytes, _ input: SecretBytes?, suffix: UInt8?) -> SecretBytes {
        var state = crypto_auth_hmacsha256_state()
        defer { sodium_memzero(&state, MemoryLayout<crypto_auth_hmacsha256_state>.size) }
        _ = key.withBytes { crypto_auth_hmacsha256_init(&state, $0, OverlayLimits.keyBytes) }
        _ = input?.withBytes { crypto_auth_hmacsha256_update(&state, $0, UInt64(OverlayLimits.keyBytes)) }
        if var suffix { crypto_auth_hmacsha256_update(&state, &suffix, 1) }
        return SecretBytes { _ = crypto_auth_hmacsha256_final(&state, $0) }
    }
}
