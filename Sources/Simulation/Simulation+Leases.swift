import Consensus

/// The hardest moment for lease reads: one voter has just promised the leader its vote and restarts, when another one, which
/// does not hear the leader, asks for it. The leader hears nobody any more and reads by its lease.
struct LeaseTrap {
    let leader: ManagerProcess
    let voter: SimulatedManager
    let candidate: RaftID
    /// When the voter restarted.
    var sprungAt: Microseconds?
}

extension Simulation {
    /// Parts the candidate from the leader: it campaigns when it has heard nothing for an election timeout.
    func armLeaseTrap() {
        guard network.isWhole, let leader, leader.node.membership.voters.count == 3 else { return }
        let others = leader.node.membership.voters.filter { $0 != leader.id }.shuffled(using: &chance.random)
        guard let voter = others.first.flatMap(manager), voter.process != nil, let candidate = others.last else {
            return
        }
        trace("manager \(candidate) does not hear leader \(leader.id); \(voter.id) is to restart when it campaigns")
        network.part(.split([leader.id], [candidate]))
        healLater()
        leaseTrap = LeaseTrap(leader: leader, voter: voter, candidate: candidate)
    }

    /// The candidate asks for the vote: it may arrive when the voter is there again.
    func springLeaseTrap(by message: Message) {
        guard let trap = leaseTrap, trap.sprungAt == nil, case .requestVote = message.payload,
            message.from == trap.candidate,
            message.to == trap.voter.id
        else { return }
        guard !isCalm, !trap.leader.isOver, trap.leader.node.role == .leader, trap.voter.process != nil else {
            leaseTrap = nil
            return
        }
        leaseTrap?.sprungAt = now
        coverage.note(.restartedUnderLease)
        network.part(.split([trap.leader.id], managers.map(\.id).filter { $0 != trap.leader.id }))
        healLater()
        scheduler.after(0) { [self] in
            crash(trap.voter, losesPower: false, restartingAfter: chance.pick(100...10_000))
        }
    }

    /// Two leaders for a moment: clients write through the new one and read from the old one.
    func hurryClients(to rival: RaftID) {
        guard let trap = leaseTrap, trap.candidate == rival, let sprungAt = trap.sprungAt, now < sprungAt + 400_000
        else {
            return
        }
        leaseTrap = nil
        for delay in stride(from: 10_000, through: 300_000, by: 20_000) {
            scheduler.after(delay) { [self] in
                for (number, client) in clients.enumerated() {
                    let isWriter = number % 2 == 0
                    client.hurry(to: isWriter ? rival : trap.leader.id, writing: isWriter)
                }
            }
        }
    }
}
