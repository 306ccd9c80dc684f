import ArgumentParser
import DockerSchema
import Foundation

struct RecoverCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover", abstract: "Go on with this manager alone when most managers are gone for good.",
        discussion: """
            Makes a cluster of one that keeps everything: the authority, tokens, services, networks, secrets, workers and
            their running containers. It says what it will do, and asks, before it does it. Managers that can still be started
            should be started instead: what only they have is lost otherwise.

            EXAMPLES
              swarmctl recover --dry-run
              swarmctl recover
              swarmctl recover --yes --advertise-addr 192.0.2.20
            """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: "Address that other nodes reach this one at from now on: ADDRESS|INTERFACE[:PORT].")
    var advertiseAddr: String?
    @Option(help: "Address to listen at from now on.") var listenAddr: String?
    @Option(help: "Address for traffic between containers from now on.") var dataPathAddr: String?
    @Flag(help: "Say what would be done, and do nothing.") var dryRun = false
    @Flag(name: .shortAndLong, help: "Do not ask.") var yes = false

    func run(_ engine: EngineClient) async throws {
        var request = Docker.RecoveryRequest()
        request.AdvertiseAddr = advertiseAddr
        request.ListenAddr = listenAddr
        request.DataPathAddr = dataPathAddr
        let path = ["swarm", "recover"]
        let plan = try await engine.post(path, [("dryrun", "true")], request, as: Docker.RecoveryPlan.self)
        for line in RecoverCommand.lines(plan) { Console.line(line) }
        if dryRun { return }
        if !yes, try !Console.confirms("Go on? [y/N] ") { throw CommandFailure("nothing was done") }
        let done = try await engine.post(path, [], request, as: Docker.RecoveryPlan.self)
        Console.line("This manager (\(done.NodeID)) goes on alone. `swarmctl token manager` tells how to add others.")
    }

    static func lines(_ plan: Docker.RecoveryPlan) -> [String] {
        func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
        let lost = plan.LostManagers.map { manager in
            "\(manager.Hostname.isEmpty ? manager.ID : manager.Hostname) (\(manager.Addr))"
        }
        let kept = [
            count(plan.Services, "service"), count(plan.Tasks, "task"), count(plan.Networks, "network"),
            count(plan.Secrets, "secret"), count(plan.Configs, "config"), count(plan.Workers, "worker"),
        ]
        return [
            "This manager goes on as a cluster of one:",
            "  node              \(plan.NodeID), reached at \(plan.Addr)",
            "  kept              the authority and the join tokens; " + kept.joined(separator: ", "),
            "  no managers more  " + (lost.isEmpty ? "-" : lost.joined(separator: ", ")),
            "  state             as of change \(plan.Index); what only the lost managers have is lost",
            "  lock              " + (plan.Locked ? "managers need their unlock key, as before" : "none"),
            "If enough of the lost managers can still be started, start them instead. Those that come back later must",
            "leave (`swarmctl leave --force`) and join again: a majority of them would be a second cluster.",
        ]
    }
}
