import DockerSchema

/// `--publish`: `8080:80`, `8080:80/udp`, `80`, `8000-8002:80-82`, `127.0.0.1:8080:80`, or
/// `published=8080,target=80,protocol=tcp,mode=host`.
enum PortFlag {
    static func parse(_ text: String) throws -> [Docker.PortConfig] {
        text.contains("=") ? [try long(text)] : try short(text)
    }

    private static func long(_ text: String) throws -> Docker.PortConfig {
        var port = Docker.PortConfig(portProtocol: "tcp", PublishMode: "ingress")
        for (key, value) in try FlagValue.fields(text) {
            switch key {
            case "target": port.TargetPort = try number(value, text)
            case "published": port.PublishedPort = try number(value, text)
            case "protocol": port.portProtocol = value
            case "mode": port.PublishMode = value
            case "name": port.Name = value
            case "host_ip", "host-ip": port.HostIP = value
            default: throw CommandFailure("publish \"\(text)\": \"\(key)\" is not known")
            }
        }
        guard port.TargetPort != nil else { throw CommandFailure("publish \"\(text)\": target is missing") }
        return port
    }

    private static func short(_ text: String) throws -> [Docker.PortConfig] {
        let halves = text.split(separator: "/", maxSplits: 1).map(String.init)
        let parts = (halves.first ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (1...3).contains(parts.count), let last = parts.last else {
            throw CommandFailure("publish \"\(text)\" is not [ADDRESS:][PUBLISHED:]TARGET[/PROTOCOL]")
        }
        let targets = try range(last, text)
        let published =
            parts.count > 1 && !parts[parts.count - 2].isEmpty ? try range(parts[parts.count - 2], text) : []
        guard published.isEmpty || published.count == targets.count else {
            throw CommandFailure("publish \"\(text)\": the ranges differ in length")
        }
        return targets.enumerated().map { index, target in
            var port = Docker.PortConfig(
                TargetPort: target, PublishedPort: published.isEmpty ? nil : published[index],
                portProtocol: halves.count > 1 ? halves[1] : "tcp", PublishMode: "ingress")
            if parts.count == 3 {
                // An address of one machine can only be bound on it.
                port.HostIP = parts[0]
                port.PublishMode = "host"
            }
            return port
        }
    }

    private static func range(_ text: String, _ whole: String) throws -> [UInt16] {
        let ends = try text.split(separator: "-", maxSplits: 1).map { try number(String($0), whole) }
        guard let first = ends.first, let last = ends.last, first <= last else {
            throw CommandFailure("publish \"\(whole)\": \"\(text)\" is not a port")
        }
        return Array(first...last)
    }

    private static func number(_ text: String, _ whole: String) throws -> UInt16 {
        guard let port = UInt16(text), port > 0 else {
            throw CommandFailure("publish \"\(whole)\": \"\(text)\" is not a port")
        }
        return port
    }
}
