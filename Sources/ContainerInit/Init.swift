import Glibc
import LinuxSystem

/// A small pid 1: reaps orphans, forwards signals to the program, and ends as the program ends.
enum Init {
    /// Signals that are about this process itself.
    private static let kept: Set<Int32> = [
        SIGKILL, SIGSTOP, SIGCHLD, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS, SIGFPE, SIGILL,
    ]

    static func run(child: Int32) -> Never {
        CurrentProcess.setName("swarm-init")
        // Nothing but the standard streams: the end of the stage's socket tells the supervisor that the program runs.
        try? CurrentProcess.closeDescriptors(from: 3)
        // glibc keeps 32 and 33 for itself.
        let forwarded = (Int32(1)...64).filter { !kept.contains($0) && $0 != 32 && $0 != 33 }
        guard let signals = try? SignalQueue(forwarded + [SIGCHLD]) else { _exit(125) }
        var end: ProcessEnd?
        while end == nil {
            var ready = pollfd(fd: signals.descriptor.number, events: Int16(POLLIN), revents: 0)
            poll(&ready, 1, -1)
            while let signal = try? signals.next() {
                if signal != SIGCHLD { kill(child, signal) }
            }
            while let (pid, ended) = ChildProcess.reap() {
                if pid == child { end = ended }
            }
        }
        _exit(end?.exitCode ?? 125)
    }
}
