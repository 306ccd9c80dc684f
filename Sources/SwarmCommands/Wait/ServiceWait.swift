import ArgumentParser
import DockerSchema
import Primitives

/// Whether and how long a command waits.
struct WaitOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Return at once, without waiting until it is so.")
    var detach = false

    @Option(help: ArgumentHelp("Give up waiting after this time (5m; 0: never).", valueName: "duration"))
    var timeout: String?

    @Flag(name: .shortAndLong, help: "Print no progress.")
    var quiet = false

    func limit() throws -> Duration? {
        guard let timeout else { return .seconds(CommandLimits.waitSeconds) }
        let nanoseconds = try FlagValue.duration(timeout)
        return nanoseconds == 0 ? nil : .nanoseconds(nanoseconds)
    }
}

/// Waits until a service is as asked.
struct ServiceWait {
    var engine: EngineClient
    var options: WaitOptions
    var expectsRollback = false
    /// How long it must stay so.
    var settle: Duration = .milliseconds(CommandLimits.settleMilliseconds)

    /// - Returns: the last look at it.
    /// - Throws: ``CommandFailure`` with the tasks' errors when it failed or the time is over.
    @discardableResult
    func run(_ service: String) async throws -> ServiceProgress {
        let clock = ContinuousClock()
        let start = clock.now
        let limit = try options.limit()
        var printer = ProgressPrinter(isQuiet: options.quiet)
        var since: ContinuousClock.Instant?
        while true {
            let (name, progress) = try await look(at: service)
            printer.show("\(name): \(progress.summary)", problems: progress.problems)
            switch progress.verdict {
            case .failed(let reason):
                printer.end()
                throw CommandFailure("\(name): \(reason)", status: .notReached)
            case .converged:
                let first = since ?? clock.now
                since = first
                if clock.now - first >= settle {
                    printer.end()
                    if !options.quiet { try await report(name, progress, after: clock.now - start) }
                    return progress
                }
            case .working: since = nil
            }
            if let limit, clock.now - start >= limit {
                printer.end()
                let problems = progress.problems.isEmpty ? "" : "; " + progress.problems.joined(separator: "; ")
                throw CommandFailure(
                    "\(name): not done after \(Humanize.seconds(limit)): \(progress.summary)\(problems)",
                    status: .timedOut)
            }
            try await Task.sleep(for: .milliseconds(CommandLimits.pollMilliseconds))
        }
    }

    private func look(at service: String) async throws -> (String, ServiceProgress) {
        let object = try await engine.get(["services", service], as: Docker.Service.self)
        let tasks = try await engine.get(
            ["tasks"], try EngineClient.filters([("service", object.ID)]), as: [Docker.Task].self)
        let current = try await engine.get(
            ["tasks"], try EngineClient.filters([("service", object.ID), ("_up-to-date", "true")]),
            as: [Docker.Task].self)
        let progress = ServiceProgress(
            object, tasks: tasks, current: Set(current.map(\.ID)), expectsRollback: expectsRollback)
        return (object.Spec.Name ?? service, progress)
    }

    /// Says where the tasks run.
    private func report(_ name: String, _ progress: ServiceProgress, after time: Duration) async throws {
        let nodes = try await engine.get(["nodes"], as: [Docker.Node].self)
        let names = Dictionary(nodes.map { ($0.ID, $0.Description?.Hostname ?? $0.ID) }) { first, _ in first }
        Console.line("\(name): \(progress.running.count) running after \(Humanize.seconds(time))")
        let rows = progress.running.map { task in
            let place = task.Slot.map { "\(name).\($0)" } ?? name
            return ["  " + place, task.NodeID.map { names[$0] ?? $0 } ?? ""]
        }
        for line in Table(rows: rows).lines(width: Console.width) { Console.line(line) }
    }
}

/// One line that is rewritten on a terminal; elsewhere a line for every change.
struct ProgressPrinter {
    var isQuiet: Bool
    private var last = ""

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    mutating func show(_ text: String, problems: [String]) {
        let line = ([text] + problems.prefix(1)).joined(separator: "; ")
        guard !isQuiet, line != last else { return }
        last = line
        if Console.isTerminal {
            Console.status(String(line.prefix((Console.width ?? 80) - 1)))
        } else {
            Console.line(line)
        }
    }

    func end() {
        if !isQuiet, Console.isTerminal { Console.status("") }
    }
}
