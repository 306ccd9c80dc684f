import Consensus
import DurableLog
import Primitives

/// One manager's machine: what outlasts its processes.
final class SimulatedManager {
    let id: RaftID
    /// The first voters, on those that begin the cluster.
    let founders: [RaftID]
    let disk: SimulatedDisk
    private let key: LogKey
    private var salts: SeededRandom
    var process: ManagerProcess?
    /// 1000 is a clock that is right.
    let clockPerMille: Int
    var wallOffset: Microseconds = 0
    /// How long the machine was suspended: its monotonic clock stood still.
    var suspended: Microseconds = 0
    /// Its disk is gone for good.
    private(set) var isRetired = false
    /// Damages the disk before the next start.
    var isCorruptionDue = false

    /// - Parameter secrets: what its log's key and salts come from.
    init(id: RaftID, founders: [RaftID], disk: SimulatedDisk, secrets: SeededRandom, clockPerMille: Int) {
        self.id = id
        self.founders = founders
        self.disk = disk
        salts = secrets
        key = LogKey(using: &salts)
        self.clockPerMille = clockPerMille
    }

    func retire() { isRetired = true }

    /// For one opening of the log.
    func sealing() -> LogSealing { LogSealing(key: key, salt: .random(in: .min ... .max, using: &salts)) }

    func clock(at now: Microseconds) -> ClockReading {
        func instant(_ time: Microseconds) -> Instant {
            Instant(nanoseconds: UInt64(1_000_000_000_000 + time * clockPerMille))
        }
        return ClockReading(monotonic: instant(now - suspended), boottime: instant(now))
    }
}
