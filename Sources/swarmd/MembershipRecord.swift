import ClusterIdentity
import Primitives
import Synchronization

/// The node's membership as it is now, and on disk.
final class MembershipRecord: Sendable {
    private let folder: StateFolder
    private let held: Mutex<NodeMembership>
    /// Locked while it is written: readers do not wait for the disk.
    private let written: Mutex<NodeMembership>

    init(_ membership: NodeMembership, folder: StateFolder) {
        self.folder = folder
        held = Mutex(membership)
        written = Mutex(membership)
    }

    var value: NodeMembership { held.withLock { $0 } }

    /// Durable when it returns.
    func update(_ change: (inout NodeMembership) -> Void) throws {
        try update(change) { try folder.write($0.text, to: "identity/node.conf") }
    }

    /// The certificate first: a crash between the two leaves a node that asks for its certificate again.
    func update(with credentials: Credentials, _ change: (inout NodeMembership) -> Void) throws {
        try update(change) { try folder.save($0, credentials) }
    }

    private func update(_ change: (inout NodeMembership) -> Void, _ write: (NodeMembership) throws -> Void) throws {
        try written.withLock { membership in
            var changed = membership
            change(&changed)
            try write(changed)
            membership = changed
            held.withLock { $0 = changed }
        }
    }
}
