public import ClusterState
import Consensus
public import DurableLog
public import Primitives

/// A cluster's state as a backup, and back.
public enum ClusterBackup {
    /// The state, sealed, as pieces of a file that are made as they are asked for.
    public static func sealed(
        _ tables: ClusterTables, with sealing: LogSealing
    ) throws(Failure) -> some Sequence<[UInt8]> & Sendable {
        // A backup is of no term, and whoever takes it over begins with a membership of its own.
        let pieces = Snapshot.pieces(tables, SnapshotMetadata(index: tables.index))
        return SealedPieces(pieces: pieces, sealer: try BackupSealer(sealing))
    }

    /// Reads a backup from pieces of any size, as they come.
    public struct Reader: Sendable {
        private var opener: BackupOpener
        private var loader = Snapshot.Loader()

        /// - Throws: ``Failure`` when libsodium cannot be used.
        public init(key: LogKey) throws(Failure) {
            opener = try BackupOpener(key: key)
        }

        /// - Throws: ``Failure``: `invalidArgument` for what is no backup, `unauthenticated` for a wrong key, `dataLoss` for
        ///   damage.
        public mutating func append(_ bytes: some Sequence<UInt8>) throws(Failure) {
            try load(try opener.append(bytes))
        }

        /// The state, once nothing of it is missing.
        public mutating func finish() throws(Failure) -> ClusterTables {
            try load(try opener.finish())
            do {
                return try loader.finish()
            } catch { throw Reader.unreadable(error) }
        }

        private mutating func load(_ opened: [UInt8]) throws(Failure) {
            do {
                try loader.append(opened)
            } catch { throw Reader.unreadable(error) }
        }

        private static func unreadable(_ error: any Error) -> Failure {
            Failure(.dataLoss, "the backup holds no state that this swarmd reads: \(error)")
        }
    }
}

/// The pieces of a snapshot, sealed one after the other.
struct SealedPieces<Pieces: Sequence<[UInt8]> & Sendable>: Sequence, Sendable {
    let pieces: Pieces
    let sealer: BackupSealer

    struct Iterator: IteratorProtocol {
        var pieces: Pieces.Iterator
        var sealer: BackupSealer
        var isAtEnd = false

        mutating func next() -> [UInt8]? {
            while let piece = pieces.next() {
                let sealed = sealer.append(piece)
                if !sealed.isEmpty { return sealed }
            }
            if isAtEnd { return nil }
            isAtEnd = true
            return sealer.finish()
        }
    }

    func makeIterator() -> Iterator { Iterator(pieces: pieces.makeIterator(), sealer: sealer) }
}
