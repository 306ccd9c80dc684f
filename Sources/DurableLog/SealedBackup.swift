public import Primitives
import Sealing

/// What a backup begins with, in the clear. Its key follows from all of it.
private struct BackupHeader {
    private static let magic: [UInt8] = Array("SWRMBKP\n".utf8)
    private static let version: UInt16 = 1
    static let bytes = 8 + 2 + 16 + 4 + LogLimits.fingerprintBytes

    var salt: UInt128
    var chunkBytes: Int
    var fingerprint: [UInt8]

    var encoded: [UInt8] {
        var writer = ByteWriter(reserving: BackupHeader.bytes)
        writer.write(bytes: BackupHeader.magic)
        writer.write(BackupHeader.version)
        writer.write(salt)
        writer.write(UInt32(chunkBytes))
        writer.write(bytes: fingerprint)
        return writer.bytes
    }

    init(_ sealing: LogSealing) {
        salt = sealing.salt
        chunkBytes = LogLimits.snapshotChunkBytes
        fingerprint = sealing.key.fingerprint
    }

    /// - Throws: ``Failure``: `invalidArgument` for what is no backup, `unauthenticated` for another key's.
    init(_ bytes: ArraySlice<UInt8>, key: LogKey) throws(Failure) {
        do throws(DecodeError) {
            var reader = ByteReader(bytes)
            guard try reader.readBytes(8).elementsEqual(BackupHeader.magic) else {
                throw DecodeError("no backup", offset: 0)
            }
            let version = try reader.readUInt16()
            salt = try reader.readUInt128()
            chunkBytes = Int(try reader.readUInt32())
            fingerprint = Array(try reader.readBytes(LogLimits.fingerprintBytes))
            guard version == BackupHeader.version else {
                throw DecodeError("format version \(version), and this swarmd reads \(BackupHeader.version)", offset: 8)
            }
            guard (1...LogLimits.largestSnapshotChunkBytes).contains(chunkBytes) else {
                throw DecodeError("chunks of \(chunkBytes) bytes", offset: 26)
            }
        } catch { throw Failure(.invalidArgument, "this is not a backup of a cluster that can be read: \(error)") }
        guard fingerprint == key.fingerprint else {
            throw Failure(
                .unauthenticated,
                "invalid key: the backup is sealed with another one, which was printed when it was made, or was the unlock "
                    + "key of that day")
        }
    }

    func key(of key: LogKey) -> SecretBytes { key.derived(for: "swarm backup", encoded) }
}

/// Seals a state for keeping elsewhere, in chunks, as it comes: none of it can be left out, moved or cut off.
public struct BackupSealer: Sendable {
    private let header: BackupHeader
    private var sealer: ChunkSealer
    private var isBegun = false

    /// - Throws: ``Failure`` when libsodium cannot be used.
    public init(_ sealing: LogSealing) throws(Failure) {
        guard Seal.isReady else { throw Failure(.internal, "libsodium cannot be used on this machine") }
        header = BackupHeader(sealing)
        sealer = ChunkSealer(
            stream: SnapshotStream(key: header.key(of: sealing.key)), chunkBytes: header.chunkBytes)
    }

    /// The bytes of the file that follow from `piece`; possibly none.
    public mutating func append(_ piece: [UInt8]) -> [UInt8] { begin() + sealer.append(piece) }

    public mutating func finish() -> [UInt8] { begin() + sealer.finish() }

    private mutating func begin() -> [UInt8] {
        defer { isBegun = true }
        return isBegun ? [] : header.encoded
    }
}

/// Opens what ``BackupSealer`` sealed, from pieces of any size.
public struct BackupOpener: Sendable {
    private let key: LogKey
    private var opened: (header: BackupHeader, stream: SnapshotStream)?
    private var pending: [UInt8] = []

    /// - Throws: ``Failure`` when libsodium cannot be used.
    public init(key: LogKey) throws(Failure) {
        guard Seal.isReady else { throw Failure(.internal, "libsodium cannot be used on this machine") }
        self.key = key
    }

    /// What is known of the state after these bytes; that nothing is missing is known at the end only.
    ///
    /// - Throws: ``Failure``: `invalidArgument` for what is no backup, `unauthenticated` for a wrong key, `dataLoss` for
    ///   damage.
    public mutating func append(_ bytes: some Sequence<UInt8>) throws(Failure) -> [UInt8] {
        pending += bytes
        if opened == nil {
            guard pending.count >= BackupHeader.bytes else { return [] }
            let header = try BackupHeader(pending[..<BackupHeader.bytes], key: key)
            opened = (header, SnapshotStream(key: header.key(of: key)))
            pending.removeFirst(BackupHeader.bytes)
        }
        guard let header = opened?.header else { return [] }
        let whole = header.chunkBytes + SnapshotStream.overhead
        var text: [UInt8] = []
        var start = 0
        while pending.count - start > whole {
            text += try open(Array(pending[start..<start + whole]), isLast: false)
            start += whole
        }
        pending.removeFirst(start)
        return text
    }

    public mutating func finish() throws(Failure) -> [UInt8] {
        guard opened != nil else {
            throw Failure(.invalidArgument, "this is not a backup of a cluster: it has \(pending.count) bytes")
        }
        return try open(pending, isLast: true)
    }

    private mutating func open(_ sealed: [UInt8], isLast: Bool) throws(Failure) -> [UInt8] {
        guard case .chunk(let text)? = opened?.stream.open(sealed, isLast: isLast) else {
            throw Failure(.dataLoss, "the backup is damaged or cut short: take another one; nothing was changed")
        }
        return text
    }
}
