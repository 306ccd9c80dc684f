import Glibc
import Simulation

/// Many seeds, a process for each processor: they share nothing, and one that crashes takes no other with it.
struct Campaign {
    /// From so many seeds on everything must have occurred.
    private static let completeCount: UInt64 = 1_000
    private static let batch: UInt64 = 25

    private struct Child {
        let process: pid_t
        let output: Int32
        var pending: [UInt8] = []
        var current: UInt64?
        let end: UInt64
    }

    let first: UInt64
    let count: UInt64
    let stopsAtFailure: Bool
    private var next: UInt64
    private var children: [Child] = []
    private var coverage = Coverage()
    private var simulated: Microseconds = 0
    private var passed: UInt64 = 0
    private var failures: [(seed: UInt64, code: Int32)] = []

    init(first: UInt64, count: UInt64, stopsAtFailure: Bool) {
        self.stopsAtFailure = stopsAtFailure
        self.first = first
        self.count = count
        next = first
    }

    /// - Returns: the exit code.
    mutating func run() -> Int32 {
        let started = ContinuousClock.now
        let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        for _ in 0..<processors { startNext() }
        while !children.isEmpty { listen() }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        for line in coverage.lines {
            print(line.group.padded(10), line.name.padded(28), line.count)
        }
        var code = failures.map(\.code).min() ?? 0
        if count >= Self.completeCount, !coverage.missing.isEmpty {
            print("never occurred in \(count) seeds: \(coverage.missing.joined(separator: ", "))")
            if code == 0 { code = ExitCode.incomplete }
        }
        let hours = Double(simulated) / 3_600_000_000
        print("\(rounded(hours / max(seconds, 0.001))) simulated hours a second of real time")
        print(
            "{\"seeds\":\(count),\"failed\":\(failures.count),\"simulated_hours\":\(rounded(hours)),"
                + "\"seconds\":\(rounded(seconds))}")
        return code
    }

    private func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    // MARK: Children

    private mutating func startNext() {
        guard next < first + count, !stopsAtFailure || failures.isEmpty else { return }
        let end = min(next + Self.batch, first + count)
        start(from: next, to: end)
        next = end
    }

    private mutating func start(from: UInt64, to end: UInt64) {
        var pipe: [Int32] = [0, 0]
        guard Glibc.pipe(&pipe) == 0 else { Self.giveUp("no pipe for a worker", errno) }
        // Another child that held the writing end would keep this one's output open.
        for descriptor in pipe { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let arguments = ["simulator", "--worker", "--first", "\(from)", "--seeds", "\(end - from)"]
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process = pid_t()
        let result = posix_spawn(&process, "/proc/self/exe", &actions, nil, &pointers, environ)
        guard result == 0 else { Self.giveUp("no worker process", result) }
        close(pipe[1])
        children.append(Child(process: process, output: pipe[0], end: end))
    }

    /// The machine lacks something: no seed has failed, and none can be tried. Workers end with their output.
    private static func giveUp(_ what: String, _ number: Int32) -> Never {
        var line = "simulator: \(what): \(String(cString: strerror(number)))\n"
        line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
        exit(ExitCode.resources)
    }

    /// Waits for what any child says.
    private mutating func listen() {
        var descriptors = children.map { pollfd(fd: $0.output, events: Int16(POLLIN), revents: 0) }
        guard poll(&descriptors, nfds_t(descriptors.count), -1) > 0 else { return }
        for index in descriptors.indices.reversed() where descriptors[index].revents != 0 {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let read = Glibc.read(children[index].output, &buffer, buffer.count)
            if read > 0 {
                children[index].pending += buffer.prefix(read)
                takeLines(of: index)
            } else {
                finish(children.remove(at: index))
            }
        }
    }

    private mutating func takeLines(of index: Int) {
        while let end = children[index].pending.firstIndex(of: 10) {
            let line = String(decoding: children[index].pending[..<end], as: UTF8.self)
            children[index].pending.removeFirst(end + 1)
            switch Worker.Line(line) {
            case .begun(let seed)?: children[index].current = seed
            case .passed(let time, let counts)?:
                children[index].current = nil
                passed += 1
                simulated += time
                coverage.add(counts)
            case .failed(let seed, let isLiveness, let text)?:
                children[index].current = nil
                fail(seed, isLiveness ? ExitCode.liveness : ExitCode.safety, text)
            case nil: print(line)
            }
        }
    }

    private mutating func finish(_ child: Child) {
        var status: Int32 = 0
        waitpid(child.process, &status, 0)
        close(child.output)
        guard let seed = child.current, !stopsAtFailure || failures.isEmpty else { return startNext() }
        fail(seed, ExitCode.crash, "the program crashed (wait status \(status))")
        if seed + 1 < child.end { start(from: seed + 1, to: child.end) } else { startNext() }
    }

    /// The others are of no interest any more when one is enough.
    private mutating func fail(_ seed: UInt64, _ code: Int32, _ text: String) {
        failures.append((seed, code))
        print("seed \(seed) failed: \(text)")
        print("  to see it again: .build/core/release/simulator --trace \(seed)")
        fflush(nil)
        guard stopsAtFailure else { return }
        for child in children { kill(child.process, SIGKILL) }
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
