import ArgumentParser
import AsyncHTTPClient
import DockerSchema
import Foundation
import NIOCore
import Primitives

struct EventsCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show what happens in the cluster, as it happens.",
        discussion: """
            Ends with --until, or when it is interrupted.

            EXAMPLES
              swarmctl events --filter type=service
              swarmctl events --since 10m --until 0s --filter service=web
              swarmctl events --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'
            """)

    @OptionGroup var connection: ConnectionOptions
    @Option(
        name: .shortAndLong,
        help: "type, event, label, service, node, secret, config, network, task: KEY=VALUE; may be repeated.")
    var filter: [String] = []
    @Option(help: "Begin with what happened since then: a time (RFC 3339) or 10m.") var since: String?
    @Option(help: "End then: a time (RFC 3339), or 10m for ten minutes ago.") var until: String?
    @Option(help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        var query = try EngineClient.filters(parsing: filter)
        let now = Date()
        if let since { query.append(("since", try ServiceLogs.time(since, now: now))) }
        if let until { query.append(("until", try ServiceLogs.time(until, now: now))) }
        let template = try format.flatMap { $0 == "json" ? nil : try Template($0) }
        var lines = JSONLines()
        let body = try await engine.stream("GET", ["events"], query)
        do {
            for try await piece in body {
                for line in lines.add(piece.readableBytesView) { try print(line, template) }
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure("the events broke off: \(error)")
        }
    }

    private func print(_ line: [UInt8], _ template: Template?) throws {
        let json = try DockerJSON.decode(JSONValue.self, from: line)
        if case .string(let message)? = json["error"] { throw CommandFailure(message) }
        if let template {
            Console.line(try template.render(json))
        } else if format == "json" {
            Console.line(String(decoding: line, as: UTF8.self))
        } else {
            Console.line(EventsCommand.text(try DockerJSON.decode(Docker.Event.self, from: line)))
        }
    }

    /// As Docker's client prints it: time, type, action, id, attributes.
    static func text(_ event: Docker.Event) -> String {
        let time = Timestamp(nanoseconds: event.timeNano).rfc3339
        let attributes = event.Actor.Attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return "\(time) \(event.`Type`) \(event.Action) \(event.Actor.ID) (\(attributes.joined(separator: ", ")))"
    }
}

/// Bytes in pieces, out in lines.
struct JSONLines {
    private var rest: [UInt8] = []

    mutating func add(_ bytes: some Sequence<UInt8>) -> [[UInt8]] {
        rest += bytes
        var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        rest = lines.popLast() ?? []
        return lines.filter { !$0.isEmpty }
    }
}
