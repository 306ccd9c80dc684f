import CLinux
import Glibc

/// A child that was forked.
@frozen
public struct ForkedChild: ~Copyable {
    public let pid: Int32
    /// Refers to this very child, whatever happens to the number.
    public let pidfd: OwnedDescriptor

    init(pid: Int32, pidfd: consuming OwnedDescriptor) {
        self.pid = pid
        self.pidfd = pidfd
    }
}

/// How a process ended.
public enum ProcessEnd: Hashable, Sendable {
    case exited(code: Int32)
    case killed(signal: Int32)

    public init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited(code: waitStatus >> 8 & 0xff) : .killed(signal: signal)
    }

    /// The code a shell would report: 128 and the signal's number for a killed process.
    public var exitCode: Int32 {
        switch self {
        case .exited(let code): code
        case .killed(let signal): 128 + signal
        }
    }
}

/// Waiting for children.
public enum ChildProcess {
    /// clone3 without shared memory; only for single-threaded processes. `body` is the child's life.
    ///
    /// `cgroup` is a v2 cgroup's folder in which the child is born (Linux 5.7).
    public static func fork(
        _ namespaces: Namespaces = [], cgroup: Int32 = -1, _ body: () -> Never
    ) throws(Errno) -> ForkedChild {
        var pidfd: Int32 = -1
        let pid = try checked(clinux_clone(namespaces.rawValue, cgroup, &pidfd))
        if pid == 0 { body() }
        return ForkedChild(pid: pid, pidfd: OwnedDescriptor(adopting: pidfd))
    }

    /// Forks and goes on as the child; `body` is the parent's further life. Only for single-threaded processes.
    public static func becomeChild(_ body: (_ child: Int32) -> Never) throws(Errno) {
        let pid = try checked(clinux_fork())
        if pid != 0 { body(pid) }
    }

    /// Waits for one child.
    public static func wait(_ pid: Int32) throws(Errno) -> ProcessEnd {
        var status: Int32 = 0
        _ = try retrying { waitpid(pid, &status, 0) }
        return ProcessEnd(waitStatus: status)
    }

    /// A child that has ended, if any has.
    public static func reap() -> (pid: Int32, end: ProcessEnd)? {
        var status: Int32 = 0
        let pid = waitpid(-1, &status, WNOHANG)
        return pid > 0 ? (pid, ProcessEnd(waitStatus: status)) : nil
    }

    /// Starts a program whose descriptor i is `descriptors[i]` and which inherits nothing else.
    ///
    /// Safe in a process with threads (posix_spawn). The caller waits for the returned pid.
    public static func spawn(
        _ executable: borrowing OwnedDescriptor, arguments: [String], environment: [String], descriptors: [Int32],
        isSessionLeader: Bool = false
    ) throws(Errno) -> Int32 {
        let argv = CStringArray(arguments)
        let envp = CStringArray(environment)
        var pid: pid_t = -1
        let result = clinux_spawn(
            executable.number, argv.pointer, envp.pointer, descriptors, descriptors.count, isSessionLeader ? 1 : 0, &pid
        )
        guard result == 0 else { throw Errno(result) }
        return pid
    }
}

/// A null-terminated array of C strings, as exec wants it.
final class CStringArray {
    let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointer = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointer + index).initialize(to: strdup(string)) }
        (pointer + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(pointer[index]) }
        pointer.deallocate()
    }
}
