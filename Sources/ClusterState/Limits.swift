public enum StateLimits {
    /// SwarmKit's limit: a larger transaction would hold up the log for everybody.
    public static let changesPerTransaction = 200
    /// Encoded size above which a proposal is refused.
    public static let transactionBytes = 3 << 19
    /// Estimated size at which a transaction is closed: half of what it may have, as it is an estimate.
    public static let estimatedTransactionBytes = 3 << 18
    /// Certificates that are remembered as revoked; the oldest is forgotten for a further one.
    public static let revocations = 4_096
}
