/// An IPv4 address as a number in host order.
public struct IPv4Address: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    public var value: UInt32

    public init(value: UInt32) {
        self.value = value
    }

    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        value = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// Reads dotted decimal; nil for anything else, leading zeros included (RFC 6943 section 3.1.1).
    public init?(_ description: String) {
        let parts = description.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard let byte = UInt8(part), String(byte) == part else { return nil }
            value = value << 8 | UInt32(byte)
        }
        self.value = value
    }

    /// The four bytes in network order.
    public var bytes: [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 0xff), UInt8(value >> 8 & 0xff), UInt8(value & 0xff)]
    }

    public var description: String { bytes.map(String.init).joined(separator: ".") }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// An IPv4 network in CIDR notation; the address is always the network's first.
public struct IPv4Network: Hashable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    public let address: IPv4Address
    public let prefixLength: UInt8

    /// Host bits of `address` are cleared; nil when the prefix length is above 32.
    public init?(address: IPv4Address, prefixLength: UInt8) {
        guard prefixLength <= 32 else { return nil }
        self.prefixLength = prefixLength
        self.address = IPv4Address(value: address.value & IPv4Network.mask(prefixLength))
    }

    /// Reads `10.0.0.0/24`.
    public init?(_ description: String) {
        let parts = description.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPv4Address(String(parts[0])), let length = UInt8(parts[1]) else {
            return nil
        }
        self.init(address: address, prefixLength: length)
    }

    private static func mask(_ length: UInt8) -> UInt32 { length == 0 ? 0 : ~UInt32(0) << (32 - UInt32(length)) }

    public var netmask: IPv4Address { IPv4Address(value: IPv4Network.mask(prefixLength)) }
    public var broadcast: IPv4Address { IPv4Address(value: address.value | ~IPv4Network.mask(prefixLength)) }
    public var description: String { "\(address)/\(prefixLength)" }

    public func contains(_ other: IPv4Address) -> Bool {
        other.value & IPv4Network.mask(prefixLength) == address.value
    }

    public func overlaps(_ other: IPv4Network) -> Bool {
        contains(other.address) || other.contains(address)
    }
}

/// An Ethernet address.
public struct MACAddress: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    /// The six bytes in the low 48 bits, first byte highest.
    public let value: UInt64

    public init(value: UInt64) {
        self.value = value & 0xffff_ffff_ffff
    }

    /// The address Docker gives a container: the locally administered prefix 02:42 and the IPv4 address.
    public init(container address: IPv4Address) {
        self.init(value: 0x0242_0000_0000 | UInt64(address.value))
    }

    public init?(_ description: String) {
        let parts = description.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var value: UInt64 = 0
        for part in parts {
            guard part.utf8.count == 2, let byte = UInt8(part, radix: 16) else { return nil }
            value = value << 8 | UInt64(byte)
        }
        self.value = value
    }

    public var bytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: value >> UInt64(40 - 8 * $0)) } }

    public var description: String {
        bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined(separator: ":")
    }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}
