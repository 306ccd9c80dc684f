import Crypto

/// The SHA-256 digest that names a blob, written `sha256:<64 hexadecimal digits>` (OCI image spec, descriptors).
public struct ContentDigest: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    /// 64 lower-case hexadecimal digits: safe as a file name.
    public let hex: String

    /// Reads `sha256:…`; nil for another algorithm, another length or upper-case digits.
    public init?(_ description: String) {
        guard description.hasPrefix("sha256:") else { return nil }
        self.init(hex: String(description.dropFirst(7)))
    }

    /// Reads 64 lower-case hexadecimal digits.
    public init?(hex: String) {
        guard hex.utf8.count == 64, hex.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            return nil
        }
        self.hex = hex
    }

    /// The digest of these bytes.
    public init(hashing bytes: [UInt8]) {
        self.init(SHA256.hash(data: bytes))
    }

    init(_ digest: SHA256.Digest) {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in digest {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        hex = String(decoding: text, as: UTF8.self)
    }

    public var description: String { "sha256:" + hex }

    /// The 12 digits that people see.
    public var short: String { String(hex.prefix(12)) }

    public static func < (a: Self, b: Self) -> Bool { a.hex < b.hex }
}

extension ContentDigest: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let digest = ContentDigest(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is no sha256 digest, the only kind that is supported")
        }
        self = digest
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
