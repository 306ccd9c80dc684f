public import Primitives

public enum NodeTag: Sendable {}
public enum ServiceTag: Sendable {}
public enum TaskTag: Sendable {}
public enum NetworkTag: Sendable {}
public enum SecretTag: Sendable {}
public enum ConfigTag: Sendable {}
public enum ClusterTag: Sendable {}

public typealias NodeID = Identifier<NodeTag>
public typealias ServiceID = Identifier<ServiceTag>
public typealias TaskID = Identifier<TaskTag>
public typealias NetworkID = Identifier<NetworkTag>
public typealias SecretID = Identifier<SecretTag>
public typealias ConfigID = Identifier<ConfigTag>
public typealias ClusterID = Identifier<ClusterTag>

/// What the store keeps about every object beside its content.
public struct Meta: Hashable, Sendable {
    /// Raft index of the last change of any field; the version that a transaction is checked against.
    public var version: UInt64
    /// Raft index of the last change that a user asked for; the `Version.Index` of the HTTP API, so that the
    /// orchestrator's own writes never make a user's update stale (swarmkit issue 1379).
    public var specVersion: UInt64
    public var createdAt: Timestamp
    public var updatedAt: Timestamp

    public init(
        version: UInt64 = 0, specVersion: UInt64 = 0, createdAt: Timestamp = .zero, updatedAt: Timestamp = .zero
    ) {
        self.version = version
        self.specVersion = specVersion
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}
