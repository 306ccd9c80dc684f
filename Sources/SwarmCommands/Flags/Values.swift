import Primitives

/// Reads the values of options; every error names the option's text.
enum FlagValue {
    /// Go's notation: `1h30m`, `1.5s`, `300ms`; a bare `0` is zero.
    ///
    /// - Returns: nanoseconds.
    static func duration(_ text: String) throws -> Int64 {
        if text == "0" { return 0 }
        let units: [(String, Double)] = [
            ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
        ]
        var total = 0.0
        var rest = text[...]
        guard !rest.isEmpty else { throw CommandFailure("duration \"\" is empty: write for example 1m30s") }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest[digits.endIndex...]
            let unit = rest.prefix { !$0.isNumber && $0 != "." }
            rest = rest[unit.endIndex...]
            guard let number = Double(digits), let scale = units.first(where: { $0.0 == unit })?.1 else {
                throw CommandFailure("duration \"\(text)\" is not like 1m30s")
            }
            total += number * scale
        }
        guard total < 9e18 else { throw CommandFailure("duration \"\(text)\" is too long") }
        return Int64(total)
    }

    /// `512`, `64k`, `64M`, `1.5g`, `64MiB`: powers of 1024.
    static func bytes(_ text: String) throws -> Int64 {
        let number = text.prefix { $0.isNumber || $0 == "." }
        let suffix = text[number.endIndex...].lowercased()
        let scales = ["", "k", "m", "g", "t"]
        let unit = suffix.replacing("ib", with: "").replacing("b", with: "")
        guard let value = Double(number), let power = scales.firstIndex(of: unit) else {
            throw CommandFailure("size \"\(text)\" is not like 64M")
        }
        let bytes = (0..<power).reduce(value) { bytes, _ in bytes * 1024 }
        guard bytes < 9e18 else { throw CommandFailure("size \"\(text)\" is too large") }
        return Int64(bytes)
    }

    /// `0.5` CPUs, in billionths.
    static func nanoCPUs(_ text: String) throws -> Int64 {
        guard let value = Double(text), value >= 0, value < 1e6 else {
            throw CommandFailure("CPUs \"\(text)\" is not a number like 0.5")
        }
        return Int64((value * 1e9).rounded())
    }

    /// `KEY=VALUE`; without `=` the value is empty.
    static func pair(_ text: String) throws -> (key: String, value: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let key = parts.first, !key.isEmpty else { throw CommandFailure("\"\(text)\" is not KEY=VALUE") }
        return (key, parts.count > 1 ? parts[1] : "")
    }

    static func pairs(_ texts: [String]) throws -> [String: String] {
        try Dictionary(texts.map { try pair($0) }.map { ($0.key, $0.value) }) { $1 }
    }

    /// `a=1,b=2`, values without commas; a field alone has an empty value.
    static func fields(_ text: String) throws -> [(key: String, value: String)] {
        try text.split(separator: ",").map { try pair(String($0)) }
    }

    /// `KEY=VALUE`, or `KEY` with the value that this process has; dropped where it has none, as in Docker.
    static func environment(_ texts: [String], own: [String: String]) -> [String] {
        texts.compactMap { text in
            text.contains("=") ? text : own[text].map { "\(text)=\($0)" }
        }
    }

    static func boolean(_ text: String) -> Bool { ["", "1", "true"].contains(text.lowercased()) }
}
