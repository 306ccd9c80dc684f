public enum LogLimits {
    /// Room that a segment is made with; a batch that does not fit begins the next one.
    public static let segmentBytes = 8 << 20
    /// What a snapshot is sealed, written and read in: the memory that this takes, whatever the snapshot's size.
    public static let snapshotChunkBytes = 256 << 10
    /// Of a snapshot that is written, in one fdatasync.
    static let snapshotSyncBytes = 4 << 20
    /// A chunk above it is damage, not data.
    static let largestSnapshotChunkBytes = 64 << 20
    /// A batch above it is damage, not data.
    static let batchBytes = 1 << 30
    /// Voters, outgoing voters or learners of one membership; more is damage.
    static let members = 10_000
    /// What is said of a snapshot beside its bytes; more is damage.
    static let snapshotMetadataBytes = 1 << 20
    /// Of what tells keys apart.
    static let fingerprintBytes = 16
    static let formatVersion: UInt16 = 3
}
