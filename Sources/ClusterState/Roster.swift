public import ClusterModel
internal import HashTreeCollections
public import Primitives

/// Who is in the cluster and what holds for all of it: the small part of the state, which rarely changes and which everybody
/// asks for.
public struct Roster: Sendable {
    public internal(set) var cluster: Cluster?
    public private(set) var nodes = Table<NodeTag, Node>()
    private var nodesByMember: TreeDictionary<UInt64, NodeID> = [:]

    init() {}

    /// The manager with this raft id.
    public func node(ofMember raftID: UInt64) -> Node? { nodesByMember[raftID].flatMap { nodes[$0] } }

    /// Whether the node was removed: its certificate counts no more.
    public func isRevoked(_ node: NodeID) -> Bool { cluster?.revocations.contains(.node(node)) ?? false }

    /// Whether the raft id's node takes part in Raft no more.
    public func isRevoked(member: UInt64) -> Bool { cluster?.revocations.contains(.member(member)) ?? false }

    mutating func put(_ node: Node) {
        nodes.set(node, for: node.id)
        if let member = node.manager?.raftID { nodesByMember[member] = node.id }
    }

    mutating func remove(_ node: Node) {
        nodes.set(nil, for: node.id)
        // Another node's entry of the same raft id would be a newer one.
        if let member = node.manager?.raftID, nodesByMember[member] == node.id { nodesByMember[member] = nil }
    }

    /// Notes whose certificate counts no more. It moves no version: it can make nobody's write stale.
    mutating func revoke(from before: Node, to after: Node?) {
        if let member = before.manager?.raftID, after?.manager?.raftID != member { add(.member(member)) }
        if after == nil { add(.node(before.id)) }
    }

    private mutating func add(_ revocation: Revocation) {
        guard cluster?.revocations.contains(revocation) == false else { return }
        cluster?.revocations.append(revocation)
        if let count = cluster?.revocations.count, count > StateLimits.revocations {
            cluster?.revocations.removeFirst(count - StateLimits.revocations)
        }
    }
}
