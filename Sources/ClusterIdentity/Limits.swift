internal import Primitives

public enum IdentityLimits {
    static let rootValidity = Duration.seconds(20 * 365 * 86_400)
    /// Certificates are valid from a little before they were made, for nodes whose clocks lag.
    static let backdating = Duration.seconds(3600)
    /// Manager addresses printed into a token.
    public static let tokenAddresses = 7
    /// A self-signed certificate is used for joining only.
    static let joinerValidity = Duration.seconds(86_400)
    /// Roots that a cluster trusts at a time: the newest, and those that a node may still know alone.
    public static let trustedRoots = 5
}
