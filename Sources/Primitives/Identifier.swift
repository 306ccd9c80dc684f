/// A 128-bit random object id, typed by what it names, written as 25 base-36 digits like SwarmKit's.
///
/// Ordered by value, which is also the order of the text.
public struct Identifier<Entity>: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    public let value: UInt128

    public init(value: UInt128) {
        self.value = value
    }

    /// A fresh id; the caller owns the source of randomness.
    public init(using random: inout some RandomNumberGenerator) {
        value = UInt128(random.next()) << 64 | UInt128(random.next())
    }

    /// Reads exactly 25 base-36 digits, either case; nil for anything else or a value above 128 bits.
    public init?(_ description: String) {
        let digits = description.utf8
        guard digits.count == IdentifierText.length else { return nil }
        var value: UInt128 = 0
        for digit in digits {
            guard let unit = IdentifierText.digitValue(digit) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 36)
            let (sum, carry) = product.addingReportingOverflow(UInt128(unit))
            if overflow || carry { return nil }
            value = sum
        }
        self.value = value
    }

    public var description: String {
        let digits = String(value, radix: 36)
        return String(repeating: "0", count: IdentifierText.length - digits.utf8.count) + digits
    }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

private enum IdentifierText {
    static let length = 25

    static func digitValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
