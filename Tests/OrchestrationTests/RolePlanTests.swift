import ClusterModel
import ClusterState
import Consensus
import Orchestration
import Primitives
import Testing

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

    private func plan(
        voters: [RaftID], outgoing: [RaftID] = [], learners: [RaftID] = [], active: Set<RaftID>,
        ready: Set<RaftID> = []
    ) -> RolePlan {
        RolePlan(
            roster: tables.roster, membership: Membership(voters: voters, outgoingVoters: outgoing, learners: learners),
            own: 1, active: active, ready: ready)
    }

    private mutating func demote(_ ids: NodeID...) throws {
        for id in ids { try apply(try demotion(of: id).changes) }
    }

    @Test mutating func aDemotedManagerLeavesRaftBeforeItsNodeIsAWorker() throws {
        let nodes = try managers([1, 2, 3])
        #expect(plan(voters: [1, 2, 3], active: [1, 2, 3]).next() == nil)
        try apply(try demotion(of: nodes[1]).changes)
        #expect(plan(voters: [1, 2, 3], active: [1, 2, 3]).next() == .change([.remove(2)]))
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
        #expect(plan(voters: [1, 2, 3, 4], active: [1, 2, 3, 4]).next() == .change([.remove(3)]))
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

    @Test mutating func managersThatGoTogetherLeaveInOneChange() throws {
        let nodes = try managers([1, 2, 3, 4, 5])
        try demote(nodes[4], nodes[2])
        let all: Set<RaftID> = [1, 2, 3, 4, 5]
        let changes = try #require(plan(voters: [1, 2, 3, 4, 5], active: all).next()?.changes)
        #expect(Set(changes) == [.remove(3), .remove(5)])
        // They vote until Raft has left the joint membership: neither is a worker yet, and nobody else comes or goes.
        try demote(nodes[1])
        #expect(plan(voters: [1, 2, 4], outgoing: [1, 2, 3, 4, 5], active: all).next() == nil)
        let left = plan(voters: [1, 2, 4], active: [1, 2, 4]).next()
        #expect(left == .retire(nodes[2]) || left == .retire(nodes[4]))
    }

    @Test mutating func theLeaderGoesAfterTheOthers() throws {
        let nodes = try managers([1, 2, 3, 4])
        try demote(nodes[0], nodes[1])
        #expect(plan(voters: [1, 2, 3, 4], active: [1, 2, 3, 4]).next() == .change([.remove(2)]))
        #expect(plan(voters: [1, 3, 4], active: [1, 3, 4]).next() == .retire(nodes[1]))
        var retired = try #require(tables.nodes[nodes[1]])
        retired.manager = nil
        try apply([.update(.node(retired), bySpec: false)])
        #expect(plan(voters: [1, 3, 4], active: [1, 3, 4]).next() == .handOver(to: 3))
    }

    @Test mutating func learnersThatCaughtUpVoteTogether() throws {
        let nodes = try managers([1, 2, 3, 4])
        let all: Set<RaftID> = [1, 2, 3, 4]
        #expect(
            plan(voters: [1], learners: [2, 3, 4], active: all, ready: [2, 4]).next()
                == .change([.addVoter(2), .addVoter(4)]))
        #expect(plan(voters: [1], learners: [2, 3, 4], active: all).next() == nil)
        // One that is to be a worker never votes.
        try demote(nodes[3])
        #expect(
            plan(voters: [1], learners: [2, 3, 4], active: all, ready: [2, 4]).next()
                == .change([.addVoter(2), .remove(4)]))
    }

    @Test mutating func oneComesAndOneGoesInOneChange() throws {
        let nodes = try managers([1, 2, 3, 4])
        try demote(nodes[1])
        let swap = plan(voters: [1, 2, 3], learners: [4], active: [1, 2, 3, 4], ready: [4])
        #expect(swap.next() == .change([.addVoter(4), .remove(2)]))
        // 3 is silent: without 4 one of two would be left, with it two of three.
        #expect(plan(voters: [1, 2, 3], learners: [4], active: [1, 2, 4], ready: [4]).next() == swap.next())
        #expect(plan(voters: [1, 2, 3], learners: [4], active: [1, 2, 4]).next() == nil)
        // It still does not count for who asks: it does not vote yet.
        let refusal = plan(voters: [1, 2, 3], learners: [4], active: [1, 2, 4], ready: [4]).refusal(without: 2)
        #expect(refusal?.message.contains("1 of the remaining 2 managers are reachable") == true)
    }

    @Test mutating func aDemotionThatIsTakenBackAfterTheRemovalBringsTheManagerBack() throws {
        let nodes = try managers([1, 2, 3])
        try demote(nodes[1])
        #expect(plan(voters: [1, 3], active: [1, 3]).next() == .retire(nodes[1]))
        var promoted = try #require(tables.nodes[nodes[1]])
        promoted.spec.role = .manager
        try apply([.update(.node(promoted), bySpec: true)])
        #expect(plan(voters: [1, 3], active: [1, 3]).next() == .change([.addLearner(2)]))
        #expect(plan(voters: [1, 3], learners: [2], active: [1, 2, 3]).next() == nil)
    }

    @Test mutating func severalThatCannotGoTogetherStayTogether() throws {
        let nodes = try managers([1, 2, 3, 4, 5])
        try demote(nodes[1], nodes[2])
        // 1 of [1, 4, 5] is heard. A learner that goes costs no quorum.
        #expect(plan(voters: [1, 2, 3, 4, 5], active: [1, 2, 3]).next() == nil)
        #expect(plan(voters: [1, 2, 4, 5], learners: [3], active: [1, 2, 3]).next() == .change([.remove(3)]))
    }

    @Test mutating func aTransactionIsJudgedByAllThatItTakesOut() throws {
        let nodes = try managers([1, 2, 3])
        let both = Transaction(
            try demotion(of: nodes[1]).changes + demotion(of: nodes[2]).changes, time: .zero)
        #expect(plan(voters: [1, 2, 3], active: [1, 2, 3]).refusal(of: both) == nil)
        let all = Transaction(try both.changes + demotion(of: nodes[0]).changes, time: .zero)
        let refusal = plan(voters: [1, 2, 3], active: [1, 2, 3]).refusal(of: all)
        #expect(refusal?.message.contains("last manager") == true)
    }

    @Test mutating func aMemberOfRaftIsNotRemovedAsANode() throws {
        let nodes = try managers([1, 2, 3])
        let worker = Node(id: NodeID(using: &random), spec: NodeSpec(role: .worker))
        try apply([.create(.node(worker))])
        let removal = Transaction([.delete(.node(nodes[2]), version: nil)], time: .zero)
        #expect(RolePlan.concerns(removal, tables.roster))
        let refusal = plan(voters: [1, 2, 3], active: [1, 2, 3]).refusal(of: removal)
        #expect(refusal?.message.contains("must be demoted") == true)
        #expect(!RolePlan.concerns(Transaction([.delete(.node(worker.id), version: nil)], time: .zero), tables.roster))
    }

    @Test mutating func otherChangesOfAManagerAreNobodysBusiness() throws {
        let nodes = try managers([1, 2, 3])
        var drained = try #require(tables.nodes[nodes[0]])
        drained.spec.availability = .drain
        #expect(!RolePlan.concerns(Transaction([.update(.node(drained), bySpec: true)], time: .zero), tables.roster))
    }

    /// A command that demotes two says so of one after the other.
    @Test mutating func aChangeWaitsForOneLookMoreAndARetirementDoesNot() throws {
        let ids = try managers([1, 2, 3, 4, 5])
        try demote(ids[3])
        var pace = RolePace()
        let first = pace.next(of: plan(voters: [1, 2, 3, 4, 5], active: [1, 2, 3, 4, 5]))
        #expect(first == nil)
        try demote(ids[4])
        let second = pace.next(of: plan(voters: [1, 2, 3, 4, 5], active: [1, 2, 3, 4, 5]))
        #expect(second == .change([.remove(4), .remove(5)]) || second == .change([.remove(5), .remove(4)]))
        let retirement = pace.next(of: plan(voters: [1, 2, 3], active: [1, 2, 3]))
        #expect(retirement == .retire(min(ids[3], ids[4])))
        // A pause begins the wait anew.
        let (before, paused, after) = (
            pace.next(of: plan(voters: [1, 2, 3, 4, 5], active: [1, 2, 3, 4, 5])), pace.next(of: nil),
            pace.next(of: plan(voters: [1, 2, 3, 4, 5], active: [1, 2, 3, 4, 5]))
        )
        #expect(before == nil && paused == nil && after == nil)
    }
}

extension RolePlan.Step {
    fileprivate var changes: [MembershipChange]? {
        if case .change(let changes) = self { changes } else { nil }
    }
}
