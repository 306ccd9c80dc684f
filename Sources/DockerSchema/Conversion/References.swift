public import ClusterModel
public import Primitives

/// How names and ids in a request are found in the cluster.
public struct References: Sendable {
    /// A network by id, name or the beginning of an id.
    public var network: @Sendable (String) throws(Failure) -> NetworkID
    public var secret: @Sendable (String) throws(Failure) -> Secret
    public var config: @Sendable (String) throws(Failure) -> Config

    public init(
        network: @escaping @Sendable (String) throws(Failure) -> NetworkID,
        secret: @escaping @Sendable (String) throws(Failure) -> Secret,
        config: @escaping @Sendable (String) throws(Failure) -> Config
    ) {
        self.network = network
        self.secret = secret
        self.config = config
    }
}
