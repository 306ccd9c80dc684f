import LinuxSystem
import Primitives
import Synchronization

/// Threads for work that blocks (file systems, cgroups), so that Swift's own few threads never do.
final class BlockingPool: Sendable {
    private let jobs = Mutex<[@Sendable () -> Void]>([])
    private let waiting: LinuxSystem.Semaphore

    /// The threads live as long as the program.
    init(threads: Int) throws(Errno) {
        waiting = try LinuxSystem.Semaphore()
        for number in 1...threads {
            try SystemThread.start(name: "blocking-\(number)") { [self] in serve() }
        }
    }

    private func serve() {
        while (try? waiting.wait()) != nil {
            let job = jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            job?()
        }
    }

    func run<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            jobs.withLock { $0.append { continuation.resume(with: Swift.Result { try work() }) } }
            waiting.signal()
        }
    }
}
