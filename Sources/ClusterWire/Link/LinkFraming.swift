internal import ClusterMessages
internal import NIOCore
internal import SwiftProtobuf

/// How the caller of a link begins, where one of gRPC's sends the preface of HTTP/2 (RFC 9113 §3.4).
enum LinkPreface {
    static let bytes = Array("SWARM/1\n".utf8)
}

/// Frames behind their lengths: 32 bits, big endian.
final class LinkFrameDecoder: NIOSingleStepByteToMessageDecoder {
    typealias InboundOut = WireLinkFrame

    /// Bytes of a frame.
    var limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func decode(buffer: inout ByteBuffer) throws -> WireLinkFrame? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return nil }
        guard length <= limit else { throw LinkFramingError.tooLong(Int(length), limit: limit) }
        guard buffer.readableBytes >= Int(length) + 4 else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        let bytes = buffer.readBytes(length: Int(length)) ?? []
        return try WireLinkFrame(serializedBytes: bytes)
    }

    func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> WireLinkFrame? {
        try decode(buffer: &buffer)
    }
}

enum LinkFramingError: Error, CustomStringConvertible {
    case tooLong(Int, limit: Int)

    var description: String {
        switch self {
        case .tooLong(let bytes, let limit): "a frame of \(bytes) bytes, the limit is \(limit)"
        }
    }
}

extension WireLinkFrame {
    func write(to buffer: inout ByteBuffer) throws {
        let bytes: [UInt8] = try serializedBytes()
        buffer.writeInteger(UInt32(bytes.count))
        buffer.writeBytes(bytes)
    }
}

extension IdleStateHandler {
    static func ofLinks() -> IdleStateHandler {
        IdleStateHandler(readTimeout: .init(WireLimits.linkSilence), writeTimeout: .init(WireLimits.linkRest))
    }
}
