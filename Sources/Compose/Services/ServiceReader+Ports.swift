import ClusterModel
import Primitives

extension ServiceReader {
    /// The published ports, ordered by target.
    mutating func ports(_ list: Field) throws(ComposeError) -> [PortConfig] {
        var found: [(port: PortConfig, item: Field)] = []
        for item in try list.items() {
            let isMap = if case .map = item.element.content { true } else { false }
            for port in isMap ? [try longPort(item)] : try shortPorts(item) {
                // A later file's port replaces an earlier file's on the same published one.
                found.removeAll { other in
                    other.item.place.file != item.place.file && Self.collide(other.port, port)
                }
                if found.contains(where: { $0.port == port }) { continue }
                guard !found.contains(where: { Self.collide($0.port, port) }) else {
                    throw item.error("publishes \(port.publishedPort)/\(port.protocol) a second time")
                }
                found.append((port, item))
            }
            guard found.count <= ComposeLimits.servicePorts else {
                throw item.error("is beyond \(ComposeLimits.servicePorts) ports of one service")
            }
        }
        return found.map(\.port).sorted { first, second in
            (first.targetPort, first.publishedPort, first.protocol.rawValue, first.hostAddress ?? "")
                < (second.targetPort, second.publishedPort, second.protocol.rawValue, second.hostAddress ?? "")
        }
    }

    private static func collide(_ first: PortConfig, _ second: PortConfig) -> Bool {
        first.publishedPort != 0 && first.publishedPort == second.publishedPort && first.protocol == second.protocol
            && (first.hostAddress == second.hostAddress || first.hostAddress == nil || second.hostAddress == nil)
    }

    /// `[[ADDRESS:]PUBLISHED[-END]:]TARGET[-END][/PROTOCOL]`.
    private func shortPorts(_ item: Field) throws(ComposeError) -> [PortConfig] {
        var text = try item.text()[...]
        func malformed() -> ComposeError {
            item.error("must be [[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL], not \"\((try? item.text()) ?? "")\"")
        }
        var portProtocol = PortProtocol.tcp
        if let slash = text.lastIndex(of: "/") {
            let name = text[text.index(after: slash)...].lowercased()
            guard let found = PortProtocol.allCases.first(where: { String(describing: $0) == name }) else {
                throw item.error("has the protocol \"\(name)\", not one of tcp, udp, sctp")
            }
            portProtocol = found
            text = text[..<slash]
        }
        var address: String?
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            address = String(text[text.index(after: text.startIndex)..<end])
            text = text[text.index(after: end)...]
            guard text.first == ":" else { throw malformed() }
            text.removeFirst()
        }
        var parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 3, address == nil { address = String(parts.removeFirst()) }
        guard let last = parts.popLast(), parts.count <= 1, address == nil || parts.count == 1 else {
            throw malformed()
        }
        guard let targets = Self.range(last), targets.lowerBound > 0 else { throw malformed() }
        let isChosen = parts.first?.isEmpty ?? true
        guard let published = isChosen ? targets : Self.range(parts[0]) else { throw malformed() }
        guard published.count == targets.count else {
            throw item.error("has ranges of \(published.count) published and \(targets.count) target ports")
        }
        let hostAddress = try address.map { text throws(ComposeError) in try Self.checkedAddress(text, item) } ?? nil
        return zip(published, targets).map { outside, inside in
            PortConfig(
                protocol: portProtocol, targetPort: inside, publishedPort: isChosen ? 0 : outside,
                hostAddress: hostAddress)
        }
    }

    private static func range(_ text: Substring) -> ClosedRange<UInt16>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2, let first = ends.first.flatMap(port), let last = ends.last.flatMap(port), first <= last
        else { return nil }
        return first...last
    }

    private static func port(_ text: Substring) -> UInt16? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? UInt16(text) : nil
    }

    /// nil for every address.
    private static func checkedAddress(_ text: String, _ field: Field) throws(ComposeError) -> String? {
        if text.isEmpty || text == "0.0.0.0" || text == "::" { return nil }
        guard IPv4Address(text) != nil || text.contains(":") else {
            throw field.error("has the address \"\(text)\", which is not an IP address")
        }
        return text
    }

    private mutating func longPort(_ item: Field) throws(ComposeError) -> PortConfig {
        guard let target = item["target"] else { throw item.error("has no target") }
        var port = PortConfig(targetPort: try target.integer(in: 1...UInt16.max))
        for field in try item.members() where !field.element.isNull {
            switch field.key {
            case "target": break
            case "published": if try !field.text().isEmpty { port.publishedPort = try field.integer() }
            case "protocol":
                port.protocol = try field.choice(["tcp": PortProtocol.tcp, "udp": .udp, "sctp": .sctp])
            case "mode": port.mode = try field.choice(["ingress": PublishMode.ingress, "host": .host])
            case "host_ip": port.hostAddress = try Self.checkedAddress(try field.text(), field)
            case "name": port.name = try field.text()
            default: stack.diagnostics.unsupported(field)
            }
        }
        return port
    }
}
