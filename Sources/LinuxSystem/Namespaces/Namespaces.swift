import CLinux
import Glibc

/// The namespaces of namespaces(7), with the values of linux/sched.h.
public struct Namespaces: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static let mount = Namespaces(rawValue: 0x0002_0000)
    public static let cgroup = Namespaces(rawValue: 0x0200_0000)
    public static let hostname = Namespaces(rawValue: 0x0400_0000)
    public static let interProcess = Namespaces(rawValue: 0x0800_0000)
    public static let user = Namespaces(rawValue: 0x1000_0000)
    public static let process = Namespaces(rawValue: 0x2000_0000)
    public static let network = Namespaces(rawValue: 0x4000_0000)

    /// Moves the calling thread into new namespaces (for `process`: its next children).
    public func unshare() throws(Errno) {
        try checked(clinux_unshare(Int32(truncatingIfNeeded: rawValue)))
    }

    /// Moves the calling thread into those namespaces of a process (pidfd: Linux 5.8) or into one given by its own descriptor.
    public func enter(_ descriptor: borrowing OwnedDescriptor) throws(Errno) {
        try checked(clinux_setns(descriptor.number, Int32(truncatingIfNeeded: rawValue)))
    }

    /// A descriptor that keeps a process's network namespace alive.
    public static func openNetwork(ofProcess pid: Int32) throws(Errno) -> OwnedDescriptor {
        try File.open("/proc/\(pid)/ns/net", O_RDONLY)
    }
}

/// The name of the host as a uts namespace holds it.
public enum HostIdentity {
    public static func setHostname(_ name: String) throws(Errno) {
        try checked(name.withCString { clinux_sethostname($0, strlen($0)) })
    }

    public static func setDomainName(_ name: String) throws(Errno) {
        try checked(name.withCString { clinux_setdomainname($0, strlen($0)) })
    }
}

/// What a fresh network namespace needs before anything else.
public enum Loopback {
    /// Brings `lo` of the calling thread's network namespace up; the kernel gives it 127.0.0.1 and ::1.
    public static func bringUp() throws(Errno) {
        try checked(clinux_interface_up("lo"))
    }
}
