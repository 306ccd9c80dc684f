extension Element {
    /// The value as a YAML document that reads back as the same; a dollar sign is doubled, so that it stays one.
    var yaml: String {
        var lines: [String] = []
        write(to: &lines, indent: "", prefix: "")
        return lines.map { $0 + "\n" }.joined()
    }

    private func write(to lines: inout [String], indent: String, prefix: String) {
        switch content {
        case .list(let items) where !items.isEmpty:
            if !prefix.isEmpty { lines.append(prefix) }
            for item in items { item.write(to: &lines, indent: indent + "  ", item: indent + "-") }
        case .map(let entries) where !entries.isEmpty:
            if !prefix.isEmpty { lines.append(prefix) }
            for entry in entries {
                let inner = entry.value.isMap ? indent + "  " : indent
                entry.value.write(to: &lines, indent: inner, prefix: indent + Element.key(entry.key) + ":")
            }
        default: lines.append(prefix.isEmpty ? inlineText : prefix + " " + inlineText)
        }
    }

    /// A list's item, whose first key stands behind the dash.
    private func write(to lines: inout [String], indent: String, item dash: String) {
        guard case .map(let entries) = content, !entries.isEmpty else {
            write(to: &lines, indent: indent, prefix: dash)
            return
        }
        var inner: [String] = []
        write(to: &inner, indent: indent, prefix: "")
        if let first = inner.first { inner[0] = dash + " " + first.dropFirst(indent.count) }
        lines += inner
    }

    private var isMap: Bool {
        if case .map = content { return true }
        return false
    }

    private var inlineText: String {
        switch content {
        case .null: "null"
        case .list: "[]"
        case .map: "{}"
        case .scalar(let scalar):
            scalar.isPlain && Element.isSafe(scalar.text) ? scalar.text : Element.quoted(scalar.text)
        }
    }

    /// Neither a sign of YAML's nor a variable.
    private static func isSafe(_ text: String) -> Bool {
        let isWord = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._/+-".utf8.contains(byte)
            }
        }
        guard isWord, let first = text.utf8.first else { return false }
        return first != UInt8(ascii: "-") || (text.count > 1 && Int(text) != nil)
    }

    private static func key(_ key: String) -> String {
        let isWord = isSafe(key) && Int(key) == nil
        let isValue = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(key.lowercased())
        return isWord && !isValue ? key : quotedKey(key)
    }

    private static func quoted(_ text: String) -> String { quotedKey(text.replacing("$", with: "$$")) }

    /// Variables are replaced in values only.
    private static func quotedKey(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case "\0"..<" ", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}", "\u{feff}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
