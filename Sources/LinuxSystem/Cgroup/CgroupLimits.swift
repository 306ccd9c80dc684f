/// What a group of processes may use; nil is unlimited.
public struct CgroupLimits: Hashable, Sendable {
    /// Billionths of a CPU: 1_500_000_000 is one and a half.
    public var cpuNanos: Int64?
    /// Weight against others where the CPU is short, as Docker counts it: 2…262144, 1024 is the usual.
    public var cpuShares: Int64?
    public var memoryBytes: Int64?
    /// What reclaim leaves alone where it can.
    public var memoryReservationBytes: Int64?
    /// Memory and swap together; nil with a memory limit is twice that limit, as with Docker; -1 is unlimited.
    public var memoryAndSwapBytes: Int64?
    /// Processes and threads.
    public var pids: Int64?
    /// CPUs as `0-3,5`; nil: the parent's.
    public var cpus: String?

    public init(
        cpuNanos: Int64? = nil, cpuShares: Int64? = nil, memoryBytes: Int64? = nil,
        memoryReservationBytes: Int64? = nil, memoryAndSwapBytes: Int64? = nil, pids: Int64? = nil, cpus: String? = nil
    ) {
        self.cpuNanos = cpuNanos
        self.cpuShares = cpuShares
        self.memoryBytes = memoryBytes
        self.memoryReservationBytes = memoryReservationBytes
        self.memoryAndSwapBytes = memoryAndSwapBytes
        self.pids = pids
        self.cpus = cpus
    }

    /// The scheduler's window, Docker's too.
    static let cpuPeriodMicroseconds: Int64 = 100_000
    /// The kernel refuses a smaller quota.
    static let minimumCPUQuotaMicroseconds: Int64 = 1_000

    /// CPU time a period, in microseconds.
    var cpuQuotaMicroseconds: Int64? {
        cpuNanos.map { max(CgroupLimits.minimumCPUQuotaMicroseconds, $0 / 10_000) }
    }

    /// Memory and swap together as v1 counts them.
    var memoryAndSwapTotal: Int64? {
        memoryAndSwapBytes ?? memoryBytes.map { $0 > Int64.max / 2 ? -1 : $0 * 2 }
    }
}

/// One value for one file of a cgroup.
public struct CgroupSetting: Hashable, Sendable {
    public var file: String
    public var value: String
    /// Left out without an error where the kernel was built without it (swap accounting).
    public var isOptional: Bool

    init(_ file: String, _ value: String, isOptional: Bool = false) {
        self.file = file
        self.value = value
        self.isOptional = isOptional
    }
}

extension CgroupLimits {
    /// The files of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).
    var unifiedSettings: [CgroupSetting] {
        var settings: [CgroupSetting] = []
        if let quota = cpuQuotaMicroseconds {
            settings.append(CgroupSetting("cpu.max", "\(quota) \(CgroupLimits.cpuPeriodMicroseconds)"))
        }
        if let shares = cpuShares {
            // The range 2…262144 laid on 1…10000, as runc and crun do.
            let weight = 1 + (min(max(shares, 2), 262_144) - 2) * 9_999 / 262_142
            settings.append(CgroupSetting("cpu.weight", "\(weight)"))
        }
        if let cpus { settings.append(CgroupSetting("cpuset.cpus", cpus)) }
        if let memoryReservationBytes {
            settings.append(CgroupSetting("memory.low", "\(memoryReservationBytes)"))
        }
        if let memoryBytes {
            settings.append(CgroupSetting("memory.max", "\(memoryBytes)"))
            if let total = memoryAndSwapTotal {
                let swap = total < 0 ? "max" : "\(max(0, total - memoryBytes))"
                settings.append(CgroupSetting("memory.swap.max", swap, isOptional: true))
            }
        }
        if let pids { settings.append(CgroupSetting("pids.max", "\(pids)")) }
        return settings
    }

    /// The files of one v1 controller.
    func legacySettings(controller: String) -> [CgroupSetting] {
        switch controller {
        case "cpu":
            var settings: [CgroupSetting] = []
            if let shares = cpuShares { settings.append(CgroupSetting("cpu.shares", "\(shares)")) }
            if let quota = cpuQuotaMicroseconds {
                settings.append(CgroupSetting("cpu.cfs_period_us", "\(CgroupLimits.cpuPeriodMicroseconds)"))
                settings.append(CgroupSetting("cpu.cfs_quota_us", "\(quota)"))
            }
            return settings
        case "cpuset":
            return cpus.map { [CgroupSetting("cpuset.cpus", $0)] } ?? []
        case "memory":
            var settings: [CgroupSetting] = []
            if let memoryBytes {
                settings.append(CgroupSetting("memory.limit_in_bytes", "\(memoryBytes)"))
                if let total = memoryAndSwapTotal {
                    settings.append(CgroupSetting("memory.memsw.limit_in_bytes", "\(total)", isOptional: true))
                }
            }
            if let memoryReservationBytes {
                settings.append(CgroupSetting("memory.soft_limit_in_bytes", "\(memoryReservationBytes)"))
            }
            return settings
        case "pids":
            return pids.map { [CgroupSetting("pids.max", "\($0)")] } ?? []
        default:
            return []
        }
    }
}
