/// Everything about a run, drawn from its seed. A kind of fault is left out of many runs, so that no fault hides another's
/// effects (swarm testing).
public struct SimulationOptions: Sendable {
    public let seed: UInt64
    /// Voters at the beginning.
    public let managers: Int
    /// Managers that may join later.
    public let joiners: Int
    /// Learners become voters as soon as they have the log; otherwise when an operator says so.
    public let promotesLearners: Bool
    public let clients: Int
    public let keys: Int
    public internal(set) var faultSeconds: Int
    /// Machines that run tasks; 0: the run is about the managers alone, and no control loops run.
    public let workers: Int
    public let services: Int
    /// The states of all managers are compared at every index that this divides.
    var entriesBetweenComparisons: UInt64 { workers > 0 ? 64 : 16 }
    /// Of operators on services and nodes, a minute.
    public let operations: Int
    public let heartbeatSeconds: Int
    public let taskFailuresPerMille: Int
    public let agentKills: Int
    public let agentReboots: Int
    public let agentCutOffs: Int
    public let readPercent: Int
    public let thinkMilliseconds: Int
    public let valueBytes: Int

    public let entriesBetweenSnapshots: UInt64
    public let entriesKeptBehindSnapshot: UInt64
    public let segmentBytes: Int
    public let isStorageAsynchronous: Bool
    public let isApplicationAsynchronous: Bool
    public let syncMicroseconds: Int

    public let delayMicroseconds: Int
    public let isNetworkOrdered: Bool
    public let lossPerMille: Int
    public let doublePerMille: Int
    public let latePerMille: Int

    // Times a minute.
    public let partitions: Int
    public let kills: Int
    public let pauses: Int
    public let powerCuts: Int
    public let powerCutsEverywhere: Int
    public let directiveCrashes: Int
    public let diskCrashes: Int
    public let fullDisks: Int
    public let slowDisks: Int
    public let corruptions: Int
    public let clockJumps: Int
    public let suspensions: Int
    public let usesLeases: Bool
    public let appendBytes: Int
    /// How many of those that have just been elected die soon.
    public let newLeaderCrashPercent: Int
    /// How many of those that have just been elected are cut off at once, or a moment later.
    public let newLeaderCutOffPercent: Int
    public let membershipChanges: Int
    public let transfers: Int
    /// Each clock runs by up to so much too fast or too slow.
    public let driftPerMille: Int
    /// Links between an agent and one manager.
    public let agentPartitions: Int
    public let nodeRemovals: Int
    /// Managers that lose their disk, and nodes that are promoted and demoted; in runs without other changes of the members.
    public let replacements: Int
    /// Workers at the beginning that may become managers, in those runs.
    public let spareMachines: Int
    /// Leaders make Raft's members what the nodes' specs say, and let learners vote that have the log.
    var keepsRoles: Bool { promotesLearners || replacements > 0 }
    /// How many restarts take less than the time for which a vote may be promised.
    public let quickRestartPercent: Int
    /// Of a voter at the moment when another one that does not hear the leader asks for its vote.
    public let restartsUnderLease: Int

    public init(seed: UInt64) {
        self.init(seed: seed, chance: Chance(seed: seed))
    }

    init(seed: UInt64, chance: Chance) {
        func rate(_ most: Int) -> Int { chance.percent(45) ? 0 : chance.pick(1...most) }
        self.seed = seed
        managers = [1, 2, 3, 3, 3, 3, 3, 4, 5, 5][chance.pick(0...9)]
        let changesMembership = chance.percent(50)
        joiners = changesMembership ? chance.pick(1...3) : 0
        promotesLearners = chance.percent(60)
        clients = chance.pick(2...6)
        keys = chance.pick(1...4)
        faultSeconds = chance.pick(20...60)
        workers = chance.percent(60) ? 0 : chance.pick(1...4)
        services = chance.pick(1...3)
        operations = chance.pick(5...60)
        heartbeatSeconds = chance.pick(1...4)
        taskFailuresPerMille = rate(60)
        agentKills = rate(10)
        agentReboots = rate(6)
        agentCutOffs = rate(8)
        readPercent = chance.pick(20...70)
        thinkMilliseconds = chance.pick(10...400)
        valueBytes = chance.pick(0...200)
        entriesBetweenSnapshots = UInt64(chance.pick(8...150))
        entriesKeptBehindSnapshot = UInt64(chance.percent(30) ? 0 : chance.pick(0...40))
        segmentBytes = chance.pick(1...8) << 10
        isStorageAsynchronous = chance.percent(35)
        isApplicationAsynchronous = chance.percent(25)
        syncMicroseconds = chance.pick(50...8_000)
        delayMicroseconds = chance.pick(100...30_000)
        isNetworkOrdered = chance.percent(50)
        lossPerMille = rate(120)
        doublePerMille = rate(100)
        latePerMille = rate(80)
        partitions = rate(20)
        kills = rate(15)
        pauses = rate(10)
        powerCuts = rate(20)
        powerCutsEverywhere = rate(4)
        directiveCrashes = rate(15)
        diskCrashes = rate(40)
        fullDisks = rate(4)
        slowDisks = rate(8)
        corruptions = rate(4)
        clockJumps = rate(10)
        suspensions = rate(10)
        usesLeases = chance.percent(50)
        appendBytes = chance.percent(50) ? 1 << 20 : chance.pick(1...400)
        newLeaderCrashPercent = rate(70)
        newLeaderCutOffPercent = rate(70)
        membershipChanges = changesMembership ? chance.pick(4...40) : 0
        transfers = rate(8)
        driftPerMille = rate(80)
        agentPartitions = rate(12)
        nodeRemovals = rate(4)
        replacements = changesMembership || chance.percent(40) ? 0 : chance.pick(2...20)
        quickRestartPercent = rate(60)
        restartsUnderLease = usesLeases ? rate(40) : 0
        spareMachines = replacements > 0 ? chance.pick(0...2) : 0
    }
}

extension SimulationOptions: CustomStringConvertible {
    public var description: String {
        Mirror(reflecting: self).children.map { "\($0.label ?? "?")=\($0.value)" }.joined(separator: " ")
    }
}
