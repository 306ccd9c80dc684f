import Glibc

/// A process that cannot be mistaken for a later one with the same number.
public struct ProcessIdentity: Hashable, Sendable {
    public var pid: Int32
    /// Clock ticks since boot (proc_pid_stat(5), field 22).
    public var startTime: UInt64

    public init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }

    /// The identity of a process that is there now.
    public init(ofProcess pid: Int32) throws(Errno) {
        let text = try File.readText("/proc/\(pid)/stat")
        guard let fields = ProcessIdentity.fields(text), let startTime = UInt64(fields[19]) else {
            throw .invalidArgument
        }
        self.init(pid: pid, startTime: startTime)
    }

    /// Whether it still runs; a zombie does not (an orphan can stay one for seconds, and `kill(pid, 0)` finds it).
    public var isAlive: Bool {
        guard let text = try? File.readText("/proc/\(pid)/stat"), let fields = ProcessIdentity.fields(text) else {
            return false
        }
        return fields[19] == String(startTime) && fields[0] != "Z" && fields[0] != "X"
    }

    /// Sends a signal to this very process; `ESRCH` when it has ended.
    public func send(_ signal: Int32) throws(Errno) {
        // The descriptor first: what is alive behind it cannot be another process afterwards.
        let descriptor = try Signal.openProcess(pid)
        guard isAlive else { throw .noSuchProcess }
        try Signal.send(signal, to: descriptor)
    }

    /// The fields from the state on: the name before them may hold spaces and brackets.
    private static func fields(_ text: String) -> [Substring]? {
        guard let bracket = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        return fields.count > 19 ? fields : nil
    }
}
