import DurableLog
import Primitives

/// One manager's folder. It loses what was not synced when the power goes, each write in whole, in part or not at all, and
/// each name likewise; a process that is killed leaves it as it is.
final class SimulatedDisk: LogFiles {
    /// Why the last operation failed.
    enum Trouble { case powerLost, full }

    private enum Change {
        case write([UInt8], offset: Int)
        /// Cut off, or made longer with zeros.
        case resize(Int)

        func apply(to bytes: inout [UInt8]) {
            switch self {
            case .write(let new, let offset):
                let missing = offset + new.count - bytes.count
                if missing > 0 { bytes += [UInt8](repeating: 0, count: missing) }
                bytes.replaceSubrange(offset..<offset + new.count, with: new)
            case .resize(let count):
                if count < bytes.count {
                    bytes.removeLast(bytes.count - count)
                } else {
                    bytes += [UInt8](repeating: 0, count: count - bytes.count)
                }
            }
        }
    }

    /// A file, whatever its names are.
    private final class Content {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        var pending: [Change] = []
        /// Where the synced writes stand, in order.
        var written: [Range<Int>] = []
    }

    private static let sectorBytes = 512

    private let chance: Chance
    private let coverage: CoverageCounter
    private var files: [String: Content] = [:]
    private var durableNames: [String: Content] = [:]
    /// What changed in the folder since its last sync: the content that each name stands for now, nil where it is gone.
    private var pendingNames: [[(name: String, content: Content?)]] = []

    /// Operations until the power goes; nil: never.
    var operationsLeft: Int?
    var isFull = false
    var syncMicroseconds: Microseconds
    /// The time that operations took since it was last set to 0.
    var spent: Microseconds = 0
    var trouble: Trouble?
    /// Tails that were cut off.
    var cuts = 0
    private var damage: (content: Content, offset: Int, bit: UInt8)?

    init(syncMicroseconds: Microseconds, chance: Chance, coverage: CoverageCounter) {
        self.syncMicroseconds = syncMicroseconds
        self.chance = chance
        self.coverage = coverage
    }

    // MARK: Faults

    /// Leaves what may be on the disk when the power comes back.
    func cutPower() {
        for name in durableNames.keys.sorted() { if let content = durableNames[name] { settle(content) } }
        for (_, content) in pendingNames.joined() { if let content { settle(content) } }
        var survivors = durableNames
        for change in pendingNames {
            if chance.percent(50) {
                coverage.note(.folderEntryLost)
            } else {
                for (name, content) in change { survivors[name] = content }
            }
        }
        pendingNames = []
        files = survivors
        durableNames = survivors
        operationsLeft = nil
        trouble = nil
    }

    /// What becomes of the writes since the last sync.
    private func settle(_ content: Content) {
        for change in content.pending {
            switch change {
            case .write(let new, let offset): settle(new, offset, in: content)
            case .resize: if chance.percent(50) { change.apply(to: &content.durable) }
            }
        }
        content.pending = []
        content.bytes = content.durable
    }

    private func settle(_ new: [UInt8], _ offset: Int, in content: Content) {
        switch chance.pick(0...3) {
        case 0: coverage.note(.unsyncedWriteLost)
        case 1:
            coverage.note(.unsyncedWriteSurvived)
            Change.write(new, offset: offset).apply(to: &content.durable)
        case 2:
            coverage.note(.tornWrite)
            Change.write(Array(new.prefix(chance.pick(0...new.count))), offset: offset).apply(to: &content.durable)
        default:
            // Sectors in any order.
            coverage.note(.tornWrite)
            var start = offset
            while start < offset + new.count {
                let end = min((start / Self.sectorBytes + 1) * Self.sectorBytes, offset + new.count)
                if chance.percent(50) {
                    let part = Array(new[(start - offset)..<(end - offset)])
                    Change.write(part, offset: start).apply(to: &content.durable)
                }
                start = end
            }
        }
    }

    /// Turns one bit of what was once written whole and is followed by other writes, or of the newest snapshot. Only while
    /// the power is off. False if there is no such place.
    func corrupt() -> Bool {
        guard damage == nil else { return false }
        let names = files.keys.sorted()
        let logs = names.filter { $0.hasPrefix("log-") }
        var places: [(Content, Range<Int>)] = []
        for name in logs {
            guard let content = files[name] else { continue }
            let whole = name == logs.last ? content.written.dropLast() : content.written[...]
            for range in whole { places.append((content, range)) }
        }
        if let newest = names.last(where: { $0.hasPrefix("snapshot-") && !$0.hasSuffix(".tmp") }),
            let content = files[newest]
        {
            for range in content.written { places.append((content, range)) }
        }
        guard let (content, range) = chance.pick(places), range.upperBound <= content.bytes.count else { return false }
        let offset = chance.pick(range.lowerBound...range.upperBound - 1)
        let bit = UInt8(1) << UInt8(chance.pick(0...7))
        content.bytes[offset] ^= bit
        content.durable[offset] ^= bit
        damage = (content, offset, bit)
        coverage.note(.corruptedWrite)
        return true
    }

    var isDamaged: Bool { damage != nil }

    /// As from a backup.
    func repair() {
        guard let (content, offset, bit) = damage else { return }
        content.bytes[offset] ^= bit
        content.durable[offset] ^= bit
        damage = nil
    }

    // MARK: Operations

    private func spend(_ cost: Microseconds = 20) throws(Failure) {
        spent += cost
        guard let left = operationsLeft else { return }
        if left == 0 {
            trouble = .powerLost
            throw Failure(.unavailable, "power lost")
        }
        operationsLeft = left - 1
    }

    private func content(_ name: String) throws(Failure) -> Content {
        guard let content = files[name] else { throw Failure(.notFound, "no file \(name)") }
        return content
    }

    private func change(_ name: String, _ change: Change) throws(Failure) {
        let content = try content(name)
        change.apply(to: &content.bytes)
        content.pending.append(change)
    }

    private func requireSpace() throws(Failure) {
        guard isFull else { return }
        trouble = .full
        throw Failure(.resourceExhausted, "no space left on device")
    }

    func list() throws(Failure) -> [String] { files.keys.sorted() }

    func read(_ name: String) throws(Failure) -> [UInt8] { try content(name).bytes }

    func read(_ name: String, at offset: Int, count: Int) throws(Failure) -> [UInt8] {
        Array(try content(name).bytes.dropFirst(offset).prefix(count))
    }

    func another() -> SimulatedDisk { self }
    func close() {}

    func create(_ name: String, bytes: Int) throws(Failure) {
        try spend()
        try requireSpace()
        if files[name] == nil {
            let content = Content()
            files[name] = content
            pendingNames.append([(name, content)])
        }
        try change(name, .resize(0))
        try content(name).written = []
        try change(name, .resize(bytes))
    }

    func write(_ name: String, _ bytes: [UInt8], at offset: Int) throws(Failure) {
        try spend()
        if isFull {
            // What fits is there.
            try change(name, .write(Array(bytes.prefix(chance.pick(0...bytes.count))), offset: offset))
            try requireSpace()
        }
        try change(name, .write(bytes, offset: offset))
    }

    func sync(_ name: String) throws(Failure) {
        try spend(chance.pick(syncMicroseconds / 2...syncMicroseconds))
        let content = try content(name)
        for change in content.pending {
            change.apply(to: &content.durable)
            switch change {
            case .write(let bytes, let offset):
                if bytes.contains(where: { $0 != 0 }) { content.written.append(offset..<offset + bytes.count) }
            case .resize(let count): content.written.removeAll { $0.upperBound > count }
            }
        }
        content.pending = []
    }

    func truncate(_ name: String, to bytes: Int) throws(Failure) {
        cuts += 1
        try spend()
        try change(name, .resize(bytes))
    }

    func rename(_ name: String, to other: String) throws(Failure) {
        try spend()
        let content = try content(name)
        files[name] = nil
        files[other] = content
        pendingNames.append([(name, nil), (other, content)])
    }

    func remove(_ name: String) throws(Failure) {
        try spend()
        files[name] = nil
        pendingNames.append([(name, nil)])
    }

    func syncFolder() throws(Failure) {
        try spend(chance.pick(syncMicroseconds / 2...syncMicroseconds))
        durableNames = files
        pendingNames = []
    }

    func path(of name: String) -> String { "raft/" + name }
}
