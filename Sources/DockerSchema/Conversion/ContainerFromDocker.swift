import ClusterModel
import Primitives

extension ClusterModel.ContainerSpec {
    init(_ docker: Docker.ContainerSpec, field: String, resolving references: References) throws(Failure) {
        guard let image = docker.Image?.nonEmpty else {
            throw Failure(.invalidArgument, "\(field).Image is missing")
        }
        self.init(image: image)
        labels = docker.Labels ?? [:]
        command = docker.Command ?? []
        arguments = docker.Args ?? []
        hostname = docker.Hostname ?? ""
        environment = docker.Env ?? []
        workingDirectory = docker.Dir ?? ""
        user = docker.User ?? ""
        groups = docker.Groups ?? []
        capabilitiesAdded = docker.CapabilityAdd ?? []
        capabilitiesDropped = docker.CapabilityDrop ?? []
        sysctls = docker.Sysctls ?? [:]
        noNewPrivileges = docker.Privileges?.NoNewPrivileges ?? false
        initProcess = docker.Init ?? false
        terminal = docker.TTY ?? false
        openStdin = docker.OpenStdin ?? false
        readOnly = docker.ReadOnly ?? false
        stopSignal = docker.StopSignal ?? ""
        stopGracePeriod = try Field.duration(
            docker.StopGracePeriod, default: stopGracePeriod, "\(field).StopGracePeriod")
        hosts = docker.Hosts ?? []
        dns = DNSConfig(
            nameservers: docker.DNSConfig?.Nameservers ?? [], search: docker.DNSConfig?.Search ?? [],
            options: docker.DNSConfig?.Options ?? [])
        oomScoreAdjustment = docker.OomScoreAdj ?? 0
        healthcheck = try docker.Healthcheck.map { check throws(Failure) in
            try Healthcheck(check, field: "\(field).Healthcheck")
        }
        if let isolation = docker.Isolation?.nonEmpty, isolation != "default" {
            throw Failure(.invalidArgument, "\(field).Isolation: \"\(isolation)\" exists on Windows only")
        }
        try readLists(docker, field: field, resolving: references)
    }

    private mutating func readLists(
        _ docker: Docker.ContainerSpec, field: String, resolving references: References
    ) throws(Failure) {
        for (index, limit) in (docker.Ulimits ?? []).enumerated() {
            guard let name = limit.Name?.nonEmpty else {
                throw Failure(.invalidArgument, "\(field).Ulimits[\(index)].Name is missing")
            }
            ulimits.append(Ulimit(name: name, soft: limit.Soft ?? 0, hard: limit.Hard ?? 0))
        }
        for (index, mount) in (docker.Mounts ?? []).enumerated() {
            mounts.append(try Mount(mount, field: "\(field).Mounts[\(index)]"))
        }
        for (index, reference) in (docker.Secrets ?? []).enumerated() {
            let path = "\(field).Secrets[\(index)]"
            guard let wanted = reference.SecretID?.nonEmpty ?? reference.SecretName?.nonEmpty else {
                throw Failure(.invalidArgument, "\(path).SecretID is missing")
            }
            let secret = try references.secret(wanted)
            secrets.append(
                try FileReference(reference.File, id: secret.id, name: secret.name, defaultTarget: secret.name, path))
        }
        for (index, reference) in (docker.Configs ?? []).enumerated() {
            let path = "\(field).Configs[\(index)]"
            guard let wanted = reference.ConfigID?.nonEmpty ?? reference.ConfigName?.nonEmpty else {
                throw Failure(.invalidArgument, "\(path).ConfigID is missing")
            }
            let config = try references.config(wanted)
            configs.append(
                try FileReference(
                    reference.File, id: config.id, name: config.name, defaultTarget: "/" + config.name, path))
        }
    }
}

extension ClusterModel.FileReference {
    fileprivate init(
        _ file: Docker.FileTarget?, id: ID, name: String, defaultTarget: String, _ field: String
    ) throws(Failure) {
        self.init(
            id: id, name: name, target: file?.Name?.nonEmpty ?? defaultTarget,
            uid: try Field.userID(file?.UID, "\(field).File.UID"),
            gid: try Field.userID(file?.GID, "\(field).File.GID"), mode: file?.Mode ?? 0o444)
    }
}

extension ClusterModel.Healthcheck {
    init(_ docker: Docker.HealthConfig, field: String) throws(Failure) {
        self.init(
            test: docker.Test ?? [],
            interval: try Field.duration(docker.Interval, default: .zero, "\(field).Interval"),
            timeout: try Field.duration(docker.Timeout, default: .zero, "\(field).Timeout"),
            startPeriod: try Field.duration(docker.StartPeriod, default: .zero, "\(field).StartPeriod"),
            startInterval: try Field.duration(docker.StartInterval, default: .zero, "\(field).StartInterval"),
            retries: try Field.notNegative(docker.Retries, "\(field).Retries"))
    }
}

extension ClusterModel.Mount {
    init(_ docker: Docker.Mount, field: String) throws(Failure) {
        guard let target = docker.Target?.nonEmpty, target.hasPrefix("/") else {
            throw Failure(.invalidArgument, "\(field).Target: \"\(docker.Target ?? "")\" is not an absolute path")
        }
        self.init(source: try Self.source(docker, field), target: target, readOnly: docker.ReadOnly ?? false)
    }

    private static func source(_ docker: Docker.Mount, _ field: String) throws(Failure) -> Source {
        let name = docker.Source ?? ""
        switch docker.mountType?.nonEmpty ?? "volume" {
        case "bind":
            guard name.hasPrefix("/") else {
                throw Failure(.invalidArgument, "\(field).Source: \"\(name)\" is not an absolute path of the node")
            }
            let propagation = try BindPropagation(
                dockerName: docker.BindOptions?.Propagation, default: .rprivate,
                field: "\(field).BindOptions.Propagation")
            return .bind(
                path: name, propagation: propagation, createsSource: docker.BindOptions?.CreateMountpoint ?? false)
        case "volume":
            return .volume(name: name, copiesImageContent: !(docker.VolumeOptions?.NoCopy ?? false))
        case "tmpfs":
            guard name.isEmpty else {
                throw Failure(.invalidArgument, "\(field).Source: a tmpfs has none")
            }
            let size = try Field.notNegative(docker.TmpfsOptions?.SizeBytes, "\(field).TmpfsOptions.SizeBytes")
            return .tmpfs(sizeBytes: size, mode: docker.TmpfsOptions?.Mode ?? MountDefaults.tmpfsMode)
        case let other:
            throw Failure(.invalidArgument, "\(field).Type: \"\(other)\" is not one of bind, volume, tmpfs")
        }
    }
}

enum MountDefaults {
    /// Docker's for a tmpfs without a mode.
    static let tmpfsMode: UInt32 = 0o1777
}
