/// What can go wrong in a run.
public enum Fault: Int, CaseIterable, Sendable {
    case messageLost, messageLate, messageDoubled, messageBlocked, peerReportedUnreachable, snapshotTransferFailed
    case partitionSplit, partitionLeaderAlone, partitionOneWay, partitionBridge, partitionRing
    case processKilled, processPaused, powerCut, powerCutEverywhere, crashAtDirective, newLeaderDoomed, newLeaderCutOff,
        crashAtDiskOperation, restartedUnderLease, diskLost
    case unsyncedWriteLost, unsyncedWriteSurvived, tornWrite, folderEntryLost
    case diskFull, slowSync, corruptedWrite
    case clockDrift, wallClockJump, machineSuspended
    case agentKilled, agentRebooted, agentCutOff, agentSessionBroken, containerFailed
    case agentPartedFromManager, agentSessionHalfOpen
}

/// What a member asked its shell to do.
public enum DirectiveKind: Int, CaseIterable, Sendable {
    case status, send, persist, persistTruncating, persistSnapshot, sendSnapshot, installSnapshot, apply, serveReads
}

/// Situations in which a checker had something to decide: a run without them proves nothing.
public enum Interest: Int, CaseIterable, Sendable {
    case leaderElected, leaderHadToHoldHistory, sameEntryAppliedElsewhere, sameEntryWrittenElsewhere, statesCompared,
        stateComparedAfterSnapshot
    case restarted, tornTailCut, damageRefused, snapshotTaken, logCompacted
    case writeAcknowledged, writeRefusedAsStale, writeOfUnknownOutcome, readByLeader, readByFollower, readByLease
    case readOverlappedWrite, keyHistoryChecked
    case learnerAdded, learnerPromoted, voterRemoved, voterDemoted, changedJointly, membershipsCompared,
        leadershipTransferred, lostManagerReplaced, managerDemotedAndPromoted, promotedAgainAtOnce,
        voteAskedAfterRestart
    case managersPromotedTogether, managersDemotedTogether, managersSwapped, leaderGaveWay, demotionRefused,
        removalTakenBack,
        nodeRetired
    case loopWrote, loopWasRefused, agentRegistered, assignmentsSent, containerStarted, taskWentOn
    case addressesChecked, slotsChecked, nodeLost, nodeDrained, nodeRemoved, removedNodeTurnedAway, serviceScaled,
        serviceUpdated, serviceRemoved
    case updateCompleted, rollbackCompleted
    case clusterConverged, servicesConverged
}

/// How often everything happened.
public struct Coverage: Sendable {
    public private(set) var faults = [Int](repeating: 0, count: Fault.allCases.count)
    public private(set) var directives = [Int](repeating: 0, count: DirectiveKind.allCases.count)
    public private(set) var interests = [Int](repeating: 0, count: Interest.allCases.count)

    public init() {}

    mutating func note(_ fault: Fault) { faults[fault.rawValue] += 1 }
    mutating func note(_ directive: DirectiveKind) { directives[directive.rawValue] += 1 }
    mutating func note(_ interest: Interest, _ times: Int = 1) { interests[interest.rawValue] += times }

    public subscript(interest: Interest) -> Int { interests[interest.rawValue] }
    public subscript(fault: Fault) -> Int { faults[fault.rawValue] }

    public static func += (sum: inout Coverage, other: Coverage) { sum.add(other.counts) }

    /// Name and count of everything, in a fixed order.
    public var lines: [(group: String, name: String, count: Int)] {
        Fault.allCases.map { ("fault", "\($0)", faults[$0.rawValue]) }
            + DirectiveKind.allCases.map { ("directive", "\($0)", directives[$0.rawValue]) }
            + Interest.allCases.map { ("case", "\($0)", interests[$0.rawValue]) }
    }

    /// What has never happened.
    public var missing: [String] { lines.filter { $0.count == 0 }.map { "\($0.group) \($0.name)" } }

    /// The counts alone, for another process.
    public var counts: [Int] { faults + directives + interests }

    /// Adds what another process counted; anything that is not of this shape is not counted.
    public mutating func add(_ counts: [Int]) {
        guard counts.count == self.counts.count else { return }
        for index in faults.indices { faults[index] += counts[index] }
        for index in directives.indices { directives[index] += counts[faults.count + index] }
        for index in interests.indices { interests[index] += counts[faults.count + directives.count + index] }
    }
}

/// A run's counts, shared by all its parts.
final class CoverageCounter {
    private(set) var value = Coverage()

    func note(_ fault: Fault) { value.note(fault) }
    func note(_ directive: DirectiveKind) { value.note(directive) }
    func note(_ interest: Interest, _ times: Int = 1) { value.note(interest, times) }
}
