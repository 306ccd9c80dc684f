import ClusterModel
import ContainerRuntime
import ImageStore
import LaunchProtocol
import LinuxSystem
import Primitives

/// What a task's container is made of: its spec, and for what the spec leaves open its image.
struct ContainerPlan {
    let task: ClusterTask
    let image: ImageConfig
    let containerID: String
    let layers: [String]
    let node: ContainerTasks.NodeFacts
    let secrets: [Secret]
    let configs: [Config]

    private var spec: ContainerSpec { task.spec.container }

    /// - Parameter volume: makes a volume's folder and returns its path.
    /// - Throws: ``Failure`` naming what of the spec cannot be done.
    func configuration(
        volume: (ClusterModel.Mount, ClusterTask) throws -> String
    ) throws -> ContainerConfiguration {
        let arguments = arguments
        guard !arguments.isEmpty else {
            throw Failure(
                .invalidArgument, "no command: neither the service nor the image \(spec.image) says what to run")
        }
        var result = ContainerConfiguration(id: containerID, layers: layers, arguments: arguments)
        result.rootIsReadOnly = spec.readOnly
        result.environment = environment
        result.workingDirectory = first(spec.workingDirectory, image.workingDirectory, "/")
        result.user = spec.user.isEmpty ? image.user : spec.user
        result.additionalGroups = spec.groups
        result.hostname = first(expanded(spec.hostname), String(containerID.prefix(12)))
        result.mounts = try spec.mounts.map { try launchMount($0, volume) }
        result.mounts += try imageVolumes(volume)
        result.files = try files()
        result.hostsFile = hostsFile(result.hostname)
        result.limits = limits
        result.resourceLimits = spec.ulimits.map { ulimit in
            ResourceLimit(
                name: ulimit.name, soft: ContainerPlan.limit(ulimit.soft), hard: ContainerPlan.limit(ulimit.hard))
        }
        result.capabilities = try capabilities()
        result.noNewPrivileges = spec.noNewPrivileges
        result.sysctls.merge(spec.sysctls) { $1 }
        result.outOfMemoryScoreAdjustment = Int32(clamping: spec.oomScoreAdjustment)
        result.usesInit = spec.initProcess
        let options = task.spec.logDriver?.options ?? [:]
        result.logMaximumBytes = ByteCount.parse(options["max-size"] ?? "") ?? 0
        result.logMaximumFiles = options["max-file"].flatMap { UInt32($0) } ?? 1
        return result
    }

    /// Docker's rule: a command of the service replaces the image's entrypoint, and with it the image's command.
    private var arguments: [String] {
        if !spec.command.isEmpty { return spec.command + spec.arguments }
        return image.entrypoint + (spec.arguments.isEmpty ? image.command : spec.arguments)
    }

    /// The image's variables with the service's over them, in the order in which they first appear.
    private var environment: [String] {
        var values: [String: String] = [:]
        var order: [String] = []
        for text in image.environment + spec.environment.map(expanded) {
            let name = String(text.prefix { $0 != "=" })
            if values.updateValue(text, forKey: name) == nil { order.append(name) }
        }
        // `NAME` without a value takes the variable away.
        return order.compactMap { values[$0] }.filter { $0.contains("=") }
    }

    private var limits: CgroupLimits {
        func positive(_ value: Int64) -> Int64? { value > 0 ? value : nil }
        return CgroupLimits(
            cpuNanos: positive(task.spec.limits.nanoCPUs), memoryBytes: positive(task.spec.limits.memoryBytes),
            memoryReservationBytes: positive(task.spec.reservations.memoryBytes), pids: positive(task.spec.limits.pids))
    }

    private func capabilities() throws -> Capabilities {
        var result = Capabilities.containerDefault
        func set(_ names: [String]) throws -> Capabilities {
            try names.reduce(into: []) { set, name in
                if name.uppercased() == "ALL" {
                    set = .all
                    return
                }
                guard let capability = Capabilities(name: name) else {
                    throw Failure(.invalidArgument, "\"\(name)\" is not a Linux capability")
                }
                set.insert(capability)
            }
        }
        // Docker's order: ALL dropped and single ones added keeps the single ones.
        result.subtract(try set(spec.capabilitiesDropped))
        result.formUnion(try set(spec.capabilitiesAdded))
        return result
    }

    // MARK: Files

    private func launchMount(
        _ mount: ClusterModel.Mount, _ volume: (ClusterModel.Mount, ClusterTask) throws -> String
    ) throws -> LaunchMount {
        switch mount.source {
        case .bind(let path, let propagation, _):
            return LaunchMount(
                .bind(source: path, propagation: .init(propagation), isRecursive: propagation.isRecursive),
                target: mount.target, isReadOnly: mount.readOnly)
        case .volume:
            return LaunchMount(
                .bind(source: try volume(mount, task), propagation: .private, isRecursive: true), target: mount.target,
                isReadOnly: mount.readOnly)
        case .tmpfs(let size, let mode):
            return LaunchMount(
                .tmpfs(sizeBytes: UInt64(clamping: size), mode: mode == 0 ? 0o1777 : mode), target: mount.target,
                isReadOnly: mount.readOnly)
        }
    }

    /// What the image declares as a volume and the service does not mount is an anonymous one.
    private func imageVolumes(_ volume: (ClusterModel.Mount, ClusterTask) throws -> String) throws -> [LaunchMount] {
        let mounted = Set(spec.mounts.map(\.target))
        return try image.volumes.sorted().filter { !mounted.contains($0) && $0.hasPrefix("/") }.map { target in
            // An image is written by strangers; in these places stands what confines its containers.
            let first = target.split(separator: "/").first { $0 != "." }
            guard !["dev", "proc", "sys", ".."].contains(first) else {
                throw Failure(
                    .invalidArgument, "the image \(spec.image) declares a volume at \(target), the runtime's own place")
            }
            let mount = ClusterModel.Mount(source: .volume(name: "", copiesImageContent: true), target: target)
            return try launchMount(mount, volume)
        }
    }

    private func files() throws -> [MemoryFile] {
        let secretFiles = try spec.secrets.map { reference in
            guard let secret = secrets.first(where: { $0.id == reference.id }) else {
                throw Failure(.notFound, "the secret \(reference.name) did not reach this node")
            }
            let target = reference.target.hasPrefix("/") ? reference.target : "/run/secrets/\(reference.target)"
            return MemoryFile(
                target: target, contents: secret.data, mode: reference.mode, user: reference.uid, group: reference.gid)
        }
        let configFiles = try spec.configs.map { reference in
            guard let config = configs.first(where: { $0.id == reference.id }) else {
                throw Failure(.notFound, "the config \(reference.name) did not reach this node")
            }
            let target = reference.target.hasPrefix("/") ? reference.target : "/\(reference.target)"
            return MemoryFile(
                target: target, contents: config.data, mode: reference.mode, user: reference.uid, group: reference.gid)
        }
        return secretFiles + configFiles
    }

    private func hostsFile(_ hostname: String) -> String {
        var lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
        lines += spec.hosts.map { $0.split(separator: " ", maxSplits: 1).joined(separator: "\t") }
        lines += task.networks.map { "\($0.address)\t\(hostname)" }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: Templates

    /// Docker's placeholders in hostname and environment.
    private func expanded(_ text: String) -> String {
        guard text.contains("{{") else { return text }
        let values = [
            ".Service.ID": task.serviceID.description, ".Service.Name": task.serviceName,
            ".Node.ID": node.id.description, ".Node.Hostname": node.hostname, ".Task.ID": task.id.description,
            ".Task.Name": task.name, ".Task.Slot": String(task.slot),
        ]
        var result = ""
        var rest = text[...]
        while let open = rest.firstRange(of: "{{"), let close = rest[open.upperBound...].firstRange(of: "}}") {
            let name = rest[open.upperBound..<close.lowerBound].filter { !$0.isWhitespace }
            result += rest[..<open.lowerBound]
            result += values[String(name)] ?? String(rest[open.lowerBound..<close.upperBound])
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    private func first(_ texts: String...) -> String { texts.first { !$0.isEmpty } ?? "" }

    private static func limit(_ value: Int64) -> UInt64 { value < 0 ? .max : UInt64(value) }
}

/// `10m`, `1g`: a count of bytes as Docker's options write it.
enum ByteCount {
    static func parse(_ text: String) -> UInt64? {
        let digits = text.prefix { $0.isNumber }
        guard let count = UInt64(digits) else { return nil }
        let shift: UInt64? =
            switch text.dropFirst(digits.count).lowercased() {
            case "", "b": 0
            case "k", "kb": 10
            case "m", "mb": 20
            case "g", "gb": 30
            default: nil
            }
        return shift.map { count << $0 }
    }
}

extension LaunchMount.Propagation {
    init(_ propagation: BindPropagation) {
        switch propagation {
        case .rprivate, .private: self = .private
        case .rslave, .slave: self = .slave
        case .rshared, .shared: self = .shared
        }
    }
}

extension BindPropagation {
    var isRecursive: Bool {
        switch self {
        case .rprivate, .rslave, .rshared: true
        case .private, .slave, .shared: false
        }
    }
}
