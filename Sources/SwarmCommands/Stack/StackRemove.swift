import ArgumentParser
import Compose
import DockerSchema

struct StackRemove: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove stacks: services, then networks, secrets and configs.",
        discussion: """
            Volumes stay. Waits until the services' tasks have ended.

            EXAMPLES
              swarmctl stack rm web
            """, aliases: ["down"])

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var wait: WaitOptions
    @Argument(help: "The stacks' names.") var names: [String]

    func run(_ engine: EngineClient) async throws {
        var removed: Set<String> = []
        var found: Set<String> = []
        for name in names {
            let services = try await engine.get(
                ["services"], try EngineClient.filters([EngineClient.stackFilter(name)]), as: [Docker.Service].self)
            for service in services.sorted(by: { ($0.Spec.Name ?? "") < ($1.Spec.Name ?? "") }) {
                try await engine.send("DELETE", ["services", service.ID])
                say("Removing service \(service.Spec.Name ?? service.ID)")
                removed.insert(service.ID)
                found.insert(name)
            }
        }
        if !wait.detach { try await waitForTasks(of: removed, engine) }
        for name in names {
            let count = try await removeObjects(of: name, engine)
            if !found.contains(name), count == 0 { Console.error("Nothing found in stack: \(name)") }
        }
    }

    private func say(_ text: String) {
        if !wait.quiet { Console.line(text) }
    }

    private func removeObjects(of name: String, _ engine: EngineClient) async throws -> Int {
        var objects = StackObjects()
        objects.networks = try await engine.get(["networks"], as: [Docker.Network].self)
        objects.secrets = try await engine.get(["secrets"], as: [Docker.Payload].self)
        objects.configs = try await engine.get(["configs"], as: [Docker.Payload].self)
        var failures: [String] = []
        let all = objects.all(of: name)
        for object in all {
            do {
                try await engine.send("DELETE", [object.kind, object.id])
                say("Removing \(object.kind.dropLast()) \(object.name)")
            } catch let failure as CommandFailure where failure.status == .refused {
                // Another stack may use it; the rest is removed all the same.
                failures.append(failure.message)
            }
        }
        guard failures.isEmpty else { throw CommandFailure(failures.joined(separator: "; ")) }
        return all.count
    }

    private func waitForTasks(of services: Set<String>, _ engine: EngineClient) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let limit = try wait.limit()
        var printer = ProgressPrinter(isQuiet: wait.quiet)
        while !services.isEmpty {
            let tasks = try await engine.get(["tasks"], as: [Docker.Task].self).filter { task in
                services.contains(task.ServiceID ?? "") && !Self.endStates.contains(task.Status.State)
            }
            if tasks.isEmpty { break }
            printer.show("\(tasks.count) tasks to end", problems: [])
            if let limit, clock.now - start >= limit {
                printer.end()
                throw CommandFailure(
                    "\(tasks.count) tasks have not ended after \(Humanize.seconds(limit)); their services are removed",
                    status: .timedOut)
            }
            try await Task.sleep(for: .milliseconds(CommandLimits.pollMilliseconds))
        }
        printer.end()
    }

    private static let endStates: Set<String> = ["complete", "shutdown", "failed", "rejected", "remove", "orphaned"]
}
