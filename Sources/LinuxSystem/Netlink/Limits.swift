/// Bounds of the conversation with netlink.
enum NetlinkLimits {
    /// The kernel answers within its own call; only a fault makes it take this long.
    static let answerMilliseconds: Int32 = 5_000
    /// Fits the default socket buffer, so that a batch never waits for its own answers to be read.
    static let requestsPerBatch = 64
    /// The kernel's dumps are at most 32 KiB a datagram (NLMSG_GOODSIZE).
    static let datagramBytes = 65_536
}
