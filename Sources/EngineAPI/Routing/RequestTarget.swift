import DockerSchema
import Primitives

/// A request's path and query, decoded.
struct RequestTarget: Sendable {
    /// nil where the path has none.
    var version: APIVersion?
    var path: [String]
    var query: Query

    /// - Throws: ``Failure`` with code `invalidArgument` for a broken escape or a version that is not answered.
    init(_ target: String) throws(Failure) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var path: [String] = []
        for segment in (parts.first ?? "").split(separator: "/") {
            guard let decoded = PercentCoding.decode(segment, plusIsSpace: false) else {
                throw Failure(.invalidArgument, "the path has a broken escape: \(segment)")
            }
            path.append(decoded)
        }
        if let first = path.first, first.hasPrefix("v"), let version = APIVersion(String(first.dropFirst())) {
            guard version >= Docker.oldestAPIVersion else {
                throw Failure(
                    .invalidArgument,
                    "client version \(version) is too old. Minimum supported API version is "
                        + "\(Docker.oldestAPIVersion), please upgrade your client to a newer version")
            }
            guard version <= Docker.apiVersion else {
                throw Failure(
                    .invalidArgument,
                    "client version \(version) is too new. Maximum supported API version is \(Docker.apiVersion)")
            }
            self.version = version
            path.removeFirst()
        }
        self.path = path
        query = try Query(parts.count > 1 ? parts[1] : "")
    }
}

/// The parameters after the question mark.
struct Query: Sendable {
    private var values: [String: [String]] = [:]

    init(_ text: Substring) throws(Failure) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentCoding.decode(parts[0], plusIsSpace: true),
                let value = PercentCoding.decode(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
            else { throw Failure(.invalidArgument, "the query has a broken escape: \(pair)") }
            values[name, default: []].append(value)
        }
    }

    subscript(name: String) -> String? { values[name]?.first.flatMap { $0.isEmpty ? nil : $0 } }

    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// Docker's truth: anything but empty, 0, no, false and none.
    func flag(_ name: String, default: Bool = false) -> Bool {
        guard let value = values[name]?.first else { return `default` }
        return !["", "0", "no", "false", "none"].contains(value.lowercased())
    }

    /// The version that an update is based on.
    func version() throws(Failure) -> UInt64 {
        guard let version = UInt64(self["version"] ?? "") else {
            throw Failure(
                .invalidArgument, "invalid version \"\(self["version"] ?? "")\": give the object's Version.Index")
        }
        return version
    }

    /// A time in seconds since 1970, with a fraction, or in RFC 3339.
    func time(_ name: String) throws(Failure) -> Timestamp? {
        guard let text = self[name], text != "0" else { return nil }
        if let time = Timestamp(rfc3339: text) { return time }
        let parts = text.split(separator: ".", maxSplits: 1)
        guard let seconds = parts.first.flatMap({ Int64($0) }) else {
            throw Failure(.invalidArgument, "\(name): \"\(text)\" is not a time")
        }
        var nanoseconds: Int64 = 0
        if parts.count == 2 {
            let digits = (parts[1] + "000000000").prefix(9)
            guard let fraction = Int64(digits) else {
                throw Failure(.invalidArgument, "\(name): \"\(text)\" is not a time")
            }
            nanoseconds = fraction
        }
        return Timestamp(nanoseconds: seconds &* 1_000_000_000 &+ nanoseconds)
    }
}

enum PercentCoding {
    /// nil for an escape that is not one, or bytes that are not UTF-8.
    static func decode(_ text: Substring, plusIsSpace: Bool) -> String? {
        // As nearly all are.
        if !text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                else { return nil }
                rest.removeFirst(2)
                bytes.append(value)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
