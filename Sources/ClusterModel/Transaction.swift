public import Primitives

/// What is proposed to Raft: changes that are applied all or none.
///
/// Everything that is not the same on every manager (time, ids, randomness) is in here, put there by the proposer.
public struct Transaction: Hashable, Sendable {
    public var changes: [Change]
    /// When it was proposed, by the proposer's clock; becomes `createdAt` and `updatedAt`.
    public var time: Timestamp

    public init(_ changes: [Change] = [], time: Timestamp) {
        self.changes = changes
        self.time = time
    }
}

public enum Change: Hashable, Sendable {
    /// Refused when the id exists, or a service, network, secret or config of this name.
    case create(ClusterObject)
    /// Refused when the stored `meta.version` is not that of the given object. `bySpec` marks a change that a user
    /// asked for: it is the only one that moves `meta.specVersion`.
    case update(ClusterObject, bySpec: Bool)
    /// Refused when the object is gone, or `version` is given and is not the stored one.
    case delete(ObjectKey, version: UInt64?)
    /// What a node's agent observed of a task. The agent is the only writer from `assigned` on, so there is no version
    /// to check; a status that would move the task backwards, or of a task that is gone, changes nothing.
    case observeTask(TaskID, TaskStatus)
    /// What the dispatcher observed of a node; a nil description keeps the stored one.
    case observeNode(NodeID, NodeStatus, NodeDescription?)
}

/// Why a transaction changed nothing.
public enum TransactionRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case exists(ObjectKey)
    case nameTaken(kind: String, name: String)
    case notFound(ObjectKey)
    case stale(ObjectKey, expected: UInt64, found: UInt64)
    case tooLarge(changes: Int)

    public var description: String {
        switch self {
        case .exists(let key): "\(key) exists already"
        case .nameTaken(let kind, let name): "\(kind) name \"\(name)\" is in use"
        case .notFound(let key): "\(key) does not exist"
        case .stale(_, let expected, let found):
            "update out of sequence: based on version \(expected), but the object is at version \(found)"
        case .tooLarge(let changes): "transaction of \(changes) changes is above the limit"
        }
    }
}
