import Compose
import DockerSchema

/// Waits until all services of a stack are as asked, looking at them together.
struct StackWait {
    var engine: EngineClient
    var stack: String
    var options: WaitOptions

    private struct Look {
        /// Ordered by name.
        var services: [(name: String, progress: ServiceProgress)]

        var failures: [String] {
            services.compactMap { name, progress in
                if case .failed(let reason) = progress.verdict { return "\(name): \(reason)" }
                return nil
            }
        }
        var isWorking: Bool { services.contains { $0.progress.verdict == .working } }
        var isConverged: Bool { services.allSatisfy { $0.progress.verdict == .converged } }
        var summary: String {
            services.filter { $0.progress.verdict != .converged }
                .map { "\($0.name): \($0.progress.summary)" }.joined(separator: ", ")
        }
        var problems: [String] {
            services.filter { $0.progress.verdict != .converged }.flatMap(\.progress.problems)
        }
    }

    /// - Parameter services: ids.
    /// - Throws: ``CommandFailure`` naming every service that failed, or that was not done in time.
    func run(_ services: [String]) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let limit = try options.limit()
        let wanted = Set(services)
        var printer = ProgressPrinter(isQuiet: options.quiet)
        var since: ContinuousClock.Instant?
        while true {
            let look = try await look(at: wanted)
            if look.isWorking { printer.show(look.summary, problems: look.problems) }
            if !look.isWorking, !look.failures.isEmpty {
                printer.end()
                throw CommandFailure(look.failures.joined(separator: "; "), status: .notReached)
            }
            if look.isConverged {
                let first = since ?? clock.now
                since = first
                if clock.now - first >= .milliseconds(CommandLimits.settleMilliseconds) {
                    printer.end()
                    if !options.quiet { try await report(look, after: clock.now - start) }
                    return
                }
            } else {
                since = nil
            }
            if let limit, clock.now - start >= limit {
                printer.end()
                let text = ([look.summary] + look.failures + look.problems).filter { !$0.isEmpty }
                throw CommandFailure(
                    "stack \(stack): not done after \(Humanize.seconds(limit)): \(text.joined(separator: "; "))",
                    status: .timedOut)
            }
            try await Task.sleep(for: .milliseconds(CommandLimits.pollMilliseconds))
        }
    }

    private func look(at wanted: Set<String>) async throws -> Look {
        let label = EngineClient.stackFilter(stack)
        let services = try await engine.get(["services"], try EngineClient.filters([label]), as: [Docker.Service].self)
        let tasks = try await engine.get(["tasks"], try EngineClient.filters([label]), as: [Docker.Task].self)
        let fresh = try await engine.get(
            ["tasks"], try EngineClient.filters([label, ("_up-to-date", "true")]), as: [Docker.Task].self)
        let missing = wanted.subtracting(services.map(\.ID)).sorted()
        guard missing.isEmpty else {
            throw CommandFailure("services are gone: \(missing.joined(separator: ", "))", status: .notReached)
        }
        let current = Set(fresh.map(\.ID))
        let found = services.filter { wanted.contains($0.ID) }.sorted { ($0.Spec.Name ?? "") < ($1.Spec.Name ?? "") }
        return Look(
            services: found.map { service in
                let own = tasks.filter { $0.ServiceID == service.ID }
                return (service.Spec.Name ?? service.ID, ServiceProgress(service, tasks: own, current: current))
            })
    }

    /// Says where the tasks run.
    private func report(_ look: Look, after time: Duration) async throws {
        let nodes = try await engine.get(["nodes"], as: [Docker.Node].self)
        let names = Dictionary(nodes.map { ($0.ID, $0.Description?.Hostname ?? $0.ID) }) { first, _ in first }
        let count = look.services.reduce(0) { $0 + $1.progress.running.count }
        Console.line("\(stack): \(count) tasks running after \(Humanize.seconds(time))")
        let rows = look.services.flatMap { name, progress in
            progress.running.map { task in
                ["  " + (task.Slot.map { "\(name).\($0)" } ?? name), task.NodeID.map { names[$0] ?? $0 } ?? ""]
            }
        }
        for line in Table(rows: rows).lines(width: Console.width) { Console.line(line) }
    }
}
