public import Primitives

/// `node.labels.zone == eu`: one condition on the node that runs a task.
public struct Constraint: Hashable, Sendable, CustomStringConvertible {
    public enum Key: Hashable, Sendable {
        case nodeID
        case hostname
        case address
        case role
        case os
        case architecture
        case nodeLabel(String)
        case engineLabel(String)
    }

    public enum Operator: String, Hashable, Sendable {
        case equal = "=="
        case notEqual = "!="
    }

    public var key: Key
    public var `operator`: Operator
    /// Compared without case, as Docker does; for `node.ip` an address or a CIDR network.
    public var value: String

    public init(key: Key, operator: Operator, value: String) {
        self.key = key
        self.operator = `operator`
        self.value = value
    }

    /// Parses Docker's notation.
    ///
    /// - Throws: ``Failure`` with code `invalidArgument`, naming the expression and what is wrong with it.
    public init(parsing text: String) throws(Failure) {
        let found = [Operator.equal, .notEqual].compactMap { candidate in
            text.firstRange(of: candidate.rawValue).map { (candidate, $0) }
        }
        guard let (`operator`, range) = found.min(by: { $0.1.lowerBound < $1.1.lowerBound }) else {
            throw Failure(.invalidArgument, "constraint \"\(text)\" has no operator: write KEY==VALUE or KEY!=VALUE")
        }
        let name = Constraint.trimmed(text[..<range.lowerBound])
        let value = Constraint.trimmed(text[range.upperBound...])
        guard !value.isEmpty else {
            throw Failure(.invalidArgument, "constraint \"\(text)\" has no value after \(`operator`.rawValue)")
        }
        guard let key = Constraint.key(named: name) else {
            throw Failure(
                .invalidArgument,
                "constraint \"\(text)\": \"\(name)\" is not one of node.id, node.hostname, node.ip, node.role, "
                    + "node.platform.os, node.platform.arch, node.labels.NAME, engine.labels.NAME")
        }
        self.key = key
        self.operator = `operator`
        self.value = value
    }

    public var description: String { "\(keyName)\(`operator`.rawValue)\(value)" }

    /// Whether the node satisfies the condition.
    public func isSatisfied(by node: Node) -> Bool {
        matches(node) == (`operator` == .equal)
    }

    private func matches(_ node: Node) -> Bool {
        switch key {
        case .nodeID: same(node.id.description)
        case .hostname: same(node.hostname)
        case .address: matchesAddress(node.status.address)
        case .role: same(node.spec.role == .manager ? "manager" : "worker")
        case .os: same(node.description?.os ?? "")
        case .architecture: matchesArchitecture(node.description?.architecture ?? "")
        case .nodeLabel(let name): same(node.spec.labels[name] ?? "")
        case .engineLabel(let name): same(node.description?.engineLabels[name] ?? "")
        }
    }

    private func same(_ other: String) -> Bool { other.lowercased() == value.lowercased() }

    private func matchesAddress(_ text: String) -> Bool {
        guard let address = IPv4Address(text) else { return same(text) }
        if let network = IPv4Network(value) { return network.contains(address) }
        return IPv4Address(value) == address
    }

    /// Users write both the kernel's and Go's name of an architecture.
    private func matchesArchitecture(_ text: String) -> Bool {
        func canonical(_ name: String) -> String {
            switch name.lowercased() {
            case "amd64": "x86_64"
            case "arm64": "aarch64"
            default: name.lowercased()
            }
        }
        return canonical(text) == canonical(value)
    }

    private var keyName: String {
        switch key {
        case .nodeID: "node.id"
        case .hostname: "node.hostname"
        case .address: "node.ip"
        case .role: "node.role"
        case .os: "node.platform.os"
        case .architecture: "node.platform.arch"
        case .nodeLabel(let name): "node.labels.\(name)"
        case .engineLabel(let name): "engine.labels.\(name)"
        }
    }

    private static func key(named name: String) -> Key? {
        switch name.lowercased() {
        case "node.id": return .nodeID
        case "node.hostname": return .hostname
        case "node.ip": return .address
        case "node.role": return .role
        case "node.platform.os": return .os
        case "node.platform.arch": return .architecture
        default: break
        }
        for (prefix, make) in [("node.labels.", Key.nodeLabel), ("engine.labels.", Key.engineLabel)]
        where name.lowercased().hasPrefix(prefix) && name.utf8.count > prefix.utf8.count {
            return make(String(name.dropFirst(prefix.count)))
        }
        return nil
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
