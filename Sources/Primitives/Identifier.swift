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
        String(unsafeUninitializedCapacity: IdentifierText.length) { digits in
            // Two machine words at most: a division of 128 bits for each digit would take ten times as long.
            let (rest, low) = value.quotientAndRemainder(dividingBy: IdentifierText.twelveDigits)
            let (top, middle) = rest.quotientAndRemainder(dividingBy: IdentifierText.twelveDigits)
            digits[0] = IdentifierText.digit(UInt64(top))
            IdentifierText.write(UInt64(middle), to: digits[1..<13])
            IdentifierText.write(UInt64(low), to: digits[13..<25])
            return IdentifierText.length
        }
    }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

private enum IdentifierText {
    static let length = 25
    /// 36 to the power of 12.
    static let twelveDigits: UInt128 = 4_738_381_338_321_616_896

    static func digit(_ value: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: value < 10 ? 48 + value : 87 + value)
    }

    static func write(_ value: UInt64, to digits: Slice<UnsafeMutableBufferPointer<UInt8>>) {
        var rest = value
        for position in digits.indices.reversed() {
            digits.base[position] = digit(rest % 36)
            rest /= 36
        }
    }

    static func digitValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
