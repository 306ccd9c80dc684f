import Primitives
import Sealing

/// What stands before a batch on disk, readable without the key: so that a torn tail is told from damage.
///
/// Mark, number, size of what follows, its CRC-32C, and the CRC-32C of the header itself; then nonce, ciphertext and tag. The
/// number counts up by one from write to write, over all segments.
struct BatchHeader: Hashable {
    static let bytes = 24
    private static let mark: [UInt8] = Array("BTCH".utf8)

    var number: UInt64
    /// Of nonce, ciphertext and tag.
    var sealedBytes: Int
    var checksum: UInt32 = 0

    init(number: UInt64, sealedBytes: Int) {
        self.number = number
        self.sealedBytes = sealedBytes
    }

    /// Nil unless a whole header stands there.
    init?(_ bytes: [UInt8], at offset: Int) {
        guard offset + BatchHeader.bytes <= bytes.count, bytes[offset] == BatchHeader.mark[0],
            bytes[offset..<offset + 4].elementsEqual(BatchHeader.mark)
        else { return nil }
        var reader = ByteReader(bytes[offset + 4..<offset + BatchHeader.bytes])
        guard let number = try? reader.readUInt64(), let sealedBytes = try? reader.readUInt32(),
            let checksum = try? reader.readUInt32(), let own = try? reader.readUInt32(),
            CRC32C.checksum(bytes[offset..<offset + BatchHeader.bytes - 4]) == own
        else { return nil }
        self.number = number
        self.sealedBytes = Int(sealedBytes)
        self.checksum = checksum
    }

    /// What the seal vouches for beside the content: the segment with its number, the batch's number and size.
    fileprivate func authenticated(in segment: Segment) -> [UInt8] {
        var writer = ByteWriter(reserving: Segment.headerBytes + 12)
        writer.write(bytes: segment.header)
        writer.write(number)
        writer.write(UInt32(sealedBytes))
        return writer.bytes
    }

    fileprivate var encoded: [UInt8] {
        var writer = ByteWriter(reserving: BatchHeader.bytes)
        writer.write(bytes: BatchHeader.mark)
        writer.write(number)
        writer.write(UInt32(sealedBytes))
        writer.write(checksum)
        writer.write(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }
}

/// A batch as it stands on disk, in one array: header, nonce, content, tag.
struct SealedBatch {
    private static let contentOffset = BatchHeader.bytes + Seal.nonceBytes
    private static let overhead = contentOffset + Seal.tagBytes

    /// Plain until ``seal(number:in:with:)``.
    private(set) var bytes: [UInt8]

    /// - Throws: ``Failure`` for a batch above the limit.
    init(_ batch: LogBatch) throws(Failure) {
        bytes = SealedBatch.plain(batch.records)
        guard bytes.count <= LogLimits.batchBytes else {
            throw Failure(
                .resourceExhausted,
                "a write to the log of \(bytes.count) bytes is above the limit of \(LogLimits.batchBytes)")
        }
    }

    private static func plain(_ records: [LogRecord]) -> [UInt8] {
        let content = records.reduce(0) { $0 + $1.encodedBytes }
        var writer = ByteWriter(reserving: content + overhead)
        writer.write(bytes: repeatElement(0, count: contentOffset))
        for record in records { record.encode(into: &writer) }
        writer.write(bytes: repeatElement(0, count: Seal.tagBytes))
        return writer.bytes
    }

    mutating func seal(number: UInt64, in segment: Segment, with sealer: inout LogSealer) {
        var header = BatchHeader(number: number, sealedBytes: bytes.count - BatchHeader.bytes)
        let nonce = sealer.nextNonce()
        bytes.replaceSubrange(BatchHeader.bytes..<SealedBatch.contentOffset, with: nonce)
        Seal.seal(
            &bytes, text: SealedBatch.contentOffset..<bytes.count - Seal.tagBytes, nonce: nonce,
            authenticating: header.authenticated(in: segment), with: sealer.batchKey)
        header.checksum = CRC32C.checksum(bytes[BatchHeader.bytes...])
        bytes.replaceSubrange(..<BatchHeader.bytes, with: header.encoded)
    }

    /// The records of a batch whose checksums are right, or nil where the node's key did not seal it for this place.
    static func open(
        _ sealed: ArraySlice<UInt8>, _ header: BatchHeader, in segment: Segment, with key: SecretBytes
    ) -> [LogRecord]? {
        var bytes = Array(sealed)
        guard bytes.count >= Seal.nonceBytes + Seal.tagBytes else { return nil }
        let nonce = Array(bytes[..<Seal.nonceBytes])
        let text = Seal.nonceBytes..<bytes.count - Seal.tagBytes
        guard
            Seal.open(&bytes, text: text, nonce: nonce, authenticating: header.authenticated(in: segment), with: key)
        else { return nil }
        return try? LogRecord.all(in: bytes[text])
    }
}
