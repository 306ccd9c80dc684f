import ClusterModel

extension ServiceReader {
    /// The mounts of `volumes`, ordered by path.
    mutating func mounts(_ list: Field) throws(ComposeError) -> [Mount] {
        var found: [(mount: Mount, item: Field)] = []
        for item in try list.items() {
            let isMap = if case .map = item.element.content { true } else { false }
            let mount = isMap ? try longMount(item) : try shortMount(item)
            // A later file's mount replaces an earlier file's at the same path.
            found.removeAll { $0.item.place.file != item.place.file && $0.mount.target == mount.target }
            guard !found.contains(where: { $0.mount.target == mount.target }) else {
                throw item.error("mounts a second thing at \(mount.target)")
            }
            found.append((mount, item))
        }
        return found.map(\.mount).sorted { $0.target < $1.target }
    }

    /// `[SOURCE:]PATH[:OPTION,…]`.
    private mutating func shortMount(_ item: Field) throws(ComposeError) -> Mount {
        let text = try item.nonEmptyText()
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 3, !parts.contains("") else {
            throw item.error("must be [SOURCE:]PATH[:OPTIONS], not \"\(text)\"")
        }
        guard parts.count > 1 else {
            return Mount(source: .volume(name: "", copiesImageContent: true), target: try target(parts[0], item))
        }
        var mount = Mount(
            source: try shortSource(parts[0], item), target: try target(parts[1], item))
        for option in parts.dropFirst(2).flatMap({ $0.split(separator: ",") }) {
            switch (String(option), mount.source) {
            case ("ro", _): mount.readOnly = true
            case ("rw", _): mount.readOnly = false
            case ("nocopy", .volume(let name, _)):
                mount.source = .volume(name: name, copiesImageContent: false)
            // Hints for other systems' file sharing.
            case ("cached", _), ("delegated", _), ("consistent", _): break
            case (let name, .bind(let path, _, let creates)) where Self.propagation(name) != nil:
                mount.source = .bind(
                    path: path, propagation: Self.propagation(name) ?? .rprivate, createsSource: creates)
            case (let name, _):
                stack.diagnostics.warn("\(item.path): the option \(name) is not supported and ignored", at: item.place)
            }
        }
        return mount
    }

    private func shortSource(_ source: String, _ item: Field) throws(ComposeError) -> Mount.Source {
        if source.hasPrefix("/") || source.hasPrefix(".") || source.hasPrefix("~") {
            return .bind(
                path: try stack.absolutePath(source, of: item), propagation: .rprivate, createsSource: false)
        }
        return .volume(name: try volumeName(source, item), copiesImageContent: true)
    }

    private func volumeName(_ key: String, _ field: Field) throws(ComposeError) -> String {
        guard let name = stack.volumes[key] else {
            throw field.error("names the volume \"\(key)\", which is not declared under volumes")
        }
        return name
    }

    private static func propagation(_ name: String) -> BindPropagation? {
        BindPropagation.allCases.first { String(describing: $0) == name }
    }

    private func target(_ path: String, _ field: Field) throws(ComposeError) -> String {
        guard path.hasPrefix("/") else { throw field.error("\"\(path)\" is not an absolute path in the container") }
        return "/" + path.split(separator: "/").joined(separator: "/")
    }

    private mutating func longMount(_ item: Field) throws(ComposeError) -> Mount {
        guard let targetField = item["target"] else { throw item.error("has no target") }
        let target = try target(try targetField.nonEmptyText(), targetField)
        let type = try item["type"]?.text() ?? "volume"
        let source = try item["source"]?.nonEmptyText()
        var mount: Mount
        switch type {
        case "bind":
            guard let source, let field = item["source"] else { throw item.error("is a bind without a source") }
            mount = Mount(
                source: .bind(
                    path: try stack.absolutePath(source, of: field), propagation: .rprivate, createsSource: false),
                target: target)
        case "volume":
            let name = try source.map { key throws(ComposeError) in try volumeName(key, item["source"] ?? item) } ?? ""
            mount = Mount(source: .volume(name: name, copiesImageContent: true), target: target)
        case "tmpfs":
            guard source == nil else { throw item.error("is a tmpfs, which has no source") }
            mount = Mount(source: .tmpfs(sizeBytes: 0, mode: Self.temporaryMode), target: target)
        default:
            throw (item["type"] ?? item).error("must be one of bind, volume, tmpfs, not \"\(type)\"")
        }
        for field in try item.members() where !field.element.isNull {
            switch field.key {
            case "type", "source", "target", "consistency": break
            case "read_only": mount.readOnly = try field.bool()
            case type: for option in try field.members() { try readOption(option, into: &mount) }
            default: stack.diagnostics.unsupported(field)
            }
        }
        return mount
    }

    private mutating func readOption(_ option: Field, into mount: inout Mount) throws(ComposeError) {
        switch (option.key, mount.source) {
        case ("propagation", .bind(let path, _, let creates)):
            let text = try option.text()
            guard let propagation = Self.propagation(text) else {
                let names = BindPropagation.allCases.map { String(describing: $0) }.joined(separator: ", ")
                throw option.error("must be one of \(names), not \"\(text)\"")
            }
            mount.source = .bind(path: path, propagation: propagation, createsSource: creates)
        case ("create_host_path", .bind(let path, let propagation, _)):
            mount.source = .bind(path: path, propagation: propagation, createsSource: try option.bool())
        case ("nocopy", .volume(let name, _)):
            mount.source = .volume(name: name, copiesImageContent: try !option.bool())
        case ("size", .tmpfs(_, let mode)): mount.source = .tmpfs(sizeBytes: try option.bytes(), mode: mode)
        case ("mode", .tmpfs(let size, _)): mount.source = .tmpfs(sizeBytes: size, mode: try option.fileMode())
        default: stack.diagnostics.unsupported(option)
        }
    }
}

// MARK: - tmpfs

extension ServiceReader {
    private static let temporaryMode: UInt32 = 0o1777

    /// The mounts of `tmpfs`: `PATH[:size=64M,mode=1777]`.
    mutating func temporaryMounts(_ field: Field) throws(ComposeError) -> [Mount] {
        var mounts: [Mount] = []
        for item in try field.itemsOrSelf() {
            let parts = try item.nonEmptyText().split(separator: ":", maxSplits: 1).map(String.init)
            var size: Int64 = 0
            var mode = Self.temporaryMode
            var readOnly = false
            for option in parts.dropFirst().flatMap({ $0.split(separator: ",") }).map(String.init) {
                if option.hasPrefix("size="), let bytes = Scalars.bytes(String(option.dropFirst(5))) {
                    size = bytes
                } else if option.hasPrefix("mode="), let bits = UInt32(option.dropFirst(5), radix: 8), bits <= 0o7777 {
                    mode = bits
                } else if option == "ro" || option == "rw" {
                    readOnly = option == "ro"
                } else {
                    stack.diagnostics.warn(
                        "\(item.path): the option \(option) is not supported and ignored", at: item.place)
                }
            }
            let path = try target(parts.first ?? "", item)
            guard !mounts.contains(where: { $0.target == path }) else { continue }
            mounts.append(Mount(source: .tmpfs(sizeBytes: size, mode: mode), target: path, readOnly: readOnly))
        }
        return mounts.sorted { $0.target < $1.target }
    }
}
