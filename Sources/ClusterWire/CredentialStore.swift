public import ClusterIdentity
internal import Synchronization

/// The node's credentials as they are now; a renewal replaces them under every open listener and client.
public final class CredentialStore: Sendable {
    private let state: Mutex<Credentials>

    public init(_ credentials: Credentials) {
        state = Mutex(credentials)
    }

    public var current: Credentials { state.withLock { $0 } }

    public func replace(with credentials: Credentials) {
        state.withLock { $0 = credentials }
    }
}
