import ClusterModel
import Primitives

/// What travels inside and around the two Noise messages.
enum HandshakeMessage {
    /// Header, node id, ephemeral key, sealed static key, sealed payload; then the code of all these.
    static let initiationBytes =
        OverlayLimits.headerBytes + 16 + 32 + 48 + OverlayLimits.initiationPayloadBytes + OverlayLimits.tagBytes
        + OverlayLimits.codeBytes
    static let responseBytes =
        OverlayLimits.headerBytes + 32 + OverlayLimits.responsePayloadBytes + OverlayLimits.tagBytes

    private static let payloadVersion: UInt8 = 2

    /// Binds a handshake to the protocol, the cluster, both nodes in their roles, and the initiation's own header,
    /// so that every byte of that message is authentic although the header and the node id travel in clear.
    static func prologue(
        cluster: ClusterID, initiator: NodeID, responder: NodeID, header: [UInt8]
    ) -> [UInt8] {
        var writer = ByteWriter()
        writer.writePrefixed(string: "swarm overlay handshake")
        writer.write(bytes: bytes(of: cluster.value))
        writer.write(bytes: bytes(of: initiator.value))
        writer.write(bytes: bytes(of: responder.value))
        writer.write(bytes: header)
        return writer.bytes
    }

    static func bytes(of value: UInt128) -> [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: value >> UInt128(120 - 8 * $0)) }
    }

    static func value(of bytes: some Sequence<UInt8>) -> UInt128 {
        bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    struct Initiation {
        /// A bit for each cipher that the initiator can use.
        var offer: UInt8

        var encoded: [UInt8] {
            var writer = ByteWriter()
            writer.write(HandshakeMessage.payloadVersion)
            writer.write(offer)
            return writer.bytes
        }

        init(offer: UInt8) { self.offer = offer }

        init(_ payload: [UInt8]) throws(HandshakeError) {
            do {
                var reader = ByteReader(payload)
                guard try reader.readUInt8() == HandshakeMessage.payloadVersion else {
                    throw HandshakeError.unknownPayload
                }
                offer = try reader.readUInt8()
                guard reader.isAtEnd else { throw HandshakeError.unknownPayload }
            } catch {
                throw .unknownPayload
            }
        }
    }

    struct Response {
        var suite: CipherSuite
        var keyID: UInt32

        var encoded: [UInt8] {
            var writer = ByteWriter()
            writer.write(HandshakeMessage.payloadVersion)
            writer.write(suite.rawValue)
            writer.write(keyID)
            return writer.bytes
        }

        init(suite: CipherSuite, keyID: UInt32) {
            self.suite = suite
            self.keyID = keyID
        }

        init(_ payload: [UInt8]) throws(HandshakeError) {
            do {
                var reader = ByteReader(payload)
                guard try reader.readUInt8() == HandshakeMessage.payloadVersion,
                    let suite = CipherSuite(rawValue: try reader.readUInt8())
                else { throw HandshakeError.unknownPayload }
                self.suite = suite
                keyID = try reader.readUInt32()
                guard reader.isAtEnd else { throw HandshakeError.unknownPayload }
            } catch {
                throw .unknownPayload
            }
        }
    }
}
