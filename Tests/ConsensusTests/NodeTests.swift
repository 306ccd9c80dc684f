import Primitives
import Testing

@testable import Consensus

@Suite struct ElectionTests {
    private let nothing = KnownCommit(index: 0, term: 0)

    /// Paper §5.2: a member that hears nothing campaigns, after a time drawn from the configured range.
    @Test func silenceLeadsToACampaign() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.tick(1, times: 9)
        #expect(try cluster.status(1).role == .follower)
        try cluster.tick(1, times: 11)
        #expect(try cluster.status(1).role == .preCandidate)
        #expect(try cluster.status(1).term == 0)
        try cluster.stabilize()
        #expect(try cluster.status(1) == RaftStatus(role: .leader, term: 1, leader: 1))
        #expect(try cluster.status(3).leader == 1)
    }

    /// A single voter needs nobody: it leads when its vote is durable and commits when its log is.
    @Test func aSingleVoterLeadsAndCommitsByItself() throws {
        var cluster = try TestCluster(voters: [1])
        try cluster.with(1) { $0.node.campaign() }
        try cluster.process(1)
        #expect(try cluster.status(1).role == .candidate)
        try cluster.stabilize()
        let proposed = try cluster.propose(1, "a")
        try cluster.process(1)
        #expect(try cluster[1].node.commitIndex == 1)
        try cluster.stabilize()
        #expect(try cluster[1].node.appliedIndex == proposed.indices.lowerBound)
        try cluster.with(1) { try $0.node.readIndex(context: 5) }
        try cluster.stabilize()
        #expect(try cluster[1].reads == [ReadState(index: 2, context: 5)])
    }

    /// Paper §5.2: one vote a term, first come first served, and it survives a crash.
    @Test func aVoteSurvivesACrash() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        let request = RequestVote(isPreVote: false, isTransfer: false, lastIndex: 0, lastTerm: 0, known: nothing)
        try cluster.with(1) {
            try $0.node.step(Message(from: 2, to: 1, term: 1, payload: .requestVote(request)))
        }
        try cluster.process(1)
        #expect(cluster.network.isEmpty)
        try cluster.with(1) { $0.persist() }
        try cluster.crash(1)
        try cluster.with(1) {
            try $0.node.step(Message(from: 3, to: 1, term: 1, payload: .requestVote(request)))
        }
        try cluster.process(1)
        let refused = VoteResponse(isPreVote: false, isGranted: false, known: nothing)
        #expect(cluster.network.map(\.message.payload) == [.voteResponse(refused)])
    }

    /// Thesis §9.6: an isolated member does not raise its term, and disturbs nobody when it returns.
    @Test func preVoteKeepsTermsQuiet() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        cluster.isolate(3)
        try cluster.tick(3, times: 100)
        try cluster.stabilize()
        #expect(try cluster.status(3).term == 1)
        cluster.cuts = []
        try cluster.tick(1, times: 2)
        try cluster.stabilize()
        #expect(try cluster.status(1) == RaftStatus(role: .leader, term: 1, leader: 1))
        #expect(try cluster.status(3).leader == 1)
    }

    /// Thesis §6.2: a leader that no majority answers steps down.
    @Test func aLeaderWithoutContactStepsDown() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        cluster.isolate(1)
        try cluster.tick(1, times: 20)
        #expect(try cluster.status(1).role == .follower)
        #expect(throws: ProposalRefused.notLeader(leader: nil)) { try cluster.propose(1, "a") }
    }

    /// Thesis §4.2.3: who hears a leader ignores campaigns, unless the leader asked for them.
    @Test func votersIgnoreCampaignsWhileTheyHearALeader() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        let request = RequestVote(isPreVote: false, isTransfer: false, lastIndex: 99, lastTerm: 99, known: nothing)
        try cluster.with(2) {
            try $0.node.step(Message(from: 3, to: 2, term: 9, payload: .requestVote(request)))
        }
        #expect(try cluster.status(2).term == 1)
        var asked = request
        asked.isTransfer = true
        try cluster.with(2) { [asked] in
            try $0.node.step(Message(from: 3, to: 2, term: 9, payload: .requestVote(asked)))
        }
        #expect(try cluster.status(2).term == 9)
    }

    @Test func learnersNeverCampaign() throws {
        var cluster = try TestCluster(voters: [1], learners: [2])
        try cluster.tick(2, times: 100)
        try cluster.with(2) { $0.node.campaign() }
        #expect(try cluster.status(2).role == .follower)
    }
}

@Suite struct ReplicationTests {
    /// Paper §5.4.2, figure 8: an entry of an earlier term is not committed by counting, only below one of the leader's own.
    @Test func entriesOfEarlierTermsAreNotCommittedByCount() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        cluster.isolate(1)
        try cluster.propose(1, "old")
        try cluster.stabilize([1])
        try cluster.crash(1)
        cluster.cuts = []
        try cluster.with(1) { $0.node.campaign() }
        for id: RaftID in [2, 3] { try cluster.tick(id, times: 10) }
        try cluster.stabilize([1, 2])
        // Leader again, in term 2, with 'old' of term 1 at index 2 and its own empty entry at 3.
        #expect(try cluster.log(1) == "[1/1, 2/1 'old', 3/2]")
        try cluster.with(1) { server in
            server.node = try RaftNode(id: 1, restored: server.disk.restored, random: SeededRandom(seed: 1))
        }
        var leader = try cluster[1].node
        leader.term = 3
        leader.leadership = Leadership(pendingMembershipIndex: 3)
        leader.leader = 1
        leader.rebuildPeers(isNewLeader: true)
        let before = leader.commitIndex
        try leader.step(Message(from: 2, to: 1, term: 3, payload: .appendResponse(.accepted(match: 3))))
        #expect(leader.commitIndex == before)
    }

    @Test func anIdleFollowerThatLostAnAppendRecoversByHeartbeat() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        try cluster.propose(1, "a")
        try cluster.stabilize([1, 2])
        try cluster.drop(to: 3)
        try cluster.stabilize()
        #expect(try cluster[3].node.lastIndex == 1)
        try cluster.tick(1, times: 2)
        try cluster.stabilize()
        #expect(try cluster[3].machine == cluster[1].machine)
    }

    @Test func pipelineStopsAtTheInflightLimitAndResumes() throws {
        var cluster = try TestCluster(voters: [1, 2])
        try cluster.elect(1)
        for _ in 0..<Limits.maximumInflightAppends + 50 {
            try cluster.propose(1, "x")
            try cluster.process(1)
        }
        let appends = cluster.network.filter { if case .append = $0.message.payload { true } else { false } }
        #expect(appends.count == Limits.maximumInflightAppends)
        try cluster.stabilize()
        #expect(try cluster[2].node.appliedIndex == cluster[1].node.lastIndex)
    }

    @Test func appendsStayBelowTheByteLimit() throws {
        var cluster = try TestCluster(voters: [1, 2])
        try cluster.elect(1)
        let half = [UInt8](repeating: 7, count: Limits.maximumAppendBytes / 2)
        _ = try cluster.with(1) { try $0.node.propose([half, half, half, half]) }
        try cluster.process(1)
        for envelope in cluster.network {
            guard case .append(let append) = envelope.message.payload else { continue }
            #expect(append.entries.reduce(0) { $0 + $1.cost } <= Limits.maximumAppendBytes)
        }
        try cluster.stabilize()
        #expect(try cluster[2].node.appliedIndex == 5)
    }

    @Test func proposalsAreRefusedWithTheReason() throws {
        var cluster = try TestCluster(voters: [1, 2])
        #expect(throws: ProposalRefused.notLeader(leader: nil)) { try cluster.propose(1, "a") }
        try cluster.elect(1)
        #expect(throws: ProposalRefused.notLeader(leader: 1)) { try cluster.propose(2, "a") }
        let large = [UInt8](repeating: 0, count: Limits.maximumEntryBytes + 1)
        #expect(throws: ProposalRefused.entryTooLarge(bytes: large.count, maximum: Limits.maximumEntryBytes)) {
            try cluster.with(1) { _ = try $0.node.propose([large]) }
        }
        let full = [[UInt8]](repeating: [UInt8](repeating: 0, count: Limits.maximumEntryBytes), count: 31)
        _ = try cluster.with(1) { try $0.node.propose(full) }
        #expect(throws: ProposalRefused.overloaded) { try cluster.with(1) { _ = try $0.node.propose(full) } }
        try cluster.stabilize()
        try cluster.propose(1, "a")
    }

    /// Paper §5.3: an append vouches for what it covers, not for what an earlier leader left behind it.
    @Test func onlyWhatAnAppendCoversIsAcknowledged() throws {
        let entries = (1...5).map { LogEntry(index: $0, term: 1, kind: .normal) }
        let restored = RestoredState(
            hardState: HardState(term: 1), snapshot: SnapshotMetadata(membership: Membership(voters: [1, 2, 3])),
            entries: entries)
        var node = try RaftNode(id: 1, restored: restored, random: SeededRandom(seed: 1))
        let append = Append(previousIndex: 1, previousTerm: 1, commit: 9, entries: [entries[1]])
        try node.step(Message(from: 2, to: 1, term: 2, payload: .append(append)))
        #expect(node.commitIndex == 2)
        for directive in node.ready() {
            if case .persist(let request) = directive { node.onPersisted(request.number) }
        }
        let sent = node.ready().flatMap { directive in
            if case .send(let messages) = directive { messages } else { [Message]() }
        }
        #expect(sent == [Message(from: 1, to: 2, term: 2, payload: .appendResponse(.accepted(match: 2)))])
    }

    /// A follower that lost what it acknowledged says so instead of carrying on.
    @Test func aLostLogIsNoticed() throws {
        var cluster = try TestCluster(voters: [1, 2])
        try cluster.elect(1)
        let heartbeat = Heartbeat(commit: 50, readRound: 0)
        #expect(throws: ProtocolViolation.self) {
            try cluster.with(2) { try $0.node.step(Message(from: 1, to: 2, term: 1, payload: .heartbeat(heartbeat))) }
        }
    }

    @Test func twoLeadersOfOneTermAreNoticed() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        let heartbeat = Heartbeat(commit: 0, readRound: 0)
        #expect(throws: ProtocolViolation.self) {
            try cluster.with(2) { try $0.node.step(Message(from: 3, to: 2, term: 1, payload: .heartbeat(heartbeat))) }
        }
    }
}

@Suite struct ChangeTests {
    @Test func changesComeOneAtATimeAndAfterTheFirstCommit() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.with(1) { $0.node.campaign() }
        while try cluster.status(1).role != .leader {
            for id: RaftID in [1, 2] {
                try cluster.process(id)
                try cluster.with(id) { $0.persist($0.pendingWrites.count) }
                try cluster.process(id)
                try cluster.deliver(id == 1 ? 2 : 1)
            }
        }
        #expect(try cluster.status(1).role == .leader)
        #expect(throws: ProposalRefused.termNotCommitted) {
            try cluster.with(1) { _ = try $0.node.proposeMembership(.addLearner(4)) }
        }
        try cluster.stabilize()
        _ = try cluster.with(1) { try $0.node.proposeMembership(.addLearner(4)) }
        #expect(throws: ProposalRefused.membershipChangePending(index: 2)) {
            try cluster.with(1) { _ = try $0.node.proposeMembership(.addLearner(5)) }
        }
        try cluster.stabilize()
        for id: RaftID in 1...3 { #expect(try cluster[id].node.membership.learners == [4]) }
    }

    /// A joiner knows nobody until the leader tells it: the entries carry the whole membership.
    @Test func aJoinerLearnsTheMembershipFromTheLog() throws {
        var cluster = try TestCluster(voters: [1, 2])
        try cluster.elect(1)
        try cluster.add([3], membership: Membership())
        for change in [MembershipChange.addLearner(3), .addVoter(3)] {
            _ = try cluster.with(1) { try $0.node.proposeMembership(change) }
            try cluster.stabilize()
        }
        #expect(try cluster[3].node.membership == Membership(voters: [1, 2, 3]))
        #expect(try cluster[3].machine == cluster[1].machine)
        try cluster.crash(3)
        try cluster.tick(1, times: 2)
        try cluster.stabilize()
        #expect(try cluster[3].node.membership == Membership(voters: [1, 2, 3]))
    }

    /// The membership in a snapshot may be older than the joiner's own admission.
    @Test func aJoinerThatNeedsASnapshotCatchesUp() throws {
        var cluster = try TestCluster(voters: [1])
        try cluster.elect(1)
        try cluster.propose(1, "a", "b")
        try cluster.stabilize()
        try cluster.with(1) { $0.compact(trailing: 0) }
        try cluster.add([2], membership: Membership())
        _ = try cluster.with(1) { try $0.node.proposeMembership(.addLearner(2)) }
        for _ in 0..<3 {
            try cluster.stabilize()
            try cluster.tick(1, times: 2)
        }
        try cluster.stabilize()
        #expect(try cluster[2].machine == cluster[1].machine)
        #expect(try cluster[2].node.membership == Membership(voters: [1], learners: [2]))
        #expect(try cluster[2].disk.snapshot.index == 3)
    }

    @Test func aLearnerIsReadyOnceItLacksLittleOfTheLog() throws {
        var cluster = try TestCluster(voters: [1, 2])
        try cluster.elect(1)
        try cluster.add([3, 4], membership: Membership())
        cluster.isolate(4)
        _ = try cluster.with(1) { try $0.node.proposeMembership([.addLearner(3), .addLearner(4)]) }
        try cluster.stabilize()
        // Of 4 nothing is known.
        #expect(try cluster[1].node.learners(lackingAtMost: 0) == [3])
        #expect(try cluster[2].node.learners(lackingAtMost: 100) == [])
        cluster.isolate(3)
        try cluster.propose(1, "a", "b", "c")
        try cluster.stabilize()
        #expect(try cluster[1].node.learners(lackingAtMost: 2) == [])
        #expect(try cluster[1].node.learners(lackingAtMost: 3) == [3])
        try cluster.tick(1, times: 25)
        #expect(try cluster[1].node.learners(lackingAtMost: 3) == [])
    }

    /// What follows a snapshot on its way stays, so that the member needs no other one.
    @Test func theLogIsKeptBehindASnapshotOnItsWay() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        cluster.isolate(3)
        try cluster.propose(1, "a")
        try cluster.stabilize()
        try cluster.with(1) { $0.compact(trailing: 0) }
        cluster.cuts = []
        try cluster.with(1) { $0.node.onUnreachable(3) }
        var transfer: Envelope?
        for _ in 0..<3 {
            try cluster.tick(1, times: 2)
            try cluster.process(1)
            transfer = cluster.network.first {
                if case .installSnapshot = $0.message.payload { true } else { false }
            }
            if transfer != nil { break }
            try cluster.deliver(3)
            try cluster.process(3)
            try cluster.deliver(1)
        }
        let onItsWay = try #require(transfer)
        cluster.network = []
        try cluster.propose(1, "b", "c")
        try cluster.stabilize([1, 2])
        try cluster.with(1) { $0.compact(trailing: 0) }
        #expect(try cluster[1].node.firstIndex == 3)
        #expect(try cluster[1].disk.snapshot.index == 4)
        cluster.network = [onItsWay]
        for _ in 0..<3 {
            try cluster.stabilize()
            try cluster.tick(1, times: 2)
        }
        #expect(try cluster[3].machine == cluster[1].machine)
        #expect(try cluster[3].disk.snapshot.index == 2)
        // Once nobody needs them they go.
        try cluster.propose(1, "d")
        try cluster.stabilize()
        try cluster.with(1) { $0.compact(trailing: 0) }
        #expect(try cluster[1].node.firstIndex == 6)
    }

    @Test func aFailedSnapshotIsSentAgain() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        cluster.isolate(3)
        try cluster.propose(1, "a")
        try cluster.stabilize()
        try cluster.with(1) { $0.compact(trailing: 0) }
        cluster.cuts = [[1, 3]]
        try cluster.with(1) { $0.node.onUnreachable(3) }
        for _ in 0..<3 {
            cluster.cuts = []
            try cluster.tick(1, times: 2)
            try cluster.process(1)
            try cluster.deliver(3)
            try cluster.process(3)
            try cluster.deliver(1)
            cluster.cuts = [[1, 3]]
            try cluster.process(1)
        }
        cluster.cuts = []
        for _ in 0..<3 {
            try cluster.tick(1, times: 2)
            try cluster.stabilize()
        }
        #expect(try cluster[3].machine == cluster[1].machine)
        #expect(try cluster[3].disk.snapshot.index == 2)
    }

    /// Who is heard is known at any time, also just after the quorum was checked.
    @Test func aLeaderKnowsWhomItHears() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        cluster.isolate(3)
        for _ in 0..<100 {
            try cluster.tick(1)
            try cluster.stabilize()
            #expect(try cluster[1].node.isRecentlyActive(2) == true)
        }
        #expect(try cluster[1].node.isRecentlyActive(3) == false)
        #expect(try cluster[2].node.isRecentlyActive(1) == nil)
    }

    @Test func transferAbortsAfterAnElectionTimeout() throws {
        var cluster = try TestCluster(voters: [1, 2, 3])
        try cluster.elect(1)
        cluster.cut(1, 3)
        try cluster.with(1) { try $0.node.transferLeadership(to: 3) }
        #expect(throws: ProposalRefused.transferring(to: 3)) { try cluster.propose(1, "a") }
        for _ in 0..<5 {
            try cluster.tick(1, times: 2)
            try cluster.stabilize([1, 2])
        }
        try cluster.propose(1, "a")
        #expect(throws: ProposalRefused.invalidTransferee(9)) {
            try cluster.with(1) { try $0.node.transferLeadership(to: 9) }
        }
    }
}
