import Consensus
import Primitives

/// Everything about a run, drawn from its seed.
struct SimulationOptions {
    let seed: UInt64
    let serverCount: Int
    let lossPercent: Int
    let doublePercent: Int
    let maximumDelay: Int
    let crashPerMille: Int
    let partitionPerMille: Int
    let persistPercent: Int
    let applyPercent: Int
    let changesMembership: Bool
    let compactPercent: Int

    init(seed: UInt64, serverCount: Int, random: inout SeededRandom) {
        self.seed = seed
        self.serverCount = serverCount
        lossPercent = Int.random(in: 0...10, using: &random)
        doublePercent = Int.random(in: 0...10, using: &random)
        maximumDelay = Int.random(in: 1...8, using: &random)
        crashPerMille = Int.random(in: 0...6, using: &random)
        partitionPerMille = Int.random(in: 0...8, using: &random)
        persistPercent = Int.random(in: 25...100, using: &random)
        applyPercent = Int.random(in: 40...100, using: &random)
        changesMembership = serverCount > 3 && Bool.random(using: &random)
        compactPercent = Bool.random(using: &random) ? Int.random(in: 2...20, using: &random) : 0
    }
}

/// What happened in a run, to see that it was not trivial.
struct SimulationCounts {
    var applied: UInt64 = 0
    var elections = 0
    var crashes = 0
    var snapshotsInstalled = 0
    var membershipChanges = 0
    var readsServed = 0
    var truncations = 0

    static func += (sum: inout SimulationCounts, other: SimulationCounts) {
        sum.applied += other.applied
        sum.elections += other.elections
        sum.crashes += other.crashes
        sum.snapshotsInstalled += other.snapshotsInstalled
        sum.membershipChanges += other.membershipChanges
        sum.readsServed += other.readsServed
        sum.truncations += other.truncations
    }
}

/// A cluster in one thread: faults first, then a calm phase in which it must come to life again.
struct Simulator {
    static let faultySteps = 1500
    static let calmSteps = 300

    private struct Packet {
        let due: Int
        let envelope: Envelope
    }

    let options: SimulationOptions
    private var random: SeededRandom
    private var servers: [TestServer] = []
    private var isDown: [Bool]
    private var side: [Int]
    private var packets: [Packet] = []
    private var checker: Checker
    private var now = 0
    private var isCalm = false
    private var proposals: UInt64 = 0
    private var contexts: UInt64 = 0
    private(set) var counts = SimulationCounts()

    init(seed: UInt64, serverCount: Int) throws {
        random = SeededRandom(seed: seed)
        options = SimulationOptions(seed: seed, serverCount: serverCount, random: &random)
        let ids = (1...UInt64(serverCount)).map { $0 }
        // With membership changes some begin outside, without log or voters, as those who wait to join.
        let founding = Membership(voters: options.changesMembership ? Array(ids.prefix(3)) : ids)
        checker = Checker(founding: founding)
        for id in ids {
            let membership = founding.contains(id) ? founding : Membership()
            let restored = RestoredState(snapshot: SnapshotMetadata(membership: membership))
            servers.append(try TestServer(id: id, restored: restored, seed: seed))
        }
        isDown = ids.map { _ in false }
        side = ids.map { _ in 0 }
    }

    mutating func run() throws {
        for _ in 0..<Self.faultySteps {
            try injectFaults()
            try step()
            if roll(30) { try propose() }
            if roll(25) { try read() }
            if options.changesMembership, roll(3) { try changeMembership() }
            if roll(1) { try transfer() }
        }
        try calm()
        counts.applied = checker.lastApplied
        counts.membershipChanges = checker.membershipChanges
    }

    private mutating func roll(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    private mutating func anyServer() -> Int { Int.random(in: 0..<servers.count, using: &random) }

    // MARK: One step

    private mutating func step() throws {
        now += 1
        try deliver()
        for place in servers.indices where !isDown[place] {
            // Clocks drift: some ticks are missed, some come twice.
            let ticks = isCalm ? 1 : (roll(85) ? 1 : (roll(50) ? 0 : 2))
            for _ in 0..<ticks { servers[place].node.tick() }
            try work(place)
        }
    }

    private mutating func work(_ place: Int) throws {
        for _ in 0..<(isCalm ? 3 : 2) {
            try process(place)
            if isCalm || roll(options.persistPercent) {
                let count = servers[place].pendingWrites.count
                servers[place].persist(isCalm || count < 2 ? count : Int.random(in: 1...count, using: &random))
            }
            if isCalm || roll(options.applyPercent) { try apply(place) }
        }
        if options.compactPercent > 0, roll(options.compactPercent) {
            servers[place].compact(trailing: UInt64.random(in: 0...10, using: &random))
        }
    }

    private mutating func process(_ place: Int) throws {
        try checker.observe(servers[place])
        for directive in servers[place].process() {
            switch directive {
            case .persist(let request):
                try checker.observe(request, by: servers[place])
                if request.truncatesFrom != nil { counts.truncations += 1 }
            case .serveReads(let reads):
                for read in reads { try checker.answered(read, to: servers[place].id) }
                counts.readsServed += reads.count
            case .status(let status): if status.role == .leader { counts.elections += 1 }
            case .installSnapshot: counts.snapshotsInstalled += 1
            default: break
            }
        }
        for envelope in servers[place].outgoing { try transmit(envelope) }
        servers[place].outgoing = []
    }

    private mutating func apply(_ place: Int) throws {
        let before = servers[place].machine
        let entries = servers[place].apply()
        if entries.isEmpty {
            try checker.check(servers[place].machine, of: servers[place].id)
        } else {
            try checker.applied(entries, by: servers[place].id, before: before, servers: servers)
        }
    }

    // MARK: The network

    private mutating func transmit(_ envelope: Envelope) throws {
        if !isCalm, roll(options.lossPercent) { return lose(envelope) }
        let copies = !isCalm && roll(options.doublePercent) ? 2 : 1
        for _ in 0..<copies {
            let delay = isCalm ? 1 : Int.random(in: 1...options.maximumDelay, using: &random)
            packets.append(Packet(due: now + delay, envelope: envelope))
        }
    }

    private mutating func lose(_ envelope: Envelope) {
        let message = envelope.message
        let place = Int(message.from) - 1
        guard !isDown[place] else { return }
        if case .installSnapshot = message.payload {
            servers[place].node.onSnapshotSent(to: message.to, succeeded: false)
        } else if roll(50) {
            servers[place].node.onUnreachable(message.to)
        }
    }

    private mutating func deliver() throws {
        var due: [Envelope] = []
        var later: [Packet] = []
        for packet in packets {
            if packet.due <= now { due.append(packet.envelope) } else { later.append(packet) }
        }
        packets = later
        if !isCalm { due.shuffle(using: &random) }
        for envelope in due {
            let from = Int(envelope.message.from) - 1
            let to = Int(envelope.message.to) - 1
            guard !isDown[to], side[from] == side[to] else {
                lose(envelope)
                continue
            }
            try servers[to].receive(envelope)
            if case .installSnapshot = envelope.message.payload, !isDown[from] {
                servers[from].node.onSnapshotSent(to: envelope.message.to, succeeded: true)
            }
        }
    }

    // MARK: Faults

    private mutating func injectFaults() throws {
        if Int.random(in: 0..<1000, using: &random) < options.partitionPerMille {
            // Half of the partitions part a leader from the others, with one of them or alone.
            let leaders = servers.indices.filter { servers[$0].node.role == .leader }
            if let leader = leaders.randomElement(using: &random), Bool.random(using: &random) {
                let companion = Bool.random(using: &random) ? anyServer() : leader
                for place in side.indices { side[place] = place == leader || place == companion ? 1 : 0 }
            } else {
                for place in side.indices { side[place] = Int.random(in: 0...1, using: &random) }
            }
        } else if roll(4) {
            for place in side.indices { side[place] = 0 }
        }
        for place in servers.indices {
            if isDown[place] {
                if roll(3) { isDown[place] = false }
            } else if Int.random(in: 0..<1000, using: &random) < options.crashPerMille {
                try crash(place)
                isDown[place] = true
            }
        }
        // All at once: a power cut.
        if Int.random(in: 0..<1000, using: &random) < options.crashPerMille / 3 {
            for place in servers.indices where !isDown[place] { try crash(place) }
        }
    }

    private mutating func crash(_ place: Int) throws {
        let survivors = Int.random(in: 0...servers[place].pendingWrites.count, using: &random)
        counts.crashes += 1
        try servers[place].crash(survivors: survivors, seed: random.next())
        try checker.check(servers[place].machine, of: servers[place].id)
    }

    // MARK: Clients. Refusals are part of the run.

    private mutating func propose() throws {
        proposals += 1
        let place = anyServer()
        guard !isDown[place] else { return }
        let batch = (0..<Int.random(in: 1...4, using: &random)).map { part in
            [UInt8(truncatingIfNeeded: proposals), UInt8(truncatingIfNeeded: proposals >> 8), UInt8(part)]
        }
        _ = try? servers[place].node.propose(batch)
    }

    private mutating func read() throws {
        let place = anyServer()
        guard !isDown[place] else { return }
        contexts += 1
        checker.asked(contexts)
        try? servers[place].node.readIndex(context: contexts)
    }

    private mutating func changeMembership() throws {
        let id = RaftID(anyServer() + 1)
        let changes: [MembershipChange] = [.addLearner(id), .addVoter(id), .addVoter(id), .remove(id)]
        let change = changes[Int.random(in: 0..<changes.count, using: &random)]
        for place in servers.indices where !isDown[place] { _ = try? servers[place].node.proposeMembership(change) }
    }

    private mutating func transfer() throws {
        let target = RaftID(anyServer() + 1)
        for place in servers.indices where !isDown[place] { try? servers[place].node.transferLeadership(to: target) }
    }

    // MARK: Liveness

    /// No more faults: within `calmSteps` there is a leader, and a new entry is applied by every member.
    private mutating func calm() throws {
        isCalm = true
        for place in servers.indices {
            isDown[place] = false
            side[place] = 0
        }
        var goal: Proposed?
        for _ in 0..<Self.calmSteps {
            try step()
            if let proposed = goal, isApplied(proposed) { return }
            if let proposed = goal, !isLost(proposed) { continue }
            goal = nil
            for place in servers.indices {
                if let proposed = try? servers[place].node.propose([Array("calm".utf8)]) { goal = proposed }
            }
        }
        let states = servers.map { server in
            "\(server.id): \(Format.status(server.node.status)) commit=\(server.node.commitIndex) "
                + "applied=\(server.node.appliedIndex) last=\(server.node.lastIndex) "
                + Format.membership(server.node.membership)
        }
        throw Checker.Violated(description: "no progress in the calm phase; " + states.joined(separator: "; "))
    }

    private func isApplied(_ proposed: Proposed) -> Bool {
        checker.membership.members.allSatisfy { servers[Int($0) - 1].machine.applied >= proposed.indices.lowerBound }
            && !isLost(proposed)
    }

    private func isLost(_ proposed: Proposed) -> Bool {
        let index = proposed.indices.lowerBound
        if index <= checker.lastApplied { return checker.history[Int(index) - 1].entry.term != proposed.term }
        return !servers.contains { $0.node.role == .leader && $0.node.term == proposed.term }
    }
}
