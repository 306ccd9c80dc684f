import Primitives
import Testing

@testable import Consensus

@Suite struct QuorumTests {
    @Test func majorityReachedIsTheLowerMedian() {
        let table: [([UInt64], UInt64)] = [
            ([5], 5), ([3, 5], 3), ([1, 2, 3], 2), ([1, 2, 3, 4], 2), ([1, 2, 3, 4, 5], 3), ([0, 0, 9], 0), ([], 0),
        ]
        for (values, expected) in table {
            let membership = Membership(voters: values.indices.map { RaftID($0 + 1) })
            #expect(membership.majorityReached { values[Int($0) - 1] } == expected)
        }
    }

    @Test func jointDecisionsNeedBothMajorities() {
        let joint = Membership(voters: [1, 2, 3], outgoingVoters: [3, 4, 5])
        #expect(!joint.isMajority { [1, 2, 3].contains($0) })
        #expect(joint.isMajority { [1, 3, 4].contains($0) })
        #expect(joint.outcome { [4, 5].contains($0) ? false : true } == .lost)
        #expect(joint.outcome { $0 == 4 ? nil : $0 != 5 } == .pending)
    }

    @Test func learnersDoNotCount() {
        let membership = Membership(voters: [1, 2, 3], learners: [4, 5])
        #expect(!membership.isMajority { [1, 4, 5].contains($0) })
        #expect(membership.outcome { $0 == 1 ? true : nil } == .pending)
    }
}

@Suite struct MembershipTests {
    @Test func changesAreOneMemberAtATime() {
        let three = Membership(voters: [1, 2, 3])
        let learning = Membership(voters: [1, 2, 3], learners: [4])
        #expect(three.changed(by: .addLearner(4)) == .changed(learning))
        #expect(learning.changed(by: .addVoter(4)) == .changed(Membership(voters: [1, 2, 3, 4])))
        #expect(learning.changed(by: .remove(4)) == .changed(three))
        #expect(three.changed(by: .addLearner(3)) == .changed(Membership(voters: [1, 2], learners: [3])))
    }

    @Test func changesOfSeveralVotersAreJoint() {
        let three = Membership(voters: [1, 2, 3])
        #expect(
            three.changed(by: [.addVoter(4), .remove(2)])
                == .changed(Membership(voters: [1, 3, 4], outgoingVoters: [1, 2, 3])))
        // One voter alone needs no joint membership, whatever happens to learners.
        #expect(
            three.changed(by: [.addLearner(4), .addLearner(5), .remove(3)])
                == .changed(Membership(voters: [1, 2], learners: [4, 5])))
        #expect(three.changed(by: [.addVoter(4), .remove(4)]) == .refused(.noEffect))
        #expect(three.changed(by: [.remove(1), .remove(2), .remove(3)]) == .refused(.lastVoter))
    }

    @Test func voterThatBecomesALearnerAmongOthersVotesUntilTheJointMembershipIsLeft() {
        let joint = Membership(voters: [1, 4], outgoingVoters: [1, 2, 3], learners: [3])
        #expect(joint.isVoter(3))
        #expect(joint.members == [1, 2, 3, 4])
        #expect(joint.left == Membership(voters: [1, 4], learners: [3]))
    }

    @Test func pointlessOrFatalChangesAreRefused() {
        let one = Membership(voters: [1])
        #expect(one.changed(by: .remove(1)) == .refused(.lastVoter))
        #expect(one.changed(by: .addLearner(1)) == .refused(.lastVoter))
        #expect(one.changed(by: .remove(2)) == .refused(.noEffect))
        #expect(one.changed(by: .addVoter(1)) == .refused(.noEffect))
        #expect(one.changed(by: .addVoter(0)) == .refused(.invalidID))
    }
}

@Suite struct RaftLogTests {
    private func log(_ terms: [Term], committed: LogIndex = 0) -> RaftLog {
        let entries = terms.enumerated().map { LogEntry(index: LogIndex($0 + 1), term: $1, kind: .normal) }
        return RaftLog(compactedIndex: 0, compactedTerm: 0, entries: entries, committed: committed, applied: 0)
    }

    /// Paper §5.4.1: the later last term wins, then the longer log.
    @Test func upToDateComparesTermThenLength() {
        let log = log([1, 2, 2])
        #expect(log.isUpToDate(lastIndex: 1, lastTerm: 3))
        #expect(log.isUpToDate(lastIndex: 3, lastTerm: 2))
        #expect(!log.isUpToDate(lastIndex: 2, lastTerm: 2))
        #expect(!log.isUpToDate(lastIndex: 9, lastTerm: 1))
    }

    /// Paper §5.3: an append that repeats what is there never cuts anything off.
    @Test func mergeKeepsWhatMatches() throws {
        var log = log([1, 1, 2])
        var cut = try log.merge([LogEntry(index: 2, term: 1, kind: .normal)])
        #expect(cut == nil)
        #expect(log.lastIndex == 3)
        cut = try log.merge([LogEntry(index: 3, term: 3, kind: .normal)])
        #expect(cut == 3)
        #expect(log.lastTerm == 3)
        #expect(log.durable == 2)
        let unoffered = log.takeUnoffered()
        #expect(unoffered.truncatesFrom == 3)
        #expect(unoffered.entries.map(\.index) == [3])
    }

    @Test func committedEntriesAreNeverCutOff() {
        var log = log([1, 1], committed: 2)
        #expect(throws: ProtocolViolation.self) { _ = try log.merge([LogEntry(index: 2, term: 2, kind: .normal)]) }
        #expect(throws: ProtocolViolation.self) { try log.commit(to: 3) }
    }

    @Test func conflictSearchSkipsTermsThatCannotMatch() {
        let log = log([1, 1, 3, 3, 5])
        #expect(log.lastIndex(upTo: 5, termAtMost: 4) == (4, 3))
        #expect(log.lastIndex(upTo: 3, termAtMost: 9) == (3, 3))
        #expect(log.lastIndex(upTo: 9, termAtMost: 2) == (2, 1))
        #expect(log.lastIndex(upTo: 5, termAtMost: 0) == (0, 0))
    }

    @Test func slicesEndAtTheByteLimitButHoldOneEntry() {
        let log = log([1, 1, 1])
        #expect(log.slice(from: 1, through: 3, maximumBytes: 0).count == 1)
        #expect(log.slice(from: 1, through: 3, maximumBytes: 2 * Limits.entryOverheadBytes).count == 2)
        #expect(log.slice(from: 3, through: 9, maximumBytes: .max).count == 1)
        #expect(log.slice(from: 4, through: 9, maximumBytes: .max).isEmpty)
    }
}

@Suite struct ProgressTests {
    @Test func probingStepsBackAndReplicatingFallsBackToProbe() {
        var progress = Progress(id: 2, next: 10)
        let old = progress.reject(at: 5, probe: 1)
        let news = progress.reject(at: 9, probe: 4)
        #expect(!old && news)
        #expect(progress.next == 5)
        progress.acknowledge(6, firstIndex: 1)
        #expect(progress.state == .replicate)
        #expect(progress.next == 7)
        let overtaken = progress.reject(at: 6, probe: 3)
        let lost = progress.reject(at: 8, probe: 3)
        #expect(!overtaken && lost)
        #expect(progress.state == .probe)
        #expect(progress.next == 7)
    }

    @Test func inflightsFillByCountAndByBytes() {
        var inflights = Inflights()
        for index in 1...UInt64(Limits.maximumInflightAppends) { inflights.add(last: index, bytes: 1) }
        #expect(inflights.isFull)
        inflights.free(through: 1)
        #expect(!inflights.isFull)
        inflights.add(last: 1000, bytes: Limits.maximumInflightBytes)
        #expect(inflights.isFull)
    }
}

@Suite struct PersistQueueTests {
    private let acknowledgement = Message(
        from: 1, to: 2, term: 1, payload: .appendResponse(.accepted(match: 7)))

    @Test func messagesWaitForTheWriteIssuedAfterThem() {
        var queue = PersistQueue()
        queue.hold(acknowledgement)
        let number = queue.issue(lastIndex: 7, hardState: HardState())
        var released = queue.takeReleased()
        #expect(released.isEmpty)
        _ = queue.complete(through: number)
        released = queue.takeReleased()
        #expect(released == [acknowledgement])
        queue.hold(acknowledgement)
        released = queue.takeReleased()
        #expect(released == [acknowledgement])
    }

    /// The same index may be written, cut off and written again before the first write completes.
    @Test func writesOfWhatWasCutOffDoNotCount() {
        var queue = PersistQueue()
        let first = queue.issue(lastIndex: 9, hardState: HardState())
        queue.clamp(below: 5)
        let second = queue.issue(lastIndex: 9, hardState: HardState())
        let completed = [first, second, second].map { queue.complete(through: $0)?.lastIndex }
        #expect(completed == [4, 9, nil])
    }
}

extension RaftLogTests {
    private func restored(_ terms: ClosedRange<UInt64>, snapshot: SnapshotMetadata) throws -> RaftLog {
        let entries = terms.map { LogEntry(index: $0, term: 1, kind: .normal) }
        return try RestoredState(hardState: HardState(term: 2), snapshot: snapshot, entries: entries).log()
    }

    @Test func restoredLogBeginsWhereStorageKeptIt() throws {
        let kept = try restored(3...9, snapshot: SnapshotMetadata(index: 5, term: 1))
        #expect(kept.compactedIndex == 3)
        #expect(kept.lastIndex == 9)
        #expect(kept.applied == 5)
        let newer = try restored(3...9, snapshot: SnapshotMetadata(index: 12, term: 2))
        #expect(newer.compactedIndex == 12)
        #expect(newer.lastIndex == 12)
        let contradicted = try restored(3...9, snapshot: SnapshotMetadata(index: 8, term: 2))
        #expect(contradicted.lastIndex == 8)
        #expect(throws: InvalidRestoredState.self) {
            try self.restored(7...9, snapshot: SnapshotMetadata(index: 5, term: 1))
        }
    }
}
