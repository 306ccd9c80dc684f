import ClusterModel

/// Reads one service.
struct ServiceReader {
    var stack: StackReader
    let service: Field
    var spec: ServiceSpec
    /// From `restart`, which yields to `deploy.restart_policy`.
    private var restart: RestartPolicy?
    private var aliases: [NetworkUse] = []
    private var secrets: [FileUse] = []
    private var configs: [FileUse] = []

    init(stack: StackReader, service: Field) {
        self.stack = stack
        self.service = service
        spec = ServiceSpec(
            name: "\(stack.stack)_\(service.key)", task: TaskSpec(container: ContainerSpec(image: "")))
    }

    mutating func read() throws(ComposeError) -> ServicePlan {
        try checkName()
        try readImage()
        spec.task.container.labels = [StackLabels.namespace: stack.stack]
        for field in try service.members() where field.key != "image" {
            if try readContainer(field) { continue }
            if try readLists(field) { continue }
            try readRest(field)
        }
        if service["deploy"]?["restart_policy"] == nil, let restart { spec.task.restart = restart }
        if aliases.isEmpty { aliases = try networks(service["networks"]) }
        spec.labels[StackLabels.namespace] = stack.stack
        spec.labels[StackLabels.image] = spec.task.container.image
        return ServicePlan(
            key: service.key, spec: spec, networks: aliases, secrets: secrets, configs: configs)
    }

    private func checkName() throws(ComposeError) {
        guard Names.isLabel(service.key), spec.name.utf8.count <= ComposeLimits.serviceNameCharacters else {
            throw ComposeError(
                "\(service.path): \"\(spec.name)\" is not a service's name: at most "
                    + "\(ComposeLimits.serviceNameCharacters) letters, digits, - and _ inside", at: service.keyPlace)
        }
    }

    private mutating func readImage() throws(ComposeError) {
        guard let image = service["image"], !image.element.isNull else {
            let advice =
                service["build"] != nil
                ? "build is not supported: build and push the image, and name it with image"
                : service["extends"] != nil ? "extends is not supported" : "every service needs one"
            throw ComposeError("\(service.path).image is missing; \(advice)", at: service.keyPlace)
        }
        let text = Scalars.trimmed(try image.nonEmptyText())
        guard !text.isEmpty, !text.contains(where: \.isWhitespace) else {
            throw image.error("\"\(text)\" is not an image's name")
        }
        spec.task.container.image = text
    }

    /// What names other objects, and what is beside the container.
    private mutating func readRest(_ field: Field) throws(ComposeError) {
        switch field.key {
        case "deploy": try readDeploy(field)
        case "ports": spec.ports = try ports(field)
        case "volumes": spec.task.container.mounts += try mounts(field)
        case "tmpfs": spec.task.container.mounts += try temporaryMounts(field)
        case "networks": aliases = try networks(field)
        case "secrets": secrets = try files(field, of: stack.secrets, kind: .secret)
        case "configs": configs = try files(field, of: stack.configs, kind: .config)
        case "restart": restart = try restartPolicy(field)
        case "logging": try readLogging(field)
        case "healthcheck": spec.task.container.healthcheck = try healthcheck(field)
        default: stack.diagnostics.unsupported(field)
        }
    }

    private func restartPolicy(_ field: Field) throws(ComposeError) -> RestartPolicy {
        let text = try field.text()
        switch text {
        case "no", "false": return RestartPolicy(condition: .none)
        case "always", "unless-stopped", "yes", "true": return RestartPolicy(condition: .any)
        case "on-failure": return RestartPolicy(condition: .onFailure)
        default: break
        }
        guard text.hasPrefix("on-failure:"), let attempts = UInt64(text.dropFirst(11)) else {
            throw field.error("must be one of no, always, unless-stopped, on-failure[:N], not \"\(text)\"")
        }
        return RestartPolicy(condition: .onFailure, maxAttempts: attempts)
    }

    private mutating func readLogging(_ logging: Field) throws(ComposeError) {
        var driver = LogDriver(name: "json-file")
        for field in try logging.members() {
            switch field.key {
            case "driver": if !field.element.isNull { driver.name = try field.nonEmptyText() }
            case "options": driver.options = try field.labels()
            default: stack.diagnostics.unsupported(field)
            }
        }
        if try !logging.members().isEmpty { spec.task.logDriver = driver }
    }

    private mutating func healthcheck(_ check: Field) throws(ComposeError) -> Healthcheck? {
        var result = Healthcheck(test: [])
        var isDisabled = false
        for field in try check.members() where !field.element.isNull {
            switch field.key {
            case "test": result.test = try healthTest(field)
            case "interval": result.interval = try field.duration()
            case "timeout": result.timeout = try field.duration()
            case "start_period": result.startPeriod = try field.duration()
            case "start_interval": result.startInterval = try field.duration()
            case "retries": result.retries = try field.integer(in: 0...Int(Int32.max))
            case "disable": isDisabled = try field.bool()
            default: stack.diagnostics.unsupported(field)
            }
        }
        if isDisabled {
            guard result.test.isEmpty || result.test == ["NONE"] else {
                throw check.error("has both a test and disable: true")
            }
            return Healthcheck(test: ["NONE"])
        }
        return try check.members().isEmpty ? nil : result
    }

    private func healthTest(_ field: Field) throws(ComposeError) -> [String] {
        if case .scalar = field.element.content { return ["CMD-SHELL", try field.text()] }
        let words = try field.texts()
        guard let first = words.first else { return [] }
        guard ["NONE", "CMD", "CMD-SHELL"].contains(first) else {
            throw field.error("must begin with NONE, CMD or CMD-SHELL, not \"\(first)\"")
        }
        guard (first == "NONE") == (words.count == 1) else {
            throw field.error(first == "NONE" ? "has words after NONE" : "has no command after \(first)")
        }
        return words
    }
}

// MARK: - Networks

extension ServiceReader {
    /// The service's networks, each with the service's key as an alias; `default` where none is named.
    private mutating func networks(_ field: Field?) throws(ComposeError) -> [NetworkUse] {
        var uses: [NetworkUse] = []
        var named: [(field: Field, name: String, settings: Field?)] = []
        if let field, case .map = field.element.content {
            for member in try field.members() { named.append((member, member.key, member)) }
        } else {
            for item in try field?.items() ?? [] { named.append((item, try item.nonEmptyText(), nil)) }
        }
        if named.isEmpty { named = [(service, StackReader.defaultNetwork, nil)] }
        for (field, name, settings) in named {
            guard let network = stack.networks[name] else {
                throw ComposeError(
                    "\(field.path): the network \"\(name)\" is not declared under networks", at: field.keyPlace)
            }
            var aliases: [String] = []
            for setting in try settings?.members() ?? [] {
                if setting.key == "aliases" {
                    aliases = try setting.texts()
                } else {
                    stack.diagnostics.unsupported(setting)
                }
            }
            var unique: [String] = []
            for alias in aliases + [service.key] where !unique.contains(alias) { unique.append(alias) }
            guard !uses.contains(where: { $0.network == network.name }) else { continue }
            uses.append(NetworkUse(network: network.name, aliases: unique))
        }
        return uses.sorted { $0.network < $1.network }
    }
}

// MARK: - Secrets and configs

extension ServiceReader {
    private mutating func files(
        _ list: Field, of plans: [String: PayloadPlan], kind: PayloadKind
    ) throws(ComposeError) -> [FileUse] {
        var uses: [(source: String, file: String, use: FileUse)] = []
        for item in try list.items() {
            var source: Field? = item
            if case .map = item.element.content { source = item["source"] }
            guard let source else { throw item.error("has no source") }
            let key = try source.nonEmptyText()
            guard let plan = plans[key] else {
                throw source.error(
                    "names the \(kind.rawValue) \"\(key)\", which is not declared under \(kind.rawValue)s")
            }
            let initial = FileUse(name: plan.name, target: kind == .secret ? key : "/" + key)
            let use = source.place == item.place && source.path == item.path ? initial : try fileUse(item, initial)
            // A later file's use of the same source replaces an earlier file's.
            uses.removeAll { $0.source == key && $0.file != item.place.file }
            guard !uses.contains(where: { $0.use.target == use.target }) else {
                throw item.error("puts a second file at \(use.target)")
            }
            uses.append((key, item.place.file, use))
        }
        return uses.map(\.use).sorted { ($0.name, $0.target) < ($1.name, $1.target) }
    }

    private mutating func fileUse(_ item: Field, _ initial: FileUse) throws(ComposeError) -> FileUse {
        var use = initial
        for field in try item.members() where !field.element.isNull {
            switch field.key {
            case "source": break
            case "target": use.target = try field.nonEmptyText()
            case "uid": use.uid = try field.integer()
            case "gid": use.gid = try field.integer()
            case "mode": use.mode = try field.fileMode()
            default: stack.diagnostics.unsupported(field)
            }
        }
        return use
    }
}
