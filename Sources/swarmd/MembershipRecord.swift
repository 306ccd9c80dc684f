import ClusterIdentity
import Primitives
import Synchronization

/// The node's membership as it is now, and on disk.
final class MembershipRecord: Sendable {
    private let folder: StateFolder
    private let held: Mutex<NodeMembership>

    init(_ membership: NodeMembership, folder: StateFolder) {
        self.folder = folder
        held = Mutex(membership)
    }

    var value: NodeMembership { held.withLock { $0 } }

    /// Durable when it returns.
    func update(_ change: (inout NodeMembership) -> Void) throws {
        try held.withLock { membership in
            var changed = membership
            change(&changed)
            try folder.write(changed.text, to: "identity/node.conf")
            membership = changed
        }
    }

    /// The certificate first: a crash between the two leaves a node that asks for its certificate again.
    func update(with credentials: Credentials, _ change: (inout NodeMembership) -> Void) throws {
        try held.withLock { membership in
            var changed = membership
            change(&changed)
            try folder.save(changed, credentials)
            membership = changed
        }
    }
}
