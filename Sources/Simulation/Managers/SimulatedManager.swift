import Consensus

/// One manager's machine: what outlasts its processes.
final class SimulatedManager {
    let id: RaftID
    /// The first voters, on those that begin the cluster.
    let founders: [RaftID]
    let disk: SimulatedDisk
    var process: ManagerProcess?
    /// 1000 is a clock that is right.
    let clockPerMille: Int
    var wallOffset: Microseconds = 0
    /// Damages the disk before the next start.
    var isCorruptionDue = false

    init(id: RaftID, founders: [RaftID], disk: SimulatedDisk, clockPerMille: Int) {
        self.id = id
        self.founders = founders
        self.disk = disk
        self.clockPerMille = clockPerMille
    }
}
