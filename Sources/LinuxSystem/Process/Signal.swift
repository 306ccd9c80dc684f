import CLinux
import Glibc

/// Signals by name and by process.
public enum Signal {
    private static let numbers: [String: Int32] = [
        "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10,
        "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CONT": 18, "STOP": 19,
        "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28,
        "IO": 29, "PWR": 30, "SYS": 31,
    ]

    public static let terminate: Int32 = 15
    public static let kill: Int32 = 9
    /// SIGCONT: a stopped process goes on.
    public static let proceed: Int32 = 18

    private static let firstRealTime: Int32 = 34
    private static let last: Int32 = 64

    /// Reads `SIGTERM`, `term`, `15`, `SIGRTMIN+3` or `RTMAX-2`; nil for anything else.
    public static func number(_ text: String) -> Int32? {
        if let number = Int32(text) { return (1...last).contains(number) ? number : nil }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let number = numbers[name] { return number }
        for (prefix, base) in [("RTMIN", firstRealTime), ("RTMAX", last)] where name.hasPrefix(prefix) {
            let rest = name.dropFirst(prefix.count)
            guard let offset = rest.isEmpty ? 0 : Int32(rest) else { return nil }
            let number = base + offset
            return (firstRealTime...last).contains(number) ? number : nil
        }
        return nil
    }

    /// Sends a signal to the very process that a pidfd refers to.
    public static func send(_ signal: Int32, to pidfd: borrowing OwnedDescriptor) throws(Errno) {
        try checked(clinux_pidfd_send_signal(pidfd.number, signal))
    }

    /// A descriptor of a process, readable once the process has ended (Linux 5.3).
    public static func openProcess(_ pid: Int32) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try checked(clinux_pidfd_open(pid)))
    }
}
