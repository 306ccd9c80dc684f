import ClusterModel
import Consensus

extension Simulation {
    private static let interval: Microseconds = 100_000

    /// Faults and what operators do come on as the options say until the calm begins.
    func planFaults() {
        scheduler.after(Self.interval) { [self] in
            if isCalm { return }
            partNetwork()
            if isDue(options.restartsUnderLease) { armLeaseTrap() }
            for manager in managers { trouble(manager) }
            for agent in agents { trouble(agent) }
            if isDue(options.powerCutsEverywhere) {
                coverage.note(.powerCutEverywhere)
                for manager in managers { crash(manager, losesPower: true) }
            }
            try operate()
            planFaults()
        }
    }

    private func isDue(_ rate: Int) -> Bool { chance.perMinute(rate, every: Self.interval) }

    /// Rates are the cluster's: each manager has its share.
    private func isDue(_ rate: Int, for manager: SimulatedManager) -> Bool {
        chance.perMinute(rate, every: Self.interval / managers.count)
    }

    // MARK: The network

    private func partNetwork() {
        guard isDue(options.partitions) else { return }
        let members = chance.pick(0...1) == 0 ? managers.map(\.id) : managers.map(\.id).shuffled(using: &chance.random)
        let leaders = managers.compactMap(\.process).filter { $0.node.role == .leader }.map(\.id)
        let size = chance.pick(0...members.count)
        let one = Array(members.prefix(size))
        let other = Array(members.dropFirst(size))
        switch chance.pick(0...5) {
        case 0, 1:
            guard let leader = chance.pick(leaders) else { return }
            coverage.note(.partitionLeaderAlone)
            network.part(.split([leader], members.filter { $0 != leader }))
        case 2: network.part(.split(one, other))
        case 3: network.part(.oneWay(one, other))
        case 4:
            guard let bridge = chance.pick(members) else { return }
            network.part(.bridge(one, other, by: bridge))
        default: network.part(.ring(members))
        }
        healLater()
    }

    func healLater() {
        trace("the network is parted")
        let partition = network.partitions
        scheduler.after(chance.pick(200_000...8_000_000)) { [self] in
            guard network.partitions == partition, !network.isWhole else { return }
            trace("the network is whole")
            network.heal()
        }
    }

    /// The first moments of a term are the hardest: what the log holds of earlier terms is neither safe nor gone.
    func troubleNewLeader(_ process: ManagerProcess) {
        if isCalm { return }
        if chance.percent(options.newLeaderCrashPercent) {
            coverage.note(.newLeaderDoomed)
            process.directivesLeft = chance.pick(0...12)
        }
        guard chance.percent(options.newLeaderCutOffPercent) else { return }
        if chance.percent(50) { return cutOff(process) }
        scheduler.after(chance.pick(0...200_000)) { [self] in if !process.isOver, !isCalm { cutOff(process) } }
    }

    private func cutOff(_ process: ManagerProcess) {
        coverage.note(.newLeaderCutOff)
        network.part(.split([process.id], managers.map(\.id).filter { $0 != process.id }))
        healLater()
    }

    // MARK: Machines

    private func trouble(_ manager: SimulatedManager) {
        if isDue(options.kills, for: manager), manager.process != nil {
            coverage.note(.processKilled)
            crash(manager, losesPower: false)
        }
        if isDue(options.powerCuts, for: manager), manager.process != nil {
            coverage.note(.powerCut)
            crash(manager, losesPower: true)
        }
        if isDue(options.corruptions, for: manager) {
            manager.isCorruptionDue = true
            crash(manager, losesPower: true)
        }
        if isDue(options.pauses, for: manager), let process = manager.process {
            coverage.note(.processPaused)
            trace("manager \(manager.id) stands still")
            process.pausedUntil = now + chance.pick(100_000...4_000_000)
        }
        if isDue(options.suspensions, for: manager), let process = manager.process {
            coverage.note(.machineSuspended)
            trace("manager \(manager.id): its machine is suspended")
            let duration = chance.pick(300_000...4_000_000)
            process.suspendedUntil = now + duration
            process.pausedUntil = now + duration
            manager.suspended += duration
        }
        if isDue(options.directiveCrashes, for: manager) { manager.process?.directivesLeft = chance.pick(0...20) }
        if isDue(options.diskCrashes, for: manager) { manager.disk.operationsLeft = chance.pick(0...20) }
        if isDue(options.fullDisks, for: manager) {
            coverage.note(.diskFull)
            trace("manager \(manager.id): the disk is full")
            manager.disk.isFull = true
            scheduler.after(chance.pick(100_000...3_000_000)) { manager.disk.isFull = false }
        }
        if isDue(options.slowDisks, for: manager) {
            coverage.note(.slowSync)
            trace("manager \(manager.id): the disk is slow")
            manager.disk.syncMicroseconds = chance.pick(50_000...900_000)
            scheduler.after(chance.pick(500_000...4_000_000)) { [self] in
                manager.disk.syncMicroseconds = options.syncMicroseconds
            }
        }
        if isDue(options.clockJumps, for: manager) {
            coverage.note(.wallClockJump)
            manager.wallOffset += chance.pick(-3_600_000_000...3_600_000_000)
        }
    }

    private func trouble(_ agent: SimulatedAgent) {
        func isDue(_ rate: Int) -> Bool { chance.perMinute(rate, every: Self.interval / agents.count) }
        if isDue(options.agentKills) {
            coverage.note(.agentKilled)
            crash(agent, isReboot: false)
        }
        if isDue(options.agentReboots) {
            coverage.note(.agentRebooted)
            crash(agent, isReboot: true)
        }
        if isDue(options.agentPartitions), let manager = chance.percent(50) ? leader?.id : chance.pick(managers)?.id {
            coverage.note(.agentPartedFromManager)
            trace("agent \(agent.description.hostname) does not reach manager \(manager)")
            agent.partedFrom[manager] = now + chance.pick(300_000...15_000_000)
        }
        if isDue(options.agentCutOffs) {
            coverage.note(.agentCutOff)
            trace("agent \(agent.description.hostname) is cut off")
            agent.cutOff(until: now + chance.pick(500_000...20_000_000))
        }
    }

    private func crash(_ agent: SimulatedAgent, isReboot: Bool) {
        agent.crash(isReboot: isReboot)
        scheduler.after(chance.pick(100_000...(chance.percent(70) ? 2_000_000 : 20_000_000))) { agent.start() }
    }

    // MARK: Operators

    /// Somebody leads now: perhaps because it was asked to.
    func noteTransfer(to id: RaftID) {
        guard let transfer, transfer.to == id, transfer.at + 1_000_000 > now else { return }
        coverage.note(.leadershipTransferred)
    }

    private func operate() throws {
        if isDue(options.transfers), let target = chance.pick(managers) {
            for process in managers.compactMap(\.process) where process.node.role == .leader {
                trace("manager \(process.id) is to hand over to \(target.id)")
                transfer = (target.id, now)
                process.push(.transferLeadership(to: target.id))
            }
        }
        guard isDue(options.membershipChanges) else { return }
        if managers.count < options.managers + options.joiners, chance.percent(50) {
            _ = try addManager(UInt64(managers.count + 1), founders: [])
        }
        var changes: [MembershipChange] = []
        for _ in 0..<(chance.percent(30) ? chance.pick(2...3) : 1) {
            guard let id = chance.pick(managers)?.id else { return }
            changes.append(chance.pick([.addLearner(id), .addVoter(id), .addVoter(id), .remove(id)]) ?? .remove(id))
        }
        for process in managers.compactMap(\.process) { process.push(.changeMembership(changes, from: nil)) }
    }
}
