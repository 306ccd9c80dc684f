public import Primitives

/// The settings and the root of trust of the whole cluster; there is exactly one.
public struct Cluster: Hashable, Sendable {
    public var id: ClusterID
    public var meta: Meta
    public var spec: ClusterSpec
    public var authority: Authority
    public var tokens: JoinTokens
    /// Networks are cut from these.
    public var addressPools: [IPv4Network]
    /// Prefix length of a network cut from a pool.
    public var subnetPrefixLength: UInt8
    public var dataPathPort: UInt16
    /// Oldest first; kept by the store.
    public var revocations: [Revocation]
    /// Under which managers lock their keys; nil where a restarted manager needs nobody to unlock it.
    public var unlockKey: UnlockKey?

    public init(
        id: ClusterID, meta: Meta = Meta(), spec: ClusterSpec = ClusterSpec(), authority: Authority = Authority(),
        tokens: JoinTokens = JoinTokens(), addressPools: [IPv4Network], subnetPrefixLength: UInt8 = 24,
        dataPathPort: UInt16 = 4789, revocations: [Revocation] = [], unlockKey: UnlockKey? = nil
    ) {
        self.id = id
        self.meta = meta
        self.spec = spec
        self.authority = authority
        self.tokens = tokens
        self.addressPools = addressPools
        self.subnetPrefixLength = subnetPrefixLength
        self.dataPathPort = dataPathPort
        self.revocations = revocations
        self.unlockKey = unlockKey
    }
}

/// The key that only the operator has: managers wrap their own keys with it, so that what they keep on disk is of no use
/// to whoever takes the disk.
public struct UnlockKey: Hashable, Sendable {
    public static let byteCount = 32

    public let bytes: [UInt8]

    /// Nil unless there are ``byteCount`` bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == UnlockKey.byteCount else { return nil }
        self.bytes = Array(bytes)
    }

    public init(using random: inout some RandomNumberGenerator) {
        bytes = (0..<UnlockKey.byteCount).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }
}

/// Whose certificate counts no more although it has not expired.
public enum Revocation: Hashable, Sendable {
    /// A node that was removed.
    case node(NodeID)
    /// A raft id whose node was demoted, left or was removed.
    case member(UInt64)
}

public struct ClusterSpec: Hashable, Sendable {
    public var labels: [String: String]
    /// Ended tasks kept for each slot.
    public var taskHistoryLimit: UInt64
    public var heartbeatPeriod: Duration
    public var certificateValidity: Duration
    /// Counts the rotations of the root that people asked for.
    public var forceRotate: UInt64

    public init(
        labels: [String: String] = [:], taskHistoryLimit: UInt64 = 5, heartbeatPeriod: Duration = .seconds(5),
        certificateValidity: Duration = .seconds(90 * 86_400), forceRotate: UInt64 = 0
    ) {
        self.labels = labels
        self.taskHistoryLimit = taskHistoryLimit
        self.heartbeatPeriod = heartbeatPeriod
        self.certificateValidity = certificateValidity
        self.forceRotate = forceRotate
    }
}

/// The secrets by which a machine asks for a certificate of a role.
public struct JoinTokens: Hashable, Sendable {
    public var workerSecret: String
    public var managerSecret: String

    public init(workerSecret: String = "", managerSecret: String = "") {
        self.workerSecret = workerSecret
        self.managerSecret = managerSecret
    }
}
