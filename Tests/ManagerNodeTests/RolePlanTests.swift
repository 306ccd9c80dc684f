import ClusterModel
import ClusterState
import Consensus
import Primitives
import Testing

@testable import ManagerNode

@Suite struct RolePlanTests {
    private var random = SeededRandom(seed: 3)
    private var tables = ClusterTables()
    private var index: UInt64 = 0

    private mutating func apply(_ changes: [Change]) throws {
        index += 1
        _ = try tables.apply(Transaction(changes, time: .zero), at: index).get()
    }

    /// Managers with these raft ids.
    private mutating func managers(_ ids: [RaftID]) throws -> [NodeID] {
        var nodes: [NodeID] = []
        for id in ids {
            let node = Node(
                id: NodeID(using: &random), spec: NodeSpec(role: .manager),
                manager: ManagerStatus(raftID: id, address: "10.0.0.\(id):2377"))
            try apply([.create(.node(node))])
            nodes.append(node.id)
        }
        return nodes
    }

    private func demotion(of id: NodeID) throws -> Transaction {
        var node = try #require(tables.nodes[id])
        node.spec.role = .worker
        return Transaction([.update(.node(node), bySpec: true)], time: .zero)
    }

    private func plan(voters: [RaftID], learners: [RaftID] = [], active: Set<RaftID>) -> RolePlan {
        RolePlan(
            tables: tables, membership: Membership(voters: voters, learners: learners), own: 1, active: active)
    }

    @Test mutating func aDemotedManagerLeavesRaftBeforeItsNodeIsAWorker() throws {
        let nodes = try managers([1, 2, 3])
        #expect(plan(voters: [1, 2, 3], active: [1, 2, 3]).next() == nil)
        try apply(try demotion(of: nodes[1]).changes)
        #expect(plan(voters: [1, 2, 3], active: [1, 2, 3]).next() == .remove(2))
        #expect(plan(voters: [1, 3], active: [1, 3]).next() == .retire(nodes[1]))
        var retired = try #require(tables.nodes[nodes[1]])
        retired.manager = nil
        try apply([.update(.node(retired), bySpec: false)])
        #expect(plan(voters: [1, 3], active: [1, 3]).next() == nil)
    }

    @Test mutating func theLeaderHandsOverToOneThatStaysAndIsHeard() throws {
        let nodes = try managers([1, 2, 3, 4])
        try apply(try demotion(of: nodes[0]).changes)
        #expect(plan(voters: [1, 2, 3, 4], active: [1, 3, 4]).next() == .handOver(to: 3))
        // A learner does not lead, and nobody is left to lead: the leader goes on.
        #expect(plan(voters: [1], learners: [2, 3, 4], active: [1, 2, 3, 4]).next() == nil)
        try apply(try demotion(of: nodes[2]).changes)
        #expect(plan(voters: [1, 2, 3, 4], active: [1, 2, 3, 4]).next() == .remove(3))
    }

    @Test mutating func aLossOfTheQuorumIsRefused() throws {
        let nodes = try managers([1, 2, 3])
        // 3 is silent: 1 and 3 would be left, one of two.
        let refusal = try #require(
            plan(voters: [1, 2, 3], active: [1, 2]).refusal(of: try demotion(of: nodes[1])))
        #expect(refusal.code == .failedPrecondition)
        #expect(refusal.message.contains("loss of quorum (1 of the remaining 2 managers are reachable)"))
        // The silent one itself may go, and so may anybody while all are heard.
        #expect(plan(voters: [1, 2, 3], active: [1, 2]).refusal(of: try demotion(of: nodes[2])) == nil)
        #expect(plan(voters: [1, 2, 3], active: [1, 2, 3]).refusal(of: try demotion(of: nodes[1])) == nil)
        // Demotions that are under way count.
        try apply(try demotion(of: nodes[1]).changes)
        #expect(plan(voters: [1, 2, 3], active: [1, 2]).refusal(of: try demotion(of: nodes[0])) != nil)
        #expect(plan(voters: [1, 2, 3], active: [1, 2]).next() == nil)
    }

    @Test mutating func theLastManagerStays() throws {
        let nodes = try managers([1, 2])
        let alone = plan(voters: [1], learners: [2], active: [1, 2])
        #expect(alone.refusal(of: try demotion(of: nodes[0]))?.message.contains("last manager") == true)
        #expect(alone.refusal(of: try demotion(of: nodes[1])) == nil)
        try apply(try demotion(of: nodes[1]).changes)
        let both = plan(voters: [1, 2], active: [1, 2])
        #expect(both.refusal(of: try demotion(of: nodes[0]))?.message.contains("last manager") == true)
    }

    @Test mutating func aMemberOfRaftIsNotRemovedAsANode() throws {
        let nodes = try managers([1, 2, 3])
        let worker = Node(id: NodeID(using: &random), spec: NodeSpec(role: .worker))
        try apply([.create(.node(worker))])
        let removal = Transaction([.delete(.node(nodes[2]), version: nil)], time: .zero)
        #expect(RolePlan.concerns(removal, tables))
        let refusal = plan(voters: [1, 2, 3], active: [1, 2, 3]).refusal(of: removal)
        #expect(refusal?.message.contains("must be demoted") == true)
        #expect(!RolePlan.concerns(Transaction([.delete(.node(worker.id), version: nil)], time: .zero), tables))
    }

    @Test mutating func otherChangesOfAManagerAreNobodysBusiness() throws {
        let nodes = try managers([1, 2, 3])
        var drained = try #require(tables.nodes[nodes[0]])
        drained.spec.availability = .drain
        #expect(!RolePlan.concerns(Transaction([.update(.node(drained), bySpec: true)], time: .zero), tables))
    }
}
