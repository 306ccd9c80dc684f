import Primitives
import Sealing

/// With what one opening of a log seals what it writes.
///
/// Nonces begin with the salt and count up, so two openings with one salt would use nonces twice: a torn tail is cut, and
/// another batch of the same number takes its place.
public struct LogSealing: Sendable {
    let key: LogKey
    let salt: UInt128

    /// - Parameter salt: random bits that no other opening has had; need not be secret.
    public init(key: LogKey, salt: UInt128) {
        self.key = key
        self.salt = salt
    }
}

/// The keys of one opening, and the count of what they have sealed.
struct LogSealer: Sendable {
    let key: LogKey
    let salt: UInt128
    let fingerprint: [UInt8]
    let batchKey: SecretBytes
    private var batches: UInt64 = 0
    private var snapshots: UInt64 = 0

    /// - Throws: ``Failure`` when libsodium cannot be used.
    init(_ sealing: LogSealing) throws(Failure) {
        guard Seal.isReady else {
            throw Failure(.internal, "libsodium cannot be used on this machine: the log cannot be sealed or opened")
        }
        key = sealing.key
        salt = sealing.salt
        fingerprint = key.fingerprint
        batchKey = key.derived(for: "swarm log batches")
    }

    /// Of the next batch. Never the same again, whatever becomes of the batch.
    mutating func nextNonce() -> [UInt8] {
        batches += 1
        var writer = ByteWriter(reserving: Seal.nonceBytes)
        writer.write(salt)
        writer.write(batches)
        return writer.bytes
    }

    /// Of the next snapshot, whose key follows from it.
    mutating func nextSnapshotNumber() -> UInt64 {
        snapshots += 1
        return snapshots
    }
}

extension ByteWriter {
    mutating func write(_ value: UInt128) {
        write(UInt64(truncatingIfNeeded: value >> 64))
        write(UInt64(truncatingIfNeeded: value))
    }
}

extension ByteReader {
    mutating func readUInt128() throws(DecodeError) -> UInt128 {
        let high = try readUInt64()
        return UInt128(high) << 64 | UInt128(try readUInt64())
    }
}
