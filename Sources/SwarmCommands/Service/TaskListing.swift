import DockerSchema
import Foundation
import Primitives

/// The table of `service ps` and `node ps`.
enum TaskListing {
    static func print(
        _ tasks: [Docker.Task], _ engine: EngineClient, _ output: OutputOptions, resolves: Bool
    ) async throws {
        let nodes = try await engine.get(["nodes"], as: [Docker.Node].self)
        let names = Dictionary(nodes.map { ($0.ID, $0.Description?.Hostname ?? $0.ID) }) { first, _ in first }
        let now = Timestamp(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9))
        let rows = rows(of: tasks, nodes: resolves ? names : [:], now: now, output)
        try Listing(
            columns: [
                ("ID", "ID"), ("NAME", "Name"), ("IMAGE", "Image"), ("NODE", "Node"),
                ("DESIRED STATE", "DesiredState"), ("CURRENT STATE", "CurrentState"), ("ERROR", "Error"),
                ("PORTS", "Ports"),
            ], rows: rows
        ).print(output)
    }

    /// Newest first in each slot; earlier ones hang below it.
    static func rows(
        of tasks: [Docker.Task], nodes: [String: String], now: Timestamp, _ output: OutputOptions
    ) -> [[String: String]] {
        let sorted = tasks.sorted { a, b in
            let (left, right) = (key(a), key(b))
            if left != right { return left < right }
            return (a.CreatedAt, a.ID) > (b.CreatedAt, b.ID)
        }
        let isTable = output.format == nil || output.format?.hasPrefix("table") == true
        var last = ""
        return sorted.map { task in
            let short = place(task)
            let isEarlier = short == last
            last = short
            let image = task.Spec.ContainerSpec?.Image ?? ""
            let error = task.Status.Err ?? ""
            return [
                "ID": task.ID.shortID(output.isWhole || output.quiet),
                "Name": isEarlier && isTable ? " \\_ " + short : short,
                "Image": output.isWhole ? image : withoutDigest(image),
                "Node": task.NodeID.map { nodes[$0] ?? $0 } ?? "",
                "DesiredState": task.DesiredState.capitalizedFirst,
                "CurrentState": task.Status.State.capitalizedFirst + " "
                    + Humanize.ago(task.Status.Timestamp, now: now).lowercasedFirst,
                "Error": error.isEmpty ? "" : isTable ? "\"\(error)\"" : error,
                "Ports": (task.Status.PortStatus?.Ports ?? []).map(PortText.text).joined(separator: ","),
            ]
        }
    }

    /// `web.1`, and in a global service `web.NODE`: the task's name without its id.
    private static func place(_ task: Docker.Task) -> String {
        let name = task.Name ?? task.ID
        return name.hasSuffix("." + task.ID) ? String(name.dropLast(task.ID.count + 1)) : name
    }

    private static func key(_ task: Docker.Task) -> String {
        guard let slot = task.Slot else { return place(task) }
        let digits = String(slot)
        let service = place(task).split(separator: ".").dropLast().joined(separator: ".")
        return service + "." + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }

    static func withoutDigest(_ image: String) -> String {
        guard let at = image.firstIndex(of: "@"), image[..<at].contains(":") || at > image.startIndex else {
            return image
        }
        return String(image[..<at])
    }
}

/// `*:8080->80/tcp`.
enum PortText {
    static func text(_ port: Docker.PortConfig) -> String {
        let address = port.HostIP ?? "*"
        let published = port.PublishedPort.map { String($0) } ?? "?"
        return "\(address):\(published)->\(port.TargetPort ?? 0)/\(port.portProtocol ?? "tcp")"
    }
}

extension String {
    var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
