public import Primitives

/// The name of an image in Docker's normal form: registry, repository, and a tag, a digest or both.
///
/// `busybox` is `docker.io/library/busybox:latest`. With both, the digest decides which image is meant.
public struct ImageReference: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Host and optional port: `docker.io`, `localhost:5000`, `[::1]:5000`.
    public let registry: String
    /// The path below the registry: `library/busybox`.
    public let repository: String
    public let tag: String?
    public let digest: ContentDigest?

    /// Reads what a person or a compose file wrote; throws `invalidArgument` saying what is wrong with it.
    public init(parsing text: String) throws(Failure) {
        var rest = Substring(text)
        var digest: ContentDigest?
        if let at = rest.firstIndex(of: "@") {
            let digestText = String(rest[rest.index(after: at)...])
            guard let parsed = ContentDigest(digestText) else {
                throw ImageReference.invalid(text, "the digest must be sha256: and 64 lower-case hexadecimal digits")
            }
            digest = parsed
            rest = rest[..<at]
        }
        let (registry, path) = ImageReference.splitRegistry(rest)
        guard ImageReference.isRegistry(registry) else {
            throw ImageReference.invalid(text, "\"\(registry)\" is no host name with an optional port")
        }
        var name = path
        var tag: String?
        if let colon = path.lastIndex(of: ":") {
            tag = String(path[path.index(after: colon)...])
            name = path[..<colon]
        }
        if let tag, !ImageReference.isTag(tag) {
            throw ImageReference.invalid(
                text,
                "a tag is 1 to \(Limits.maximumTagCharacters) letters, digits, '_', '.' and '-', not starting with . or -"
            )
        }
        var repository = String(name)
        if registry == "docker.io", !repository.isEmpty, !repository.contains("/") {
            repository = "library/" + repository
        }
        guard ImageReference.isRepository(repository) else {
            throw ImageReference.invalid(
                text, "a repository name is lower-case letters and digits, separated by '/', '.', '_', '__' or '-'")
        }
        guard registry.utf8.count + 1 + repository.utf8.count <= Limits.maximumNameCharacters else {
            throw ImageReference.invalid(text, "the name is longer than \(Limits.maximumNameCharacters) characters")
        }
        if registry == "docker.io", name.utf8.count == 64, ContentDigest(hex: String(name)) != nil {
            throw ImageReference.invalid(text, "64 hexadecimal digits are an image id, not a name")
        }
        self.init(
            registry: registry, repository: repository, tag: tag == nil && digest == nil ? "latest" : tag,
            digest: digest)
    }

    init(registry: String, repository: String, tag: String?, digest: ContentDigest?) {
        self.registry = registry
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// `docker.io/library/busybox`.
    public var name: String { registry + "/" + repository }

    public var description: String {
        name + (tag.map { ":" + $0 } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// As people write it: `busybox:latest`.
    public var familiar: String {
        let suffix = (tag.map { ":" + $0 } ?? "") + (digest.map { "@\($0)" } ?? "")
        guard registry == "docker.io" else { return name + suffix }
        let short = repository.hasPrefix("library/") ? String(repository.dropFirst(8)) : repository
        return short + suffix
    }

    /// The same tag, pinned to this digest: what a service spec stores.
    public func pinned(to digest: ContentDigest) -> ImageReference {
        ImageReference(registry: registry, repository: repository, tag: tag, digest: digest)
    }

    /// What the local index knows it by: `name@digest` where a digest is given (the tag is then only a remark), else `name:tag`.
    var key: ImageReference {
        digest == nil ? self : ImageReference(registry: registry, repository: repository, tag: nil, digest: digest)
    }

    /// The last part of a manifest's URL.
    var manifestName: String { digest?.description ?? tag ?? "latest" }

    public static func < (a: Self, b: Self) -> Bool { a.description < b.description }

    private static func invalid(_ text: String, _ why: String) -> Failure {
        Failure(.invalidArgument, "\"\(text)\" is not an image reference: \(why)")
    }

    /// The part before the first slash is a registry if it could be a host: it has a dot or a colon, or is `localhost`.
    private static func splitRegistry(_ text: Substring) -> (registry: String, path: Substring) {
        guard let slash = text.firstIndex(of: "/") else { return ("docker.io", text) }
        let first = text[..<slash]
        guard first.contains(".") || first.contains(":") || first == "localhost" || first.contains(where: \.isUppercase)
        else { return ("docker.io", text) }
        let registry = first == "index.docker.io" || first == "registry-1.docker.io" ? "docker.io" : String(first)
        return (registry, text[text.index(after: slash)...])
    }

    private static func isRegistry(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var host = bytes[...]
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let address = bytes[1..<end]
            guard !address.isEmpty, address.allSatisfy({ isHexDigit($0) || $0 == UInt8(ascii: ":") }) else {
                return false
            }
            host = bytes[(end + 1)...]
            return host.isEmpty || (host.first == UInt8(ascii: ":") && isPort(host.dropFirst()))
        }
        if let colon = host.firstIndex(of: UInt8(ascii: ":")) {
            guard isPort(host[(colon + 1)...]) else { return false }
            host = host[..<colon]
        }
        return host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
    }

    private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.allSatisfy { (48...57).contains($0) } && (UInt16(String(decoding: bytes, as: UTF8.self)) ?? 0) > 0
    }

    private static func isTag(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, bytes.count <= Limits.maximumTagCharacters else { return false }
        guard isAlphanumeric(first) || first == UInt8(ascii: "_") else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }

    /// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` between slashes.
    private static func isRepository(_ text: String) -> Bool {
        text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { component in
            var separator: [UInt8] = []
            var sawWord = false
            for byte in component {
                if (97...122).contains(byte) || (48...57).contains(byte) {
                    if !separator.isEmpty, !sawWord || !isSeparator(separator) { return false }
                    separator = []
                    sawWord = true
                } else {
                    separator.append(byte)
                }
            }
            return sawWord && separator.isEmpty
        }
    }

    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        bytes == Array(".".utf8) || bytes == Array("_".utf8) || bytes == Array("__".utf8)
            || bytes.allSatisfy { $0 == UInt8(ascii: "-") }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }
}
