public import Primitives

/// The registries that may be spoken to without TLS, or with a certificate nobody vouches for.
///
/// Loopback (127.0.0.0/8, ::1, localhost) always is one.
public struct InsecureRegistries: Hashable, Sendable {
    private var hosts: Set<String> = []
    private var networks: [IPv4Network] = []

    /// Reads hosts, `host:port` and IPv4 networks in CIDR notation, as in Docker's `insecure-registries`.
    public init(_ entries: [String] = []) throws(Failure) {
        for entry in entries {
            if let network = IPv4Network(entry) {
                networks.append(network)
            } else if entry.isEmpty || entry.contains("/") {
                throw Failure(
                    .invalidArgument, "\"\(entry)\" is no insecure registry: give HOST, HOST:PORT or a CIDR network")
            } else {
                hosts.insert(entry.lowercased())
            }
        }
    }

    func contains(_ registry: String) -> Bool {
        let registry = registry.lowercased()
        let host = Self.host(of: registry)
        if host == "localhost" || host == "::1" || hosts.contains(registry) || hosts.contains(host) { return true }
        guard let address = IPv4Address(host) else { return false }
        return address.bytes[0] == 127 || networks.contains { $0.contains(address) }
    }

    /// The host without brackets and port.
    static func host(of registry: String) -> String {
        if registry.hasPrefix("[") { return String(registry.dropFirst().prefix { $0 != "]" }) }
        return String(registry.prefix { $0 != ":" })
    }
}

/// A user and password or access token for one registry.
public struct RegistryCredentials: Hashable, Sendable {
    public var username: String
    public var password: String

    public init(username: String, password: String) {
        self.username = username
        self.password = password
    }
}

/// What a registry's 401 asks for (RFC 9110 section 11.6.1; distribution token spec).
enum AuthenticationChallenge: Hashable, Sendable {
    case basic
    case bearer(realm: String, service: String?, scope: String?)

    /// The strongest challenge of the header's values; nil if none is understood.
    static func parse(_ values: [String]) -> AuthenticationChallenge? {
        let challenges = values.compactMap(parse(one:))
        return challenges.first { $0 != .basic } ?? challenges.first
    }

    private static func parse(one value: String) -> AuthenticationChallenge? {
        let scheme = value.prefix { $0 != " " }.lowercased()
        if scheme == "basic" { return .basic }
        guard scheme == "bearer" else { return nil }
        let parameters = parameters(Array(value.utf8.dropFirst(scheme.utf8.count)))
        guard let realm = parameters["realm"] else { return nil }
        return .bearer(realm: realm, service: parameters["service"], scope: parameters["scope"])
    }

    /// `name="value", name=value`: quoted strings may hold commas and backslash escapes.
    private static func parameters(_ bytes: [UInt8]) -> [String: String] {
        var result: [String: String] = [:]
        var position = 0
        func skip(_ set: String) {
            while position < bytes.count, set.utf8.contains(bytes[position]) { position += 1 }
        }
        while position < bytes.count {
            skip(" ,\t")
            let start = position
            while position < bytes.count, bytes[position] != UInt8(ascii: "="), bytes[position] != UInt8(ascii: ",") {
                position += 1
            }
            let name = String(decoding: bytes[start..<position], as: UTF8.self).lowercased()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "=") else { continue }
            position += 1
            var value: [UInt8] = []
            if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
                position += 1
                while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                    if bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count { position += 1 }
                    value.append(bytes[position])
                    position += 1
                }
                position += 1
            } else {
                while position < bytes.count, !", \t".utf8.contains(bytes[position]) {
                    value.append(bytes[position])
                    position += 1
                }
            }
            result[name] = result[name] ?? String(decoding: value, as: UTF8.self)
        }
        return result
    }
}

/// The characters that RFC 3986 leaves unreserved stay, all others are escaped.
func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case 48...57, 65...90, 97...122, 45, 46, 95, 126: result.append(byte)
        default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: result, as: UTF8.self)
}
