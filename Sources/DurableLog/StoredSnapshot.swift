import Primitives

/// A snapshot as a file: index and term by which it is named, what the caller says of it, and its bytes.
public struct StoredSnapshot: Hashable, Sendable {
    public var index: UInt64
    public var term: UInt64
    public var metadata: [UInt8]
    public var bytes: [UInt8]

    public init(index: UInt64, term: UInt64, metadata: [UInt8], bytes: [UInt8]) {
        self.index = index
        self.term = term
        self.metadata = metadata
        self.bytes = bytes
    }

    private static let magic: [UInt8] = Array("SWRMSNP\n".utf8)

    /// Sorts by index.
    var name: String { "snapshot-\(hex(index))-\(hex(term))" }

    var encoded: [UInt8] {
        var writer = ByteWriter(reserving: bytes.count + metadata.count + 64)
        writer.write(bytes: StoredSnapshot.magic)
        writer.write(LogLimits.formatVersion)
        writer.write(index)
        writer.write(term)
        writer.writePrefixed(bytes: metadata)
        writer.write(UInt64(bytes.count))
        writer.write(bytes: bytes)
        writer.write(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    /// - Throws: ``Failure`` naming the file, when it is damaged or of another version.
    init(encoded: [UInt8], path: String) throws(Failure) {
        if encoded.count >= 10, encoded.starts(with: StoredSnapshot.magic) {
            try requireVersion(UInt16(encoded[8]) << 8 | UInt16(encoded[9]), path: path)
        }
        do throws(DecodeError) {
            var reader = ByteReader(encoded)
            guard Array(try reader.readBytes(8)) == StoredSnapshot.magic else {
                throw DecodeError("not a snapshot", offset: 0)
            }
            _ = try reader.readUInt16()
            index = try reader.readUInt64()
            term = try reader.readUInt64()
            metadata = Array(try reader.readPrefixedBytes(maximum: encoded.count))
            bytes = Array(try reader.readBytes(Int(clamping: try reader.readUInt64())))
            let end = reader.offset
            let checksum = try reader.readUInt32()
            guard checksum == CRC32C.checksum(encoded[..<end]) else {
                throw DecodeError("wrong checksum", offset: end)
            }
        } catch {
            throw Failure(
                .dataLoss,
                "\(path) cannot be read: \(error); restore the folder from a backup, or remove this manager from the "
                    + "cluster and let it join again with an empty folder")
        }
    }
}
