public enum LogLimits {
    /// Room that a segment is made with; a batch that does not fit begins the next one.
    public static let segmentBytes = 8 << 20
    /// A record above it is damage, not data.
    static let recordBytes = 64 << 20
    /// Voters, outgoing voters or learners of one membership; more is damage.
    static let members = 10_000
    static let formatVersion: UInt16 = 2
}
