import ClusterIdentity
import ClusterModel
import DurableLog
import Primitives
import Synchronization

/// The node's keys in memory, and their file, which is locked as the cluster says.
final class KeyRing: Sendable {
    private struct State {
        /// The unlock key under which the file is; nil where it is open.
        var lock: UnlockKey?
        var version: UInt64
    }

    let keys: NodeKeys
    private let node: NodeID
    private let folder: StateFolder
    private let state: Mutex<State>

    /// - Parameter version: of the cluster's settings that the file was written for.
    init(_ keys: NodeKeys, lock: UnlockKey? = nil, version: UInt64 = 0, node: NodeID, folder: StateFolder) {
        self.keys = keys
        self.node = node
        self.folder = folder
        state = Mutex(State(lock: lock, version: version))
    }

    /// Under which the log is sealed, with a nonce prefix that no other opening has.
    func logSealing() throws(Failure) -> LogSealing {
        guard let key = LogKey(keys.logKey) else {
            throw Failure(.dataLoss, "the log's key has \(keys.logKey.count) bytes")
        }
        return LogSealing(key: key, salt: UInt128.random(in: .min ... .max))
    }

    /// Writes the file for the first time.
    func save() throws {
        try folder.write(KeyFile(keys).text, to: StateFolder.keyFile)
    }

    /// Locks the file as the cluster's settings say, or opens it; settings older than those that it follows change nothing:
    /// while a manager starts, it sees its past once more.
    ///
    /// - Returns: whether it changed.
    @discardableResult
    func follow(_ cluster: Cluster) throws -> Bool {
        try state.withLock { state in
            guard cluster.meta.version >= state.version, cluster.unlockKey != state.lock else { return false }
            try write(lock: cluster.unlockKey, version: cluster.meta.version)
            state = State(lock: cluster.unlockKey, version: cluster.meta.version)
            return true
        }
    }

    /// A worker keeps nothing of the cluster: it starts by itself.
    func release() throws {
        try state.withLock { state in
            guard state.lock != nil else { return }
            try write(lock: nil, version: state.version)
            state.lock = nil
        }
    }

    private func write(lock: UnlockKey?, version: UInt64) throws {
        var random = SystemRandomNumberGenerator()
        let file =
            try lock.map { try KeyFile(locking: keys, with: $0, of: node, version: version, using: &random) }
            ?? KeyFile(keys, version: version)
        try folder.write(file.text, to: StateFolder.keyFile)
    }
}

/// A node whose keys are locked: its containers go on, but it takes no part in the cluster.
struct LockedNode: Sendable {
    let membership: NodeMembership
    let identity: PeerIdentity
    let certificatePEM: String
    let rootsPEM: [String]
    let sealedKeys: [UInt8]
    let version: UInt64
    let folder: StateFolder

    /// - Throws: ``Failure`` `unauthenticated` for another key.
    func unlock(with key: UnlockKey) throws -> (Credentials, KeyRing) {
        guard let keys = KeyFile.unlock(sealedKeys, with: key, of: identity.node) else {
            throw Failure(
                .unauthenticated,
                "invalid key: it does not unlock this node; `swarmctl unlock-key` prints the present one on another "
                    + "manager, and a node that was off while it was rotated needs the one before")
        }
        let credentials = try Credentials(
            certificatePEM: certificatePEM, keyPEM: keys.privateKeyPEM, rootsPEM: rootsPEM)
        return (credentials, KeyRing(keys, lock: key, version: version, node: identity.node, folder: folder))
    }
}
