import DockerSchema

/// `--secret` and `--config`: `NAME`, or `source=NAME,target=PATH,uid=,gid=,mode=0400`.
enum FileFlag {
    static func parse(_ text: String, defaultTarget: (String) -> String) throws -> (source: String, Docker.FileTarget) {
        guard text.contains("=") else {
            return (text, Docker.FileTarget(Name: defaultTarget(text), UID: "0", GID: "0", Mode: 0o444))
        }
        var source = ""
        var file = Docker.FileTarget(UID: "0", GID: "0", Mode: 0o444)
        for (key, value) in try FlagValue.fields(text) {
            switch key {
            case "source", "src": source = value
            case "target": file.Name = value
            case "uid": file.UID = value
            case "gid": file.GID = value
            case "mode":
                guard let mode = UInt32(value, radix: 8) else {
                    throw CommandFailure("\"\(text)\": mode \"\(value)\" is not octal")
                }
                file.Mode = mode
            default: throw CommandFailure("\"\(text)\": \"\(key)\" is not known")
            }
        }
        guard !source.isEmpty else { throw CommandFailure("\"\(text)\": source is missing") }
        file.Name = file.Name ?? defaultTarget(source)
        return (source, file)
    }

    static func secret(_ text: String) throws -> Docker.SecretReference {
        let (source, file) = try parse(text) { $0 }
        return Docker.SecretReference(File: file, SecretName: source)
    }

    static func config(_ text: String) throws -> Docker.ConfigReference {
        let (source, file) = try parse(text) { "/" + $0 }
        return Docker.ConfigReference(File: file, ConfigName: source)
    }
}

/// `--network`: `NAME`, or `name=NAME,alias=A`.
enum NetworkFlag {
    static func parse(_ text: String) throws -> Docker.NetworkAttachmentConfig {
        guard text.contains("=") else { return Docker.NetworkAttachmentConfig(Target: text) }
        var network = Docker.NetworkAttachmentConfig()
        for (key, value) in try FlagValue.fields(text) {
            switch key {
            case "name": network.Target = value
            case "alias": network.Aliases = (network.Aliases ?? []) + [value]
            default: throw CommandFailure("network \"\(text)\": \"\(key)\" is not known")
            }
        }
        guard network.Target != nil else { throw CommandFailure("network \"\(text)\": name is missing") }
        return network
    }
}

/// `--ulimit NAME=SOFT[:HARD]`.
enum UlimitFlag {
    static func parse(_ text: String) throws -> Docker.Ulimit {
        let (name, value) = try FlagValue.pair(text)
        let ends = value.split(separator: ":").map { Int64($0) }
        guard let first = ends.first, let soft = first, let last = ends.last, let hard = last, ends.count <= 2 else {
            throw CommandFailure("ulimit \"\(text)\" is not NAME=SOFT[:HARD]")
        }
        return Docker.Ulimit(Name: name, Soft: soft, Hard: hard)
    }
}

/// `--placement-pref spread=node.labels.zone`.
enum PlacementFlag {
    static func parse(_ text: String) throws -> Docker.PlacementPreference {
        let (strategy, value) = try FlagValue.pair(text)
        guard strategy == "spread", !value.isEmpty else {
            throw CommandFailure("placement preference \"\(text)\" is not spread=LABEL")
        }
        return Docker.PlacementPreference(Spread: Docker.SpreadPreference(SpreadDescriptor: value))
    }
}

/// `--host NAME:ADDRESS`, as a line of /etc/hosts.
enum HostFlag {
    static func parse(_ text: String) throws -> String {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw CommandFailure("host \"\(text)\" is not NAME:ADDRESS") }
        return "\(parts[1]) \(parts[0])"
    }
}
