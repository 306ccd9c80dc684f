public import ClusterIdentity
public import Primitives
internal import Synchronization

/// The node's credentials as they are now, and the clock by which its own and others' certificates are judged; a renewal
/// replaces them under every open listener and client.
public final class CredentialStore: Sendable {
    /// The wall clock.
    public let clock: @Sendable () -> Timestamp
    private let state: Mutex<Credentials>

    public init(_ credentials: Credentials, clock: @escaping @Sendable () -> Timestamp) {
        self.clock = clock
        state = Mutex(credentials)
    }

    public var current: Credentials { state.withLock { $0 } }

    public func replace(with credentials: Credentials) {
        state.withLock { $0 = credentials }
    }
}
