/// Notations of single values. nil for a text that is none.
enum Scalars {
    static func trimmed(_ text: some StringProtocol) -> String {
        var text = Substring(text)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// YAML 1.1's words, which is what files for Docker are written in.
    static func bool(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "y": true
        case "false", "no", "off", "n": false
        default: nil
        }
    }

    /// Go's notation: `1m30s`, `1.5h`, `100ms`; `0` needs no unit.
    static func duration(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        var rest = text.utf8[...]
        var total: Int64 = 0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { isDigit($0) || $0 == UInt8(ascii: ".") }
            rest = rest[number.endIndex...]
            let unit = rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") }
            rest = rest[unit.endIndex...]
            guard let scale = durationUnits[String(decoding: unit, as: UTF8.self)],
                let value = scaled(String(decoding: number, as: UTF8.self), by: scale)
            else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(value)
            if overflow { return nil }
            total = sum
        }
        return .nanoseconds(total)
    }

    private static let durationUnits: [String: Int64] = [
        "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
        "h": 3_600_000_000_000,
    ]

    /// Docker's sizes, powers of 1024 whatever the unit's spelling: `50M`, `1.5gb`, `64MiB`, `4096`.
    static func bytes(_ text: String) -> Int64? {
        let lower = text.lowercased()
        let number = lower.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        var unit = trimmed(lower[number.endIndex...])
        if unit.hasSuffix("b") { unit.removeLast() }
        if unit.count == 2, unit.hasSuffix("i") { unit.removeLast() }
        guard let power = ["", "k", "m", "g", "t", "p"].firstIndex(of: unit) else { return nil }
        return scaled(String(number), by: Int64(1) << Int64(10 * power))
    }

    /// `0.5` of a processor as 500 000 000.
    static func nanoCPUs(_ text: String) -> Int64? {
        let fraction = text.split(separator: ".", omittingEmptySubsequences: false).dropFirst().first ?? ""
        return fraction.count <= 9 ? scaled(text, by: 1_000_000_000) : nil
    }

    /// A mode of a file: octal in quotes or after a zero, as YAML 1.1 reads numbers; else decimal.
    static func fileMode(_ scalar: Element.Scalar) -> UInt32? {
        let isOctal = !scalar.isPlain || scalar.text.hasPrefix("0")
        let digits = scalar.text.hasPrefix("0o") ? scalar.text.dropFirst(2) : scalar.text[...]
        guard let mode = UInt32(digits, radix: isOctal ? 8 : 10), mode <= 0o7777, !digits.hasPrefix("+") else {
            return nil
        }
        return mode
    }

    /// A whole number in decimal, or as YAML writes octal and hexadecimal ones.
    static func integer(_ text: String) -> Int64? {
        let isNegative = text.hasPrefix("-")
        let digits = text.drop { $0 == "-" || $0 == "+" }
        guard text.count - digits.count <= 1 else { return nil }
        let magnitude: Int64? =
            if digits.hasPrefix("0x") {
                Int64(digits.dropFirst(2), radix: 16)
            } else if digits.hasPrefix("0o") {
                Int64(digits.dropFirst(2), radix: 8)
            } else {
                Int64(digits)
            }
        return magnitude.map { isNegative ? -$0 : $0 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// A decimal number times a factor, rounded down; exact, unlike a floating-point product.
    private static func scaled(_ number: String, by factor: Int64) -> Int64? {
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, number.utf8.contains(where: isDigit),
            number.utf8.allSatisfy({ isDigit($0) || $0 == 46 })
        else { return nil }
        guard let whole = parts[0].isEmpty ? 0 : Int64(parts[0]) else { return nil }
        let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
        if overflow { return nil }
        let fraction = parts.count == 2 ? parts[1].prefix(15) : ""
        var divisor: Int128 = 1
        for _ in fraction { divisor *= 10 }
        let part = fraction.isEmpty ? 0 : Int128(Int64(fraction) ?? 0) * Int128(factor) / divisor
        let (sum, carry) = product.addingReportingOverflow(Int64(part))
        return carry ? nil : sum
    }

    /// Splits a command line as a shell does, without its expansions; nil for a quote that is not closed.
    static func shellWords(_ line: String) -> [String]? {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var characters = line.makeIterator()
        while let character = characters.next() {
            switch (quote, character) {
            case (nil, "'"), (nil, "\""):
                quote = character
                word = word ?? ""
            case ("'", "'"), ("\"", "\""): quote = nil
            case (nil, "\\"):
                guard let next = characters.next() else { return nil }
                word = (word ?? "") + (next == "\n" ? "" : String(next))
            case ("\"", "\\"):
                guard let next = characters.next() else { return nil }
                let isEscape = "\"\\$`\n".contains(next)
                word = (word ?? "") + (isEscape ? "" : "\\") + String(next)
            case (nil, _) where character.isWhitespace:
                if let finished = word { words.append(finished) }
                word = nil
            default: word = (word ?? "") + String(character)
            }
        }
        guard quote == nil else { return nil }
        if let word { words.append(word) }
        return words
    }
}
