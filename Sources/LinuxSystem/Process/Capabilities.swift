/// A set of capabilities(7), bit n being capability number n.
public struct Capabilities: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// In the order of their numbers (linux/capability.h).
    public static let names = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
        "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
        "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
        "CHECKPOINT_RESTORE",
    ]

    public static let all = Capabilities(rawValue: 1 << UInt64(names.count) - 1)

    /// What Docker gives a container that asks for nothing: 00000000a80425fb.
    public static let containerDefault = Capabilities(
        [
            "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
            "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
        ].compactMap { Capabilities(name: $0) })

    /// Reads `CAP_NET_ADMIN`, `NET_ADMIN`, `net_admin` or `ALL`; nil for a name that there is not.
    public init?(name: String) {
        var name = name.uppercased()
        if name.hasPrefix("CAP_") { name.removeFirst(4) }
        if name == "ALL" {
            self = .all
        } else if let number = Capabilities.names.firstIndex(of: name) {
            self.init(rawValue: 1 << UInt64(number))
        } else {
            return nil
        }
    }

    /// The members' names with `CAP_`, in the order of their numbers.
    public var memberNames: [String] {
        Capabilities.names.indices.filter { rawValue >> UInt64($0) & 1 == 1 }.map { "CAP_" + Capabilities.names[$0] }
    }
}
