import Glibc
import LinuxSystem
import Primitives
import Synchronization

/// One thread that makes all changes of the kernel's network state, one after the other, in any namespace.
///
/// A thread of its own since setns(2) is a thread's, and since netlink blocks.
final class NamespaceThread: Sendable {
    private struct Jobs {
        var waiting: [@Sendable () -> Void] = []
        var isStopped = false
    }

    private let jobs = Mutex(Jobs())
    private let wakeUp: WakeUp
    private let events: EventQueue
    /// The namespace that the process was started in.
    let host: SharedDescriptor

    init() throws(Errno) {
        wakeUp = try WakeUp()
        events = try EventQueue()
        try events.add(wakeUp.descriptor, token: 0)
        host = SharedDescriptor(try File.open("/proc/thread-self/ns/net", O_RDONLY))
    }

    func start() throws(Errno) {
        try SystemThread.start(name: "network") { [self] in work() }
    }

    private func work() {
        while true {
            let (next, isStopped) = jobs.withLock { jobs in
                defer { jobs.waiting.removeAll() }
                return (jobs.waiting, jobs.isStopped)
            }
            for job in next { job() }
            if next.isEmpty {
                if isStopped { return }
                _ = try? events.wait(timeoutMilliseconds: nil)
                wakeUp.clear()
            }
        }
    }

    /// Runs a job after all that were given before. Its order is that of the calls: nothing is awaited before.
    func run<Result: Sendable>(_ job: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let isTaken = jobs.withLock { jobs in
                if jobs.isStopped { return false }
                jobs.waiting.append { continuation.resume(with: Swift.Result { try job() }) }
                return true
            }
            if isTaken {
                wakeUp.signal()
            } else {
                continuation.resume(throwing: Failure(.failedPrecondition, "the node's network was stopped"))
            }
        }
    }

    /// Lets what was given before finish, then ends the thread.
    func stop() {
        jobs.withLock { $0.isStopped = true }
        wakeUp.signal()
    }

    /// Runs `body` with the calling thread in a namespace, and returns to the host's. Only for jobs of this thread.
    func inside<Result>(_ namespace: SharedDescriptor, _ body: () throws -> Result) throws -> Result {
        try Namespaces.network.enter(namespace.descriptor)
        defer { try? Namespaces.network.enter(host.descriptor) }
        return try body()
    }
}
