public import ClusterModel
public import ClusterState
public import Consensus
public import Primitives

/// A cluster that goes on with one manager, from the state that a survivor or a backup holds.
///
/// Everything of the cluster stays: its id, authority, tokens, services, tasks, networks, secrets and workers. The managers
/// that are gone become workers, and their places in Raft are revoked. The one that stays gets a new place, too: what its
/// former peers send to the old one, should they come back, reaches nobody.
public struct SoleManager: Sendable {
    /// The last index of the state that it begins from.
    public let index: LogIndex
    public let tables: ClusterTables

    public init(_ tables: ClusterTables) {
        self.tables = tables
        index = tables.index
    }

    /// The managers that are lost with it, ordered by id.
    public func lost(besides node: NodeID?) -> [Node] {
        tables.nodes.sorted.filter { $0.id != node && ($0.manager != nil || $0.spec.role == .manager) }
    }

    /// What changes, as one transaction.
    ///
    /// - Parameter node: the one that stays; it is made where the state does not know it.
    public func transaction(staying node: Node, at now: Timestamp) -> Transaction {
        var changes: [Change] = []
        if let stored = tables.nodes[node.id] {
            var changed = stored
            changed.spec.role = .manager
            changed.manager = node.manager
            changes.append(.update(.node(changed), bySpec: true))
        } else {
            changes.append(.create(.node(node)))
        }
        for var other in lost(besides: node.id) {
            other.spec.role = .worker
            other.manager = nil
            changes.append(.update(.node(other), bySpec: true))
        }
        return Transaction(changes, time: now)
    }

    /// The state that the cluster goes on from.
    ///
    /// - Throws: ``Failure`` where the state does not take the change.
    public func successor(staying node: Node, at now: Timestamp) throws(Failure) -> ClusterTables {
        guard tables.cluster != nil else {
            throw Failure(.failedPrecondition, "there are no settings of a cluster in this state: nothing can be kept")
        }
        var successor = tables
        switch successor.apply(transaction(staying: node, at: now), at: index + 1) {
        case .success: return successor
        case .failure(let refusal): throw refusal.failure
        }
    }
}
