import Primitives
import Sealing
import Testing

@testable import OverlayProtocol

/// The published vector for Noise_IK_25519_ChaChaPoly_SHA256 of the cacophony project's set, which other
/// implementations of Noise check themselves against too.
private enum Vector {
    static let prologue = bytes(hex: "4a6f686e2047616c74")
    static let initiatorStatic = bytes(hex: "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1")
    static let initiatorEphemeral = bytes(hex: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a")
    static let responderStatic = bytes(hex: "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893")
    static let responderEphemeral = bytes(hex: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b")
    static let responderPublic = bytes(hex: "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62")
    /// The set's "handshake_hash" is the transcript's after the first message.
    static let hashAfterFirst = bytes(hex: "49fb1c059808ceb4f40d9f0ffc65d71b6cc3b6e2d02d5db7f698137e0b068799")
    /// Not in the set: SHA-256 over the transcript above, made with another program.
    static let finalHash = bytes(hex: "0b0f68fb0c27e03ce9b97565995ed4838cc0581b762ef72b062f6a546419fad7")
    static let payloads = [
        "4c756477696720766f6e204d69736573", "4d757272617920526f746862617264", "462e20412e20486179656b",
        "4361726c204d656e676572", "4a65616e2d426170746973746520536179", "457567656e2042f6686d20766f6e2042617765726b",
    ].map(bytes(hex:))
    static let messages = [
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944718da798efbcd91528520204f904b9bd"
            + "6c7413dccdc214d951e15253e39987f18146e8cd0873654207148333479d4d16c289f0294b29960a72f48e0b7bba2e89"
            + "083169825e59642148d492020664ccf7",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088435361e70b2ed446e6c9ec387d1d6b3b84"
            + "0f194e373979d241b203c4acafccf5",
        "050e9f3c8fac16b68dbce8f8c4bfbf6617c897f9ada4aa29aa19c8",
        "344233a6cabb7141d80f3da2fedc311d9646bbb0f505afe403a667",
        "62cdeeb172ad7ade7aa7d9e069da5790f12331bfa00177787a1d0810c67dc3b2b4",
        "029bead1b40992327044d409d9a1f3ad8f36c3c452775d557e18bbeb2e8dfcead32d514024",
    ].map(bytes(hex:))
}

private func keyPair(_ secret: [UInt8]) throws -> KeyPair { try #require(KeyPair(secretBytes: secret)) }

private func sealed(_ payload: [UInt8], _ key: SecretBytes, counter: UInt64) throws -> [UInt8] {
    let cipher = try #require(CipherKey(.chaCha20Poly1305, key: key))
    var output = payload + [UInt8](repeating: 0, count: 16)
    let done = output.withUnsafeMutableBytes { buffer in
        guard let base = buffer.baseAddress else { return false }
        return cipher.seal(
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<payload.count]), tag: base + payload.count,
            counter: counter, authenticating: UnsafeRawBufferPointer(start: nil, count: 0))
    }
    #expect(done)
    return output
}

@Suite struct NoiseIKTests {
    @Test func publishedVectorIsReproducedByBothSides() throws {
        let responder = try keyPair(Vector.responderStatic)
        #expect(responder.publicKey.bytes == Vector.responderPublic)
        let (first, awaiting) = try NoiseIK.initiate(
            prologue: Vector.prologue, local: keyPair(Vector.initiatorStatic), remote: responder.publicKey,
            ephemeral: keyPair(Vector.initiatorEphemeral), payload: Vector.payloads[0])
        #expect(first == Vector.messages[0])
        let received = try NoiseIK.receive(prologue: Vector.prologue, local: responder, message: first)
        #expect(received.payload == Vector.payloads[0])
        #expect(received.remoteStatic == (try keyPair(Vector.initiatorStatic)).publicKey)
        let (second, responderKeys) = try received.respond(
            ephemeral: keyPair(Vector.responderEphemeral), payload: Vector.payloads[1])
        #expect(second == Vector.messages[1])
        let (payload, initiatorKeys) = try awaiting.finish(message: second)
        #expect(payload == Vector.payloads[1])
        #expect(awaiting.handshakeHash == Vector.hashAfterFirst)
        #expect(initiatorKeys.handshakeHash == Vector.finalHash)
        #expect(responderKeys.handshakeHash == Vector.finalHash)
        for (index, counter) in [(2, UInt64(0)), (4, 1)] {
            let message = try sealed(Vector.payloads[index], initiatorKeys.initiatorToResponder, counter: counter)
            #expect(message == Vector.messages[index])
        }
        for (index, counter) in [(3, UInt64(0)), (5, 1)] {
            let message = try sealed(Vector.payloads[index], responderKeys.responderToInitiator, counter: counter)
            #expect(message == Vector.messages[index])
        }
    }

    @Test func everyTamperedByteOfEitherMessageIsRefused() throws {
        let responder = try keyPair(Vector.responderStatic)
        let (first, awaiting) = try NoiseIK.initiate(
            prologue: Vector.prologue, local: keyPair(Vector.initiatorStatic), remote: responder.publicKey,
            ephemeral: keyPair(Vector.initiatorEphemeral), payload: Vector.payloads[0])
        for index in first.indices {
            var tampered = first
            tampered[index] ^= 0x04
            #expect(throws: HandshakeError.self) {
                try NoiseIK.receive(prologue: Vector.prologue, local: responder, message: tampered)
            }
        }
        let received = try NoiseIK.receive(prologue: Vector.prologue, local: responder, message: first)
        let (second, _) = try received.respond(
            ephemeral: keyPair(Vector.responderEphemeral), payload: Vector.payloads[1])
        for index in second.indices {
            var tampered = second
            tampered[index] ^= 0x04
            #expect(throws: HandshakeError.self) { try awaiting.finish(message: tampered) }
        }
        for length in 0..<first.count {
            #expect(throws: HandshakeError.self) {
                try NoiseIK.receive(prologue: Vector.prologue, local: responder, message: Array(first[..<length]))
            }
        }
    }

    @Test func anotherPrologueOrResponderCannotRead() throws {
        let responder = try keyPair(Vector.responderStatic)
        let (first, _) = try NoiseIK.initiate(
            prologue: Vector.prologue, local: keyPair(Vector.initiatorStatic), remote: responder.publicKey,
            ephemeral: keyPair(Vector.initiatorEphemeral), payload: [])
        #expect(throws: HandshakeError.authenticationFailed) {
            try NoiseIK.receive(prologue: Vector.prologue + [0], local: responder, message: first)
        }
        #expect(throws: HandshakeError.authenticationFailed) {
            try NoiseIK.receive(
                prologue: Vector.prologue, local: keyPair(Vector.responderEphemeral), message: first)
        }
    }

    @Test func aKeyOfSmallOrderIsRefused() throws {
        let zero = try #require(PublicKey(bytes: [UInt8](repeating: 0, count: 32)))
        #expect(throws: HandshakeError.badKeyAgreement) {
            try NoiseIK.initiate(
                prologue: [], local: keyPair(Vector.initiatorStatic), remote: zero,
                ephemeral: keyPair(Vector.initiatorEphemeral), payload: [])
        }
    }
}

@Suite struct CipherKeyTests {
    @Test(arguments: CipherSuite.allCases)
    func inPlaceSealingOpensAtEveryLengthAndCounter(suite: CipherSuite) throws {
        var random = SeededRandom(seed: 3)
        let secret = SecretBytes(using: &random)
        guard suite == .chaCha20Poly1305 || Sodium.hasHardwareAES else { return }
        let key = try #require(CipherKey(suite, key: secret))
        let header: [UInt8] = [1, 2, 3]
        for length in Array(0...300) + [1_400, 1_458, 8_900, 65_000] {
            let plain = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) }
            let counter = UInt64(length) << 24 | 5
            var buffer = plain + [UInt8](repeating: 0, count: 16)
            let result = buffer.withUnsafeMutableBytes { memory -> (Bool, Bool, Bool) in
                header.withUnsafeBytes { header in
                    guard let base = memory.baseAddress else { return (false, false, false) }
                    let text = UnsafeMutableRawBufferPointer(rebasing: memory[..<length])
                    let sealed = key.seal(text, tag: base + length, counter: counter, authenticating: header)
                    let hidden = length < 16 || !text.elementsEqual(plain)
                    let opened = key.open(
                        text, tag: UnsafeRawPointer(base + length), counter: counter, authenticating: header)
                    return (sealed, hidden, opened)
                }
            }
            #expect(result == (true, true, true), "length \(length)")
            #expect(Array(buffer[..<length]) == plain, "length \(length)")
        }
    }

    /// AES-256-GCM test case 14 of the GCM specification (McGrew and Viega): zero key, zero nonce, one zero block.
    @Test func publishedAESVectorIsReproduced() throws {
        guard Sodium.hasHardwareAES else { return }
        let key = try #require(CipherKey(.aes256GCM, key: SecretBytes(copying: [UInt8](repeating: 0, count: 32))))
        var buffer = [UInt8](repeating: 0, count: 32)
        let sealed = buffer.withUnsafeMutableBytes { memory in
            guard let base = memory.baseAddress else { return false }
            return key.seal(
                UnsafeMutableRawBufferPointer(rebasing: memory[..<16]), tag: base + 16, counter: 0,
                authenticating: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        #expect(sealed)
        #expect(buffer == bytes(hex: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"))
    }
}
