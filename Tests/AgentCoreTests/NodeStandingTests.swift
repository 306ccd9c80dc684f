import AgentCore
import ClusterModel
import Primitives
import Testing

@Suite struct NodeStandingTests {
    private let worker = NodeStanding.Present(role: .worker, raftID: 0, isManagerRunning: false)
    private let manager = NodeStanding.Present(role: .manager, raftID: 7, isManagerRunning: true)
    private let stopped = NodeStanding.Present(role: .manager, raftID: 7, isManagerRunning: false)
    private let lost = Failure(.dataLoss, "the log is gone")
    private let removed = Failure(.notFound, "no such node")
    private let fence = Failure(.alreadyExists, "another machine is this node")

    private func told(_ role: WantedRole?, loss: Failure? = nil) -> NodeStanding {
        var standing = NodeStanding(loss: loss)
        standing.onAssignments(role: role, trust: [])
        return standing
    }

    // MARK: What is due

    @Test func aRoleIsDueWhereTheNodeIsAnotherThing() {
        #expect(!NodeStanding(loss: nil).isRoleDue(worker))
        #expect(!told(.worker).isRoleDue(worker))
        #expect(told(.worker).isRoleDue(manager))
        #expect(told(.manager(raftID: 0)).isRoleDue(worker))
        #expect(told(.manager(raftID: nil)).isRoleDue(worker))
        #expect(!told(.manager(raftID: nil)).isRoleDue(manager))
        #expect(!told(.manager(raftID: 7)).isRoleDue(manager))
    }

    /// A crash between the certificate and the manager's beginning.
    @Test func aManagerThatDoesNotRunIsDue() {
        #expect(told(.manager(raftID: 7)).isRoleDue(stopped))
        #expect(told(.worker).isRoleDue(.init(role: .worker, raftID: 7, isManagerRunning: true)))
    }

    @Test func r22AManagerThatIsToBeAnotherMemberIsDue() {
        #expect(told(.manager(raftID: 0)).isRoleDue(manager))
        #expect(told(.manager(raftID: 8)).isRoleDue(manager))
    }

    @Test func anAssignmentWithoutARoleLeavesTheLastOne() {
        var standing = told(.worker)
        standing.onAssignments(role: nil, trust: [])
        #expect(standing.isRoleDue(manager))
    }

    @Test func aCertificateIsDueAtItsTimeAndForAnotherTrust() {
        let (before, half) = (Timestamp(nanoseconds: 9), Timestamp(nanoseconds: 10))
        var standing = told(.worker)
        #expect(!standing.isCertificateDue(renewsAt: half, trust: [1], now: before))
        #expect(standing.isCertificateDue(renewsAt: half, trust: [1], now: half))
        standing.onAssignments(role: nil, trust: [2])
        #expect(standing.isCertificateDue(renewsAt: half, trust: [1], now: before))
        #expect(!standing.isCertificateDue(renewsAt: half, trust: [2], now: before))
    }

    @Test func whoIsRefusedAsksForNothingUntilTheManagersKnowItAgain() {
        var standing = told(.worker)
        let isNews = standing.onRefusal(removed)
        let isNewsAgain = standing.onRefusal(removed)
        #expect(isNews && !isNewsAgain)
        #expect(standing.hindrance(manager)?.code == removed.code)
        #expect(!standing.isRoleDue(manager))
        #expect(!standing.isCertificateDue(renewsAt: .zero, trust: [], now: Timestamp(nanoseconds: 1)))
        standing.onAssignments(role: nil, trust: [])
        #expect(standing.hindrance(manager) == nil)
        #expect(standing.isRoleDue(manager))
    }

    // MARK: Answers

    private func step(
        _ role: NodeRole, _ raftID: UInt64, of present: NodeStanding.Present, loss: Failure? = nil
    ) throws -> NodeStanding.Step {
        var standing = NodeStanding(loss: loss)
        return try standing.take(role, raftID: raftID, askedAfter: 0, present)
    }

    @Test func anAnswerMakesOfTheNodeWhatItSays() throws {
        #expect(try step(.worker, 0, of: worker) == .renew)
        #expect(try step(.manager, 7, of: manager) == .renew)
        #expect(try step(.manager, 7, of: worker) == .promote)
        #expect(try step(.manager, 7, of: stopped) == .promote)
        #expect(try step(.manager, 8, of: manager) == .replace)
        #expect(try step(.worker, 0, of: manager) == .demote)
        #expect(try step(.worker, 0, of: stopped) == .demote)
    }

    /// Two managers of one raft id could vote twice.
    @Test func anAnswerToAnEarlierQuestionIsRefused() throws {
        var standing = NodeStanding(loss: nil)
        let asked = standing.answersTaken
        #expect(try standing.take(.manager, raftID: 7, askedAfter: asked, worker) == .promote)
        standing.onTaken(.manager, raftID: 7)
        let late = #expect(throws: Failure.self) {
            try standing.take(.manager, raftID: 7, askedAfter: asked, manager)
        }
        #expect(late?.code == .unavailable)
        #expect(try standing.take(.worker, raftID: 0, askedAfter: standing.answersTaken, manager) == .demote)
    }

    @Test func whatWasAskedForBeforeIsNotDueBehindAnAnswer() throws {
        var standing = told(.manager(raftID: 0))
        _ = try standing.take(.manager, raftID: 9, askedAfter: 0, manager)
        standing.onTaken(.manager, raftID: 9)
        #expect(!standing.isRoleDue(.init(role: .manager, raftID: 9, isManagerRunning: true)))
    }

    // MARK: A log that is lost

    @Test func aLostLogIsNotBegunAgainUnderItsRaftID() throws {
        var standing = told(.manager(raftID: 7), loss: lost)
        #expect(standing.hindrance(stopped)?.code == lost.code)
        #expect(!standing.isRoleDue(stopped))
        #expect(!told(.manager(raftID: nil), loss: lost).isRoleDue(stopped))
        #expect(try standing.take(.manager, raftID: 7, askedAfter: 0, stopped) == .renew)
        #expect(try standing.take(.manager, raftID: 8, askedAfter: 1, stopped) == .promote)
        standing.onMemberGone()
        #expect(standing.hindrance(stopped) == nil)
    }

    @Test func r26eWhoseLogIsLostMayBeDemotedAndBeAnotherMember() throws {
        var standing = told(.worker, loss: lost)
        #expect(standing.isRoleDue(stopped))
        #expect(try standing.take(.worker, raftID: 0, askedAfter: 0, stopped) == .demote)
        standing.onMemberGone()
        standing.onTaken(.worker, raftID: 0)
        #expect(standing.hindrance(worker) == nil)
        #expect(told(.manager(raftID: 0), loss: lost).isRoleDue(stopped))
        #expect(told(.manager(raftID: 8), loss: lost).isRoleDue(stopped))
    }

    // MARK: A copy of the node

    @Test func r28TheManagerOfACopyEndsOnceAndTakesNoAnswer() throws {
        var standing = told(.manager(raftID: 7))
        let asked = standing.answersTaken
        _ = standing.onRefusal(fence)
        let holds = standing.holdsCopy(manager)
        let holdsAgain = standing.holdsCopy(manager)
        #expect(holds && !holdsAgain)
        // As long as it ends, whatever the managers say meanwhile.
        standing.onAssignments(role: .manager(raftID: 7), trust: [])
        #expect(!standing.isRoleDue(stopped))
        let ending = #expect(throws: Failure.self) {
            try standing.take(.manager, raftID: 8, askedAfter: asked, stopped)
        }
        #expect(ending?.code == .unavailable)
        _ = standing.onRefusal(fence)
        let refusal = #expect(throws: Failure.self) {
            try standing.take(.manager, raftID: 8, askedAfter: asked, stopped)
        }
        #expect(refusal?.code == fence.code)
        #expect(standing.answersTaken == asked)

        standing.onCopyEnded(lost)
        standing.onReadmission()
        #expect(standing.hindrance(stopped)?.code == lost.code)
        #expect(try standing.take(.manager, raftID: 7, askedAfter: asked, stopped) == .renew)
    }

    @Test func aRefusedWorkerHasNoManagerToEnd() {
        var standing = told(.worker)
        _ = standing.onRefusal(fence)
        let holds = standing.holdsCopy(worker)
        #expect(!holds)
        #expect(standing.isFenced)
    }
}
