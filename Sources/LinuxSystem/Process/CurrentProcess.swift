import CLinux
import Glibc

/// What a process does to itself before it becomes another program.
public enum CurrentProcess {
    public static var pid: Int32 { getpid() }

    private static let parentDeathSignal: Int32 = 1
    private static let keepCapabilities: Int32 = 8
    private static let dumpable: Int32 = 4
    private static let setName: Int32 = 15
    private static let dropBounding: Int32 = 24
    private static let noNewPrivileges: Int32 = 38
    private static let ambient: Int32 = 47
    private static let ambientClearAll: UInt = 4

    /// The signal that the kernel sends this process when the thread that made it ends; cleared by a change of user.
    public static func setParentDeathSignal(_ signal: Int32) throws(Errno) {
        try checked(clinux_prctl(parentDeathSignal, UInt(signal), 0, 0, 0))
    }

    /// Whether others of the same user may trace it and read its /proc/PID/exe, environment and memory.
    public static func setDumpable(_ isDumpable: Bool) throws(Errno) {
        try checked(clinux_prctl(dumpable, isDumpable ? 1 : 0, 0, 0, 0))
    }

    /// The name that `ps` shows, at most 15 bytes.
    public static func setName(_ name: String) {
        _ = name.withCString { clinux_prctl(setName, UInt(bitPattern: $0), 0, 0, 0) }
    }

    /// Leaves the session and process group of the parent for new ones.
    public static func startSession() throws(Errno) {
        try checked(setsid())
    }

    /// Sets how the C library keeps memory for the threads of this process; to be called before there are others.
    ///
    /// - Parameters:
    ///   - heaps: how many the threads share. By itself there are up to eight for each processor, and memory that one of them
    ///     has freed serves no other; with too few, threads wait for each other.
    ///   - trimBytes: what may be free at the top of a heap before the kernel gets it back.
    ///   - mappedBytes: a block from this size on is a mapping of its own: each costs two calls and a fault for each page.
    public static func tuneHeaps(_ heaps: Int32, trimBytes: Int32, mappedBytes: Int32) {
        clinux_tune_heaps(heaps, trimBytes, mappedBytes)
    }

    public static func setNoNewPrivileges() throws(Errno) {
        try checked(clinux_prctl(noNewPrivileges, 1, 0, 0, 0))
    }

    /// Installs a filter (`struct sock_filter[]`); without no_new_privs this needs CAP_SYS_ADMIN.
    public static func installSeccompFilter(_ filter: [UInt8]) throws(Errno) {
        try checked(filter.withUnsafeBytes { clinux_seccomp_install($0.baseAddress, $0.count, 0) })
    }

    /// What this process may make effective: the most that it can hand on.
    public static func permittedCapabilities() throws(Errno) -> Capabilities {
        var permitted: UInt64 = 0
        try checked(clinux_capget_permitted(&permitted))
        return Capabilities(rawValue: permitted)
    }

    /// Takes away, for good, every capability outside `bounding`: no program that is started later can regain it.
    public static func limitBoundingSet(to bounding: Capabilities) throws(Errno) {
        for number in 0..<UInt64.bitWidth where !bounding.contains(Capabilities(rawValue: 1 << UInt64(number))) {
            if clinux_prctl(dropBounding, UInt(number), 0, 0, 0) == -1 {
                // EINVAL: the kernel knows no capability of that number, nor any above it.
                if Errno.current == .invalidArgument { return }
                throw Errno.current
            }
        }
    }

    /// Becomes a user, keeping these capabilities as effective and permitted, none inheritable and none ambient.
    public static func become(
        user: UInt32, group: UInt32, groups: [UInt32], capabilities: Capabilities
    ) throws(Errno) {
        try checked(clinux_prctl(keepCapabilities, 1, 0, 0, 0))
        try checked(clinux_setgroups(groups, groups.count))
        try checked(clinux_setresgid(group))
        try checked(clinux_setresuid(user))
        try checked(clinux_capset(capabilities.rawValue, capabilities.rawValue, 0))
        try checked(clinux_prctl(keepCapabilities, 0, 0, 0, 0))
        try checked(clinux_prctl(ambient, ambientClearAll, 0, 0, 0))
    }

    /// `resource` is a RLIMIT_ number; `UInt64.max` is unlimited.
    public static func setResourceLimit(_ resource: Int32, soft: UInt64, hard: UInt64) throws(Errno) {
        try checked(clinux_setrlimit(resource, soft, hard))
    }

    /// Leaves the host's session keyring for a new, empty one.
    public static func joinNewKeyring() throws(Errno) {
        try checked(clinux_join_new_session_keyring())
    }

    /// Closes every descriptor from `first` on.
    public static func closeDescriptors(from first: UInt32) throws(Errno) {
        try checked(clinux_close_range(first, .max, 0))
    }

    /// Has every descriptor from `first` on closed by the next exec.
    public static func closeDescriptorsOnExec(from first: UInt32) throws(Errno) {
        let closeOnExec: UInt32 = 4
        try checked(clinux_close_range(first, .max, closeOnExec))
    }

    /// Unblocks all signals and gives each its default effect again.
    public static func resetSignals() { clinux_reset_signals() }

    /// Becomes another program; returns only to say why not.
    public static func execute(_ path: String, arguments: [String], environment: [String]) -> Errno {
        let argv = CStringArray(arguments)
        let envp = CStringArray(environment)
        _ = clinux_execve(path, argv.pointer, envp.pointer)
        return Errno.current
    }

    /// Gives back freed memory and the program pages that were only needed to get here; for processes that wait long.
    public static func trimMemory() { clinux_trim_memory() }

    public static func fillRandom(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            let count = try retrying { clinux_getrandom(rest.baseAddress, rest.count) }
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
        }
    }
}
