/// Versions and bounds of what is stored and sent.
public enum MessageLimits {
    /// The newest format of a transaction that this program reads, and the one that it writes.
    public static let transactionFormatVersion: UInt8 = 1
    /// Likewise of a single object.
    public static let objectFormatVersion: UInt8 = 1
    /// Likewise of a snapshot.
    public static let snapshotFormatVersion: UInt32 = 1
    /// A record of a snapshot above this is damage: the largest object is a transaction's size (1.5 MiB) at most.
    public static let snapshotRecordBytes = 8 << 20
    /// Records are gathered into one piece up to about this size.
    public static let snapshotBatchBytes = 64 << 10
    /// Of an id on the wire.
    public static let identifierBytes = 16
}
