import ClusterModel
import Primitives

/// Reads a whole file: first what services refer to, then the services.
struct StackReader {
    let loader: ComposeLoader
    let stack: String
    var diagnostics: Diagnostics

    /// By key.
    private(set) var networks: [String: NetworkPlan] = [:]
    private(set) var secrets: [String: PayloadPlan] = [:]
    private(set) var configs: [String: PayloadPlan] = [:]
    /// Names in the cluster by key.
    private(set) var volumes: [String: String] = [:]

    init(loader: ComposeLoader, stack: String, diagnostics: Diagnostics) {
        self.loader = loader
        self.stack = stack
        self.diagnostics = diagnostics
    }

    mutating func read(_ root: Field) throws(ComposeError) -> StackPlan {
        for section in try root.members() {
            switch section.key {
            case "version", "name", "services": break
            case "networks": try readNetworks(section)
            case "volumes": try readVolumes(section)
            case "secrets": try readPayloads(section, kind: .secret)
            case "configs": try readPayloads(section, kind: .config)
            default: diagnostics.unsupported(section)
            }
        }
        if networks[StackReader.defaultNetwork] == nil {
            let spec = NetworkSpec(name: "\(stack)_\(StackReader.defaultNetwork)", labels: labels())
            networks[StackReader.defaultNetwork] = .created(spec)
        }
        var services: [ServicePlan] = []
        for service in try root["services"]?.members() ?? [] where !service.key.hasPrefix("x-") {
            var reader = ServiceReader(stack: self, service: service)
            services.append(try reader.read())
            diagnostics = reader.stack.diagnostics
        }
        services.sort { $0.key < $1.key }
        let used = Set(services.flatMap(\.networks).map(\.network))
        return StackPlan(
            name: stack, services: services,
            networks: networks.values.filter { used.contains($0.name) }.sorted { $0.name < $1.name },
            secrets: secrets.values.sorted { $0.name < $1.name }, configs: configs.values.sorted { $0.name < $1.name },
            warnings: diagnostics.warnings)
    }

    static let defaultNetwork = "default"

    /// The labels of an object: the user's, and the stack's name.
    func labels(_ field: Field? = nil) throws(ComposeError) -> [String: String] {
        var labels = try field?.labels() ?? [:]
        labels[StackLabels.namespace] = stack
        return labels
    }

    private func labels() -> [String: String] { [StackLabels.namespace: stack] }

    /// An object's name in the cluster: `name:` as it stands, else the key behind the stack's name.
    func objectName(_ object: Field, kind: String) throws(ComposeError) -> String {
        let field = object["name"]
        let name = try givenName(object) ?? "\(stack)_\(object.key)"
        guard Names.isObjectName(name), name.utf8.count <= ComposeLimits.objectNameCharacters else {
            throw ComposeError(
                "\(object.path): \"\(name)\" is not a \(kind)'s name: at most "
                    + "\(ComposeLimits.objectNameCharacters) letters, digits and -_. inside",
                at: field?.place ?? object.keyPlace)
        }
        return name
    }

    /// What `name:` says; an empty one, of a variable that is not set, says nothing, as in Docker.
    private func givenName(_ object: Field) throws(ComposeError) -> String? {
        guard let field = object["name"], !field.element.isNull else { return nil }
        let name = try field.text()
        return name.isEmpty ? nil : name
    }

    /// The name of an object that exists already; nil where the stack makes it.
    mutating func externalName(_ object: Field) throws(ComposeError) -> String? {
        guard let external = object["external"], !external.element.isNull else { return nil }
        var name = try givenName(object)
        if case .map = external.element.content {
            // `external: {name: X}`, the older way.
            for member in try external.members() {
                if member.key == "name" {
                    name = try member.nonEmptyText()
                } else {
                    diagnostics.unsupported(member)
                }
            }
        } else if try !external.bool() {
            return nil
        }
        for member in try object.members() where !["external", "name"].contains(member.key) {
            guard !member.key.hasPrefix("x-") else { continue }
            diagnostics.warn("\(member.path) has no effect, because \(object.path) is external", at: member.keyPlace)
        }
        return name ?? object.key
    }

    /// An absolute path: relative to the first file's folder, `~` being the caller's home.
    func absolutePath(_ path: String, of field: Field) throws(ComposeError) -> String {
        var full = path
        if path == "~" || path.hasPrefix("~/") {
            guard let home = loader.environment["HOME"], home.hasPrefix("/") else {
                throw field.error("begins with ~, but the variable HOME is not set")
            }
            full = home + path.dropFirst()
        } else if !path.hasPrefix("/") {
            full = loader.folder + "/" + path
        }
        var parts: [Substring] = []
        for part in full.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    func contents(of path: String, field: Field) throws(ComposeError) -> [UInt8] {
        do {
            return try loader.readFile(try absolutePath(path, of: field))
        } catch let error as ComposeError {
            throw error
        } catch {
            throw field.error("names \(path), which cannot be read: \(error)")
        }
    }
}

extension StackReader {
    private mutating func readVolumes(_ section: Field) throws(ComposeError) {
        for volume in try section.members() where !volume.key.hasPrefix("x-") {
            if let external = try externalName(volume) {
                volumes[volume.key] = external
                continue
            }
            for field in try volume.members() {
                switch field.key {
                case "name", "external": break
                case "driver":
                    if let driver = try optionalText(field), driver != "local" {
                        diagnostics.warn(
                            "\(field.path) \(driver) is not supported: the volume is a folder of each node",
                            at: field.keyPlace)
                    }
                case "driver_opts":
                    if try !field.members().isEmpty {
                        diagnostics.unsupported(field, advice: ": the volume is a folder of each node")
                    }
                case "labels": if try !field.labels().isEmpty { diagnostics.unsupported(field) }
                default: diagnostics.unsupported(field)
                }
            }
            let name = try givenName(volume) ?? "\(stack)_\(volume.key)"
            volumes[volume.key] = name
        }
    }

    private func optionalText(_ field: Field) throws(ComposeError) -> String? {
        field.element.isNull ? nil : try field.text()
    }
}

// MARK: - Networks

extension StackReader {
    private mutating func readNetworks(_ section: Field) throws(ComposeError) {
        for network in try section.members() where !network.key.hasPrefix("x-") {
            if let external = try externalName(network) {
                networks[network.key] = .external(name: external, place: network.keyPlace)
                continue
            }
            var spec = NetworkSpec(name: try objectName(network, kind: "network"), labels: labels())
            for field in try network.members() {
                switch field.key {
                case "name", "external": break
                case "driver":
                    if let driver = try optionalText(field), driver != "overlay" {
                        diagnostics.warn(
                            "\(field.path) \(driver) is not supported, overlay is used", at: field.keyPlace)
                    }
                case "internal": spec.isInternal = try field.bool()
                case "attachable": spec.isAttachable = try field.bool()
                case "labels": spec.labels = try labels(field)
                case "driver_opts": spec.driverOptions = try field.labels()
                case "ipam": try readIPAM(field, into: &spec)
                default: diagnostics.unsupported(field)
                }
            }
            networks[network.key] = .created(spec)
        }
    }

    private mutating func readIPAM(_ ipam: Field, into spec: inout NetworkSpec) throws(ComposeError) {
        for field in try ipam.members() {
            switch field.key {
            case "driver":
                if let driver = try optionalText(field), driver != "default" {
                    diagnostics.warn("\(field.path) \(driver) is not supported, default is used", at: field.keyPlace)
                }
            case "config":
                for item in try field.items() { try readSubnet(item, into: &spec) }
            default: diagnostics.unsupported(field)
            }
        }
    }

    private mutating func readSubnet(_ item: Field, into spec: inout NetworkSpec) throws(ComposeError) {
        guard let field = item["subnet"] else {
            for other in try item.members() { diagnostics.unsupported(other) }
            return
        }
        let text = try field.text()
        guard let subnet = IPv4Network(text) else {
            guard text.contains(":") else {
                throw field.error("\"\(text)\" is not an IPv4 network such as 10.1.0.0/24")
            }
            diagnostics.warn("\(field.path) \(text): IPv6 is not supported, the subnet is ignored", at: field.keyPlace)
            return
        }
        guard spec.subnet == nil else {
            diagnostics.warn("\(field.path) \(text) is ignored: a network has one subnet", at: field.keyPlace)
            return
        }
        spec.subnet = subnet
        for other in try item.members() where other.key != "subnet" {
            guard other.key == "gateway" else {
                diagnostics.unsupported(other)
                continue
            }
            let text = try other.text()
            guard let gateway = IPv4Address(text), subnet.contains(gateway) else {
                throw other.error("\"\(text)\" is not an address of \(subnet)")
            }
            spec.gateway = gateway
        }
    }
}

// MARK: - Secrets and configs

enum PayloadKind: String {
    case secret
    case config

    var limitBytes: Int { self == .secret ? ComposeLimits.secretBytes : ComposeLimits.configBytes }
}

extension StackReader {
    private mutating func readPayloads(_ section: Field, kind: PayloadKind) throws(ComposeError) {
        for object in try section.members() where !object.key.hasPrefix("x-") {
            let plan = try readPayload(object, kind: kind)
            switch kind {
            case .secret: secrets[object.key] = plan
            case .config: configs[object.key] = plan
            }
        }
    }

    private mutating func readPayload(_ object: Field, kind: PayloadKind) throws(ComposeError) -> PayloadPlan {
        if let external = try externalName(object) {
            return PayloadPlan(name: external, source: .external, place: object.keyPlace)
        }
        var data: [UInt8]?
        var objectLabels = labels()
        for field in try object.members() {
            switch field.key {
            case "name", "external": break
            case "labels": objectLabels = try labels(field)
            case "file", "environment", "content":
                guard data == nil else {
                    throw object.error("has more than one of file, environment and content")
                }
                data = try payload(field)
            default: diagnostics.unsupported(field)
            }
        }
        guard let data else {
            throw ComposeError(
                "\(object.path) has no content: write file, environment, content or external: true",
                at: object.keyPlace)
        }
        guard !data.isEmpty, data.count <= kind.limitBytes else {
            throw ComposeError(
                "\(object.path) has \(data.count) bytes: a \(kind.rawValue) has 1 to \(kind.limitBytes)",
                at: object.keyPlace)
        }
        let isVersioned = try givenName(object) == nil
        var name = try objectName(object, kind: kind.rawValue)
        let version = ContentVersion.of(data)
        if !isVersioned {
            objectLabels[StackLabels.content] = version
        } else {
            name += "-" + version
            guard name.utf8.count <= ComposeLimits.objectNameCharacters else {
                throw ComposeError(
                    "\(object.path): the name \(name) is longer than \(ComposeLimits.objectNameCharacters) characters",
                    at: object.keyPlace)
            }
        }
        return PayloadPlan(
            name: name, source: .created(labels: objectLabels, data: data, isVersioned: isVersioned),
            place: object.keyPlace)
    }

    private func payload(_ field: Field) throws(ComposeError) -> [UInt8] {
        switch field.key {
        case "file": return try contents(of: try field.nonEmptyText(), field: field)
        case "content": return Array(try field.text().utf8)
        default:
            let name = try field.nonEmptyText()
            guard let value = loader.environment[name] else { throw field.error("names \(name), which is not set") }
            return Array(value.utf8)
        }
    }
}
