/// What a group has used and uses.
public struct CgroupStatistics: Hashable, Sendable {
    public var cpuNanoseconds: UInt64 = 0
    public var cpuUserNanoseconds: UInt64 = 0
    public var cpuSystemNanoseconds: UInt64 = 0
    /// Periods in which the quota was used up.
    public var throttledPeriods: UInt64 = 0
    public var throttledNanoseconds: UInt64 = 0
    /// With the page cache.
    public var memoryBytes: UInt64 = 0
    /// The part of `memoryBytes` that is page cache which may go at once; Docker's CLI subtracts it.
    public var inactiveFileBytes: UInt64 = 0
    /// nil: unlimited.
    public var memoryLimitBytes: UInt64?
    /// Processes that the out-of-memory killer ended.
    public var memoryKills: UInt64 = 0
    public var pids: UInt64 = 0
    public var pidsLimit: UInt64?
    public var readBytes: UInt64 = 0
    public var writtenBytes: UInt64 = 0

    public init() {}
}

extension Cgroup {
    /// Reads what the kernel offers; a missing file counts as zero.
    public func statistics() -> CgroupStatistics {
        switch layout {
        case .unified(let root): Cgroup.unifiedStatistics(Folder(root + "/" + path))
        case .legacy: legacyStatistics()
        }
    }

    /// Processes of the group that the out-of-memory killer ended.
    public func memoryKills() -> UInt64 {
        switch layout {
        case .unified(let root): Folder(root + "/" + path).table("memory.events")["oom_kill"] ?? 0
        case .legacy: legacyFolder("memory").map { Folder($0).table("memory.oom_control")["oom_kill"] ?? 0 } ?? 0
        }
    }

    private struct Folder {
        private let path: String

        init(_ path: String) { self.path = path }

        func text(_ file: String) -> String { (try? Cgroup.read(path, file)) ?? "" }

        func number(_ file: String) -> UInt64? { UInt64(text(file)) }

        /// Lines of a name and a number.
        func table(_ file: String) -> [Substring: UInt64] {
            var table: [Substring: UInt64] = [:]
            for line in text(file).split(separator: "\n") {
                let fields = line.split(separator: " ")
                if fields.count == 2, let value = UInt64(fields[1]) { table[fields[0]] = value }
            }
            return table
        }
    }

    private static func unifiedStatistics(_ folder: Folder) -> CgroupStatistics {
        var statistics = CgroupStatistics()
        let cpu = folder.table("cpu.stat")
        statistics.cpuNanoseconds = (cpu["usage_usec"] ?? 0) * 1_000
        statistics.cpuUserNanoseconds = (cpu["user_usec"] ?? 0) * 1_000
        statistics.cpuSystemNanoseconds = (cpu["system_usec"] ?? 0) * 1_000
        statistics.throttledPeriods = cpu["nr_throttled"] ?? 0
        statistics.throttledNanoseconds = (cpu["throttled_usec"] ?? 0) * 1_000
        statistics.memoryBytes = folder.number("memory.current") ?? 0
        statistics.inactiveFileBytes = folder.table("memory.stat")["inactive_file"] ?? 0
        statistics.memoryLimitBytes = folder.number("memory.max")
        statistics.memoryKills = folder.table("memory.events")["oom_kill"] ?? 0
        statistics.pids = folder.number("pids.current") ?? 0
        statistics.pidsLimit = folder.number("pids.max")
        for field in folder.text("io.stat").split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            if field.hasPrefix("rbytes=") { statistics.readBytes += UInt64(field.dropFirst(7)) ?? 0 }
            if field.hasPrefix("wbytes=") { statistics.writtenBytes += UInt64(field.dropFirst(7)) ?? 0 }
        }
        return statistics
    }

    /// v1 says "unlimited" as the largest number of pages that it can count.
    private static let unlimitedBytes: UInt64 = 0x7fff_ffff_0000_0000

    private func legacyStatistics() -> CgroupStatistics {
        var statistics = CgroupStatistics()
        if let folder = legacyFolder("cpuacct").map(Folder.init) {
            statistics.cpuNanoseconds = folder.number("cpuacct.usage") ?? 0
            statistics.cpuUserNanoseconds = folder.number("cpuacct.usage_user") ?? 0
            statistics.cpuSystemNanoseconds = folder.number("cpuacct.usage_sys") ?? 0
        }
        if let folder = legacyFolder("cpu").map(Folder.init) {
            let cpu = folder.table("cpu.stat")
            statistics.throttledPeriods = cpu["nr_throttled"] ?? 0
            statistics.throttledNanoseconds = cpu["throttled_time"] ?? 0
        }
        if let folder = legacyFolder("memory").map(Folder.init) {
            statistics.memoryBytes = folder.number("memory.usage_in_bytes") ?? 0
            statistics.inactiveFileBytes = folder.table("memory.stat")["total_inactive_file"] ?? 0
            statistics.memoryLimitBytes = folder.number("memory.limit_in_bytes").flatMap {
                $0 >= Cgroup.unlimitedBytes ? nil : $0
            }
            statistics.memoryKills = memoryKills()
        }
        if let folder = legacyFolder("pids").map(Folder.init) {
            statistics.pids = folder.number("pids.current") ?? 0
            statistics.pidsLimit = folder.number("pids.max")
        }
        if let folder = legacyFolder("blkio").map(Folder.init) {
            for line in folder.text("blkio.throttle.io_service_bytes").split(separator: "\n") {
                let fields = line.split(separator: " ")
                guard fields.count == 3, let value = UInt64(fields[2]) else { continue }
                if fields[1] == "Read" { statistics.readBytes += value }
                if fields[1] == "Write" { statistics.writtenBytes += value }
            }
        }
        return statistics
    }
}
