import Primitives
import Sealing

/// What a snapshot's file begins with, in the clear. Its key follows from all of it: whatever is changed in it makes the
/// file unreadable.
struct SnapshotHeader: Hashable {
    private static let magic: [UInt8] = Array("SWRMSNP\n".utf8)
    static let bytes = 10 + 8 + 8 + 16 + 8 + 4 + 4 + LogLimits.fingerprintBytes + 4

    /// Sorts by index.
    static func name(index: UInt64, term: UInt64) -> String { "snapshot-\(hex(index))-\(hex(term))" }

    var index: UInt64
    var term: UInt64
    /// Of the opening that wrote it, and which one of its snapshots it is: no two files have the same key.
    var salt: UInt128
    var number: UInt64
    var metadataBytes: Int
    var chunkBytes: Int
    var fingerprint: [UInt8]

    var encoded: [UInt8] {
        var writer = ByteWriter(reserving: SnapshotHeader.bytes)
        writer.write(bytes: SnapshotHeader.magic)
        writer.write(LogLimits.formatVersion)
        writer.write(index)
        writer.write(term)
        writer.write(salt)
        writer.write(number)
        writer.write(UInt32(metadataBytes))
        writer.write(UInt32(chunkBytes))
        writer.write(bytes: fingerprint)
        writer.write(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    init(
        index: UInt64, term: UInt64, salt: UInt128, number: UInt64, metadataBytes: Int, chunkBytes: Int,
        fingerprint: [UInt8]
    ) {
        self.index = index
        self.term = term
        self.salt = salt
        self.number = number
        self.metadataBytes = metadataBytes
        self.chunkBytes = chunkBytes
        self.fingerprint = fingerprint
    }

    /// - Throws: ``Failure`` naming the file, when it is damaged, of another version or sealed with another key.
    init(_ bytes: [UInt8], fingerprint: [UInt8], path: String) throws(Failure) {
        if bytes.count >= 10, bytes.starts(with: SnapshotHeader.magic) {
            try requireVersion(UInt16(bytes[8]) << 8 | UInt16(bytes[9]), path: path)
        }
        guard bytes.count == SnapshotHeader.bytes, bytes.starts(with: SnapshotHeader.magic), hasOwnChecksum(bytes)
        else {
            throw damage(path, 0)
        }
        do throws(DecodeError) {
            var reader = ByteReader(bytes.dropFirst(10))
            index = try reader.readUInt64()
            term = try reader.readUInt64()
            salt = try reader.readUInt128()
            number = try reader.readUInt64()
            metadataBytes = Int(try reader.readUInt32())
            chunkBytes = Int(try reader.readUInt32())
            self.fingerprint = Array(try reader.readBytes(LogLimits.fingerprintBytes))
        } catch { throw damage(path, 0) }
        try requireKey(fingerprint, self.fingerprint, path: path)
        guard metadataBytes <= LogLimits.snapshotMetadataBytes,
            (1...LogLimits.largestSnapshotChunkBytes).contains(chunkBytes)
        else { throw damage(path, 0) }
    }

    func key(of key: LogKey) -> SecretBytes { key.derived(for: "swarm log snapshot", encoded) }
}

/// The chunks of one snapshot, each sealed with its number and whether it is the last (STREAM): none can be left out, moved
/// or cut off. A chunk is its ciphertext, its tag, and the CRC-32C of both.
struct SnapshotStream {
    static let overhead = Seal.tagBytes + 4

    private let key: SecretBytes
    private var number: UInt64 = 0

    init(key: SecretBytes) {
        self.key = key
    }

    private mutating func nextNonce(isLast: Bool) -> [UInt8] {
        var writer = ByteWriter(reserving: Seal.nonceBytes)
        writer.write(bytes: repeatElement(0, count: Seal.nonceBytes - 9))
        writer.write(number)
        writer.write(isLast ? 1 : 0 as UInt8)
        number += 1
        return writer.bytes
    }

    mutating func seal(_ chunk: [UInt8], isLast: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(chunk.count + SnapshotStream.overhead)
        bytes += chunk
        bytes += repeatElement(0, count: Seal.tagBytes)
        Seal.seal(&bytes, text: 0..<chunk.count, nonce: nextNonce(isLast: isLast), authenticating: [], with: key)
        var checksum = ByteWriter()
        checksum.write(CRC32C.checksum(bytes))
        bytes += checksum.bytes
        return bytes
    }

    enum Opened {
        case chunk([UInt8])
        case damaged, foreign
    }

    mutating func open(_ sealed: [UInt8], isLast: Bool) -> Opened {
        guard sealed.count >= SnapshotStream.overhead, hasOwnChecksum(sealed) else { return .damaged }
        var bytes = sealed
        let text = 0..<bytes.count - SnapshotStream.overhead
        guard Seal.open(&bytes, text: text, nonce: nextNonce(isLast: isLast), authenticating: [], with: key) else {
            return .foreign
        }
        bytes.removeLast(SnapshotStream.overhead)
        return .chunk(bytes)
    }
}

/// Makes sealed chunks of pieces of any size. No more is in memory than a piece and a chunk.
struct ChunkSealer {
    private var stream: SnapshotStream
    private let chunkBytes: Int
    private var pending: [UInt8] = []

    init(stream: SnapshotStream, chunkBytes: Int) {
        self.stream = stream
        self.chunkBytes = chunkBytes
    }

    /// The sealed bytes that follow from `piece`; possibly none.
    mutating func append(_ piece: [UInt8]) -> [UInt8] {
        pending += piece
        // The last chunk is sealed as such, so a full one waits for what follows it.
        var sealed: [UInt8] = []
        var start = 0
        while pending.count - start > chunkBytes {
            sealed += stream.seal(Array(pending[start..<start + chunkBytes]), isLast: false)
            start += chunkBytes
        }
        pending.removeFirst(start)
        return sealed
    }

    mutating func finish() -> [UInt8] { stream.seal(pending, isLast: true) }
}
