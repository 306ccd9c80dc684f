import CSodium
import ClusterModel
import Primitives

/// The keyed code at an initiation's end, the `mac1` of the WireGuard paper (section 5.4.4).
///
/// Its key is made of the responder's public key, which is never sent and which only members have been told. So a
/// datagram by anybody else, forged or damaged, costs one hash and nothing that the members' handshakes need. It is
/// no proof of who has sent it: that is the Noise message's part.
struct HandshakeCode: Sendable {
    private let key: [UInt8]

    init(cluster: ClusterID, responder: PublicKey) {
        let input =
            Array("swarm overlay handshake code".utf8) + HandshakeMessage.bytes(of: cluster.value) + responder.bytes
        key = HandshakeCode.hash(input, bytes: OverlayLimits.keyBytes, key: [])
    }

    /// The code of an initiation without its code.
    func code(of message: some Collection<UInt8>) -> [UInt8] {
        HandshakeCode.hash(Array(message), bytes: OverlayLimits.codeBytes, key: key)
    }

    /// Whether a whole initiation ends in its code.
    func isValid(_ datagram: [UInt8]) -> Bool {
        guard datagram.count > OverlayLimits.codeBytes else { return false }
        let expected = code(of: datagram.dropLast(OverlayLimits.codeBytes))
        return sodium_memcmp(expected, Array(datagram.suffix(OverlayLimits.codeBytes)), OverlayLimits.codeBytes) == 0
    }

    /// BLAKE2b (RFC 7693), whose keyed form is a code.
    private static func hash(_ input: [UInt8], bytes: Int, key: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: bytes)
        crypto_generichash(&output, bytes, input, UInt64(input.count), key, key.count)
        return output
    }
}
