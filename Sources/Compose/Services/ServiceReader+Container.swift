import ClusterModel
import Primitives

extension ServiceReader {
    /// - Returns: false for a key that is not a single value of the container.
    mutating func readContainer(_ field: Field) throws(ComposeError) -> Bool {
        // `key:` with nothing behind it means: as if it were not there.
        if field.element.isNull, Self.singleKeys.contains(field.key) { return true }
        switch field.key {
        case "command": spec.task.container.arguments = try field.command()
        case "entrypoint":
            spec.task.container.command = try field.command()
            if spec.task.container.command.isEmpty {
                stack.diagnostics.warn(
                    "\(field.path) is empty: the image's own entrypoint stays", at: field.keyPlace)
            }
        case "hostname": spec.task.container.hostname = try field.text()
        case "user": spec.task.container.user = try field.text()
        case "working_dir": spec.task.container.workingDirectory = try field.text()
        case "init": spec.task.container.initProcess = try field.bool()
        case "tty": spec.task.container.terminal = try field.bool()
        case "stdin_open": spec.task.container.openStdin = try field.bool()
        case "read_only": spec.task.container.readOnly = try field.bool()
        case "stop_signal": spec.task.container.stopSignal = try field.text()
        case "stop_grace_period": spec.task.container.stopGracePeriod = try field.duration()
        case "oom_score_adj": spec.task.container.oomScoreAdjustment = try field.integer(in: -1000...1000)
        default: return false
        }
        return true
    }

    private static let singleKeys: Set<String> = [
        "command", "entrypoint", "hostname", "user", "working_dir", "init", "tty", "stdin_open", "read_only",
        "stop_signal", "stop_grace_period", "oom_score_adj",
    ]

    /// - Returns: false for a key that is not a list or map of the container.
    mutating func readLists(_ field: Field) throws(ComposeError) -> Bool {
        switch field.key {
        case "environment", "env_file":
            // Both are read at once, because the files come first whatever the order of the keys.
            guard field.key == "environment" || service["environment"] == nil else { return true }
            spec.task.container.environment = try environment()
        case "labels":
            var labels = try field.labels()
            labels[StackLabels.namespace] = stack.stack
            spec.task.container.labels = labels
        case "cap_add": spec.task.container.capabilitiesAdded = try capabilities(field)
        case "cap_drop": spec.task.container.capabilitiesDropped = try capabilities(field)
        case "group_add": spec.task.container.groups = try field.texts()
        case "dns": spec.task.container.dns.nameservers = try addresses(field)
        case "dns_search": spec.task.container.dns.search = try field.texts()
        case "dns_opt": spec.task.container.dns.options = try field.texts()
        case "sysctls": spec.task.container.sysctls = try field.labels()
        case "ulimits": spec.task.container.ulimits = try ulimits(field)
        case "extra_hosts": spec.task.container.hosts = try extraHosts(field)
        case "security_opt": try readSecurityOptions(field)
        default: return false
        }
        return true
    }

    private func capabilities(_ field: Field) throws(ComposeError) -> [String] {
        var names: [String] = []
        for item in try field.items() {
            let upper = try item.nonEmptyText().uppercased()
            let name = upper == "ALL" || upper.hasPrefix("CAP_") ? upper : "CAP_" + upper
            if !names.contains(name) { names.append(name) }
        }
        return names.sorted()
    }

    private func addresses(_ field: Field) throws(ComposeError) -> [String] {
        var addresses: [String] = []
        for item in try field.itemsOrSelf() {
            let text = try item.text()
            guard IPv4Address(text) != nil || text.contains(":") else {
                throw item.error("\"\(text)\" is not an IP address")
            }
            addresses.append(text)
        }
        return addresses
    }

    private mutating func readSecurityOptions(_ field: Field) throws(ComposeError) {
        for item in try field.items() {
            switch try item.text() {
            case "no-new-privileges", "no-new-privileges:true", "no-new-privileges=true":
                spec.task.container.noNewPrivileges = true
            case "no-new-privileges:false", "no-new-privileges=false": spec.task.container.noNewPrivileges = false
            case let other:
                stack.diagnostics.warn("\(field.path) \(other) is not supported and ignored", at: item.place)
            }
        }
    }

    private func ulimits(_ field: Field) throws(ComposeError) -> [Ulimit] {
        var limits: [Ulimit] = []
        for limit in try field.members() {
            guard case .map = limit.element.content else {
                let value = try limit.integer(in: -1...Int64.max)
                limits.append(Ulimit(name: limit.key, soft: value, hard: value))
                continue
            }
            guard let soft = limit["soft"], let hard = limit["hard"] else {
                throw limit.error("needs both soft and hard")
            }
            limits.append(
                Ulimit(
                    name: limit.key, soft: try soft.integer(in: -1...Int64.max),
                    hard: try hard.integer(in: -1...Int64.max)))
        }
        return limits.sorted { $0.name < $1.name }
    }

    /// `NAME:ADDRESS` or `NAME=ADDRESS` as a line of /etc/hosts.
    private mutating func extraHosts(_ field: Field) throws(ComposeError) -> [String] {
        var lines: [String] = []
        for pair in try field.pairs(separators: [":", "="]) {
            guard var address = pair.value, !address.isEmpty, !pair.key.isEmpty else {
                throw pair.field.error("must be NAME:ADDRESS")
            }
            if address == "host-gateway" {
                stack.diagnostics.warn(
                    "\(field.path) \(pair.key): host-gateway is not supported and ignored", at: pair.field.place)
                continue
            }
            if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
            guard IPv4Address(address) != nil || address.contains(":") else {
                throw pair.field.error("\"\(address)\" is not an IP address")
            }
            lines.append("\(address) \(pair.key)")
        }
        return lines
    }
}

// MARK: - Environment

extension ServiceReader {
    /// `KEY=VALUE` ordered by key: the env_files in their order, then `environment`.
    private mutating func environment() throws(ComposeError) -> [String] {
        var variables: [String: String] = [:]
        for item in try service["env_file"]?.itemsOrSelf() ?? [] {
            for variable in try fileVariables(item) { variables[variable.key] = variable.value }
        }
        for pair in try service["environment"]?.pairs() ?? [] {
            guard !pair.key.isEmpty else { throw pair.field.error("has no name before its value") }
            if let value = pair.value ?? stack.loader.environment[pair.key] {
                variables[pair.key] = value
            } else {
                stack.diagnostics.warn(
                    "\(service.path).environment: \(pair.key) has no value here and is left out", at: pair.field.place)
                variables[pair.key] = nil
            }
        }
        return variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    private mutating func fileVariables(_ item: Field) throws(ComposeError) -> [(key: String, value: String)] {
        var path: Field? = item
        var isRequired = true
        if case .map = item.element.content {
            path = item["path"]
            isRequired = try item["required"]?.bool() ?? true
            for member in try item.members() where !["path", "required"].contains(member.key) {
                stack.diagnostics.unsupported(member)
            }
        }
        guard let path else { throw item.error("has no path") }
        let name = try path.nonEmptyText()
        let bytes: [UInt8]
        do throws(ComposeError) {
            bytes = try stack.contents(of: name, field: path)
        } catch {
            if isRequired { throw error }
            return []
        }
        guard bytes.count <= ComposeLimits.fileBytes else {
            throw path.error("names \(name), which has more than \(ComposeLimits.fileBytes) bytes")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw path.error("names \(name), which is not UTF-8 text")
        }
        return try EnvironmentFile.literal(
            text, file: name, environment: stack.loader.environment, diagnostics: &stack.diagnostics)
    }
}
