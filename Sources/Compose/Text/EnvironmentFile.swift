/// Files of variables.
enum EnvironmentFile {
    /// Reads what `env_file` names, as `docker stack deploy` does: lines `KEY=VALUE` with the value as it stands,
    /// quotes included; a `KEY` alone takes its value from `environment` and is left out where that has none.
    static func literal(
        _ text: String, file: String, environment: [String: String], diagnostics: inout Diagnostics
    ) throws(ComposeError) -> [(key: String, value: String)] {
        var variables: [(key: String, value: String)] = []
        for (index, line) in lines(text).enumerated() {
            let place = Place(file: file, line: index + 1, column: 1)
            let trimmed = line.drop { $0 == " " || $0 == "\t" }
            if trimmed.isEmpty || trimmed.first == "#" { continue }
            guard let equals = trimmed.firstIndex(of: "=") else {
                let key = Scalars.trimmed(trimmed)
                try check(key, at: place)
                if let value = environment[key] { variables.append((key, value)) }
                continue
            }
            let key = String(trimmed[..<equals])
            try check(key, at: place)
            let value = String(trimmed[trimmed.index(after: equals)...])
            if let quote = value.first, value.count > 1, quote == value.last, quote == "\"" || quote == "'" {
                diagnostics.warn("the quotes around the value of \(key) are part of it", at: place)
            }
            variables.append((key, value))
        }
        return variables
    }

    private static func check(_ key: String, at place: Place) throws(ComposeError) {
        guard !key.isEmpty, !key.contains(where: \.isWhitespace) else {
            throw ComposeError("\"\(key)\" is not a variable's name; write KEY=VALUE", at: place)
        }
    }

    private static func lines(_ text: String) -> [Substring] {
        let text = text.unicodeScalars.first == "\u{feff}" ? text.unicodeScalars.dropFirst() : text.unicodeScalars[...]
        return Substring(text).split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    }
}

/// Reads a `.env` file, which gives the variables of a compose file: `KEY=VALUE` with an optional `export`, comments,
/// values in single quotes (as they stand) or double quotes (`\n`, `\"` …, over several lines), variables replaced.
struct DotEnvironment {
    private let file: String
    private var rest: Substring.UnicodeScalarView
    private var place: Place
    private var variables: [String: String]
    private var found: [String: String] = [:]

    /// - Parameter environment: wins over the file where variables in values are replaced.
    /// - Returns: the file's own variables.
    static func parse(
        _ text: String, file: String, environment: [String: String]
    ) throws(ComposeError) -> [String: String] {
        var parser = DotEnvironment(file: file, text: text, environment: environment)
        while !parser.rest.isEmpty { try parser.line() }
        return parser.found
    }

    private init(file: String, text: String, environment: [String: String]) {
        self.file = file
        let scalars = text.replacing("\r\n", with: "\n").unicodeScalars
        rest = scalars.first == "\u{feff}" ? scalars.dropFirst() : scalars[...]
        place = Place(file: file, line: 1, column: 1)
        variables = environment
    }

    private mutating func next() -> Unicode.Scalar? {
        guard let scalar = rest.popFirst() else { return nil }
        place.column += 1
        if scalar == "\n" {
            place.line += 1
            place.column = 1
        }
        return scalar
    }

    private mutating func skipBlanks() {
        while let scalar = rest.first, scalar == " " || scalar == "\t" { _ = next() }
    }

    private mutating func restOfLine() -> String {
        var line = String.UnicodeScalarView()
        while let scalar = next(), scalar != "\n" { line.append(scalar) }
        return String(line)
    }

    private mutating func line() throws(ComposeError) {
        skipBlanks()
        guard let first = rest.first else { return }
        if first == "\n" || first == "#" {
            _ = restOfLine()
            return
        }
        let start = place
        var key = String.UnicodeScalarView()
        while let scalar = rest.first, scalar != "=", scalar != "\n", scalar != ":" {
            key.append(scalar)
            _ = next()
        }
        var name = Scalars.trimmed(Substring(String(key)))
        if name.hasPrefix("export ") { name = Scalars.trimmed(name.dropFirst(7)) }
        guard !name.isEmpty, !name.contains(where: \.isWhitespace) else {
            throw ComposeError("\"\(name)\" is not a variable's name; write KEY=VALUE", at: start)
        }
        guard rest.first != nil, rest.first != "\n" else {
            _ = next()
            return
        }
        _ = next()
        skipBlanks()
        let valuePlace = place
        let value = try value(at: valuePlace)
        found[name] = value
        // What the shell says wins over the file.
        if variables[name] == nil { variables[name] = value }
    }

    private mutating func value(at start: Place) throws(ComposeError) -> String {
        switch rest.first {
        case "'":
            _ = next()
            return try quoted(by: "'", at: start)
        case "\"":
            _ = next()
            return try replaced(try quoted(by: "\"", at: start), at: start)
        default:
            let line = restOfLine()
            return try replaced(Scalars.trimmed(Self.withoutComment(line)), at: start)
        }
    }

    /// A comment begins with a # after a blank.
    private static func withoutComment(_ line: String) -> Substring {
        if line.hasPrefix("#") { return "" }
        let end = [" #", "\t#"].compactMap { line.firstRange(of: $0)?.lowerBound }.min()
        return line[..<(end ?? line.endIndex)]
    }

    private mutating func quoted(by quote: Unicode.Scalar, at start: Place) throws(ComposeError) -> String {
        var value = String.UnicodeScalarView()
        while let scalar = next() {
            if scalar == quote {
                let tail = Scalars.trimmed(Self.withoutComment(restOfLine())[...])
                guard tail.isEmpty else {
                    throw ComposeError("\"\(tail)\" after the closing quote", at: start)
                }
                return String(value)
            }
            guard scalar == "\\", quote == "\"", let escaped = next() else {
                value.append(scalar)
                continue
            }
            switch escaped {
            case "n": value.append("\n")
            case "r": value.append("\r")
            case "t": value.append("\t")
            case "\"", "\\": value.append(escaped)
            case "$": value.append(contentsOf: "$$".unicodeScalars)
            default:
                value.append("\\")
                value.append(escaped)
            }
        }
        throw ComposeError("the quote is not closed", at: start)
    }

    private func replaced(_ text: String, at place: Place) throws(ComposeError) -> String {
        do {
            return try Interpolation(variables: variables).apply(to: text).text
        } catch {
            throw ComposeError("the value \(error.message)", at: place)
        }
    }
}
