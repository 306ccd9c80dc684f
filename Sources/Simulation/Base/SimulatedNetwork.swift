import Consensus

/// The links between managers.
final class SimulatedNetwork {
    private struct Link: Hashable {
        let from: RaftID
        let to: RaftID
    }

    /// Who cannot reach whom.
    enum Partition {
        /// Two sides that do not hear each other.
        case split([RaftID], [RaftID])
        /// The first do not reach the second, which reach them.
        case oneWay([RaftID], [RaftID])
        /// Two sides, and one member that hears both.
        case bridge([RaftID], [RaftID], by: RaftID)
        /// Everybody hears two neighbours alone.
        case ring([RaftID])
    }

    private let options: SimulationOptions
    private let scheduler: Scheduler
    private let chance: Chance
    private let coverage: CoverageCounter
    private var blocked: Set<Link> = []
    private var lastArrival: [Link: Microseconds] = [:]
    var isCalm = false
    /// How many there have been.
    private(set) var partitions = 0

    init(
        options: SimulationOptions, scheduler: Scheduler, chance: Chance, coverage: CoverageCounter
    ) {
        self.options = options
        self.scheduler = scheduler
        self.chance = chance
        self.coverage = coverage
    }

    var isWhole: Bool { blocked.isEmpty }

    func heal() { blocked = [] }

    func part(_ partition: Partition) {
        func cut(_ one: [RaftID], _ other: [RaftID]) {
            for from in one { for to in other { blocked.insert(Link(from: from, to: to)) } }
        }
        heal()
        partitions += 1
        switch partition {
        case .split(let one, let other):
            coverage.note(.partitionSplit)
            cut(one, other)
            cut(other, one)
        case .oneWay(let one, let other):
            coverage.note(.partitionOneWay)
            cut(one, other)
        case .bridge(let one, let other, let bridge):
            coverage.note(.partitionBridge)
            cut(one.filter { $0 != bridge }, other.filter { $0 != bridge })
            cut(other.filter { $0 != bridge }, one.filter { $0 != bridge })
        case .ring(let members):
            coverage.note(.partitionRing)
            for (place, from) in members.enumerated() {
                for (other, to) in members.enumerated() {
                    let distance = abs(place - other)
                    if distance > 1, distance < members.count - 1 { blocked.insert(Link(from: from, to: to)) }
                }
            }
        }
    }

    func isOpen(from: RaftID, to: RaftID) -> Bool { blocked.isEmpty || !blocked.contains(Link(from: from, to: to)) }

    /// - Parameters:
    ///   - wait: until it leaves.
    ///   - arrive: at the receiver; perhaps more than once.
    ///   - lost: on the way.
    func transmit(
        from: RaftID, to: RaftID, after wait: Microseconds, extra: Microseconds = 0,
        arrive: @escaping () throws -> Void, lost: @escaping () -> Void
    ) {
        if isCalm { return scheduler.after(wait + extra + chance.pick(100...1_000), arrive) }
        if chance.perMille(options.lossPerMille) {
            coverage.note(.messageLost)
            return lost()
        }
        let isDoubled = chance.perMille(options.doublePerMille)
        if isDoubled { coverage.note(.messageDoubled) }
        for _ in 0..<(isDoubled ? 2 : 1) {
            scheduler.after(delay(from: from, to: to, after: wait + extra)) { [self] in
                guard isOpen(from: from, to: to) else {
                    coverage.note(.messageBlocked)
                    return lost()
                }
                try arrive()
            }
        }
    }

    private func delay(from: RaftID, to: RaftID, after wait: Microseconds) -> Microseconds {
        var delay = wait + chance.pick(100...100 + options.delayMicroseconds)
        if chance.perMille(options.latePerMille) {
            coverage.note(.messageLate)
            delay += chance.pick(10_000...1_500_000)
        } else if options.isNetworkOrdered {
            let link = Link(from: from, to: to)
            let arrival = max(scheduler.now + delay, (lastArrival[link] ?? 0) + 1)
            lastArrival[link] = arrival
            delay = arrival - scheduler.now
        }
        return delay
    }
}
