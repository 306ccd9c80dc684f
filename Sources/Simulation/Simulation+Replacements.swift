import Consensus

/// A manager that leaves for another one: its disk is lost, or it is demoted and promoted again, which makes it another
/// member. Whoever has no log any more must not vote under its old id.
struct Replacement {
    let old: RaftID
    let new: RaftID
    /// The old one is not there any more.
    let isLost: Bool
    /// Both changes in one, by joint consensus.
    let isJoint: Bool
}

/// One replacement at a time, as an operator who minds the quorum does it, in runs without other changes of the members.
extension Simulation {
    private static let interval: Microseconds = 150_000

    func planReplacements() {
        guard options.replacements > 0 else { return }
        scheduler.after(Self.interval) { [self] in
            if replacement != nil {
                advanceReplacement()
            } else if !isCalm, chance.perMinute(options.replacements, every: Self.interval) {
                if let target = chance.pick(managers) { try beginReplacement(of: target, isLost: chance.percent(50)) }
            }
            planReplacements()
        }
    }

    /// False where the quorum, or the certainty that what was committed is still there, would go with it.
    @discardableResult
    func beginReplacement(of manager: SimulatedManager, isLost: Bool) throws -> Bool {
        guard options.replacements > 0, replacement == nil, let leader, !leader.node.membership.isJoint,
            leader.node.membership == membership, membership.voters.contains(manager.id),
            membership.learners.isEmpty, membership.voters.count >= (isLost ? 3 : 2)
        else { return false }
        let new = lastManagerID + 1
        replacement = Replacement(old: manager.id, new: new, isLost: isLost, isJoint: chance.percent(50))
        if isLost {
            trace("manager \(manager.id) loses its disk; manager \(new) is to take its place")
            coverage.note(.diskLost)
            retire(manager)
        } else {
            trace("manager \(manager.id) is to be demoted, and promoted again as \(new)")
        }
        try addManager(new, founders: [])
        return true
    }

    /// The next change, asked for again until it is made: each may be refused or lost.
    private func advanceReplacement() {
        guard let replacement, let leader, leader.pausedUntil <= now else { return }
        let (old, new) = (replacement.old, replacement.new)
        let membership = leader.node.membership
        if membership.isJoint { return }
        let hasOld = membership.contains(old)
        if !hasOld, membership.voters.contains(new) { return endReplacement() }
        if leader.id == old {
            let other = membership.voters.first { $0 != old }
            if let other { leader.push(.transferLeadership(to: other)) }
        } else if replacement.isJoint, hasOld, !membership.contains(new) {
            leader.push(.changeMembership([.remove(old), .addVoter(new)]))
        } else if !membership.contains(new) {
            leader.push(.changeMembership([.addLearner(new)]))
        } else if hasOld {
            leader.push(.changeMembership([.remove(old)]))
        } else {
            leader.push(.changeMembership([.addVoter(new)]))
        }
    }

    private func endReplacement() {
        guard let ended = replacement else { return }
        trace("manager \(ended.new) has taken the place of \(ended.old)")
        coverage.note(ended.isLost ? .lostManagerReplaced : .managerDemotedAndPromoted)
        replacement = nil
        guard !ended.isLost, let manager = manager(ended.old) else { return }
        // It may not know yet that it is no member any more.
        scheduler.after(isCalm ? 0 : chance.pick(0...5_000_000)) { [self] in retire(manager) }
    }
}
