import FoundationEssentials
public import Primitives

extension ImageConfig {
    /// Applies one instruction in Dockerfile form, as `docker import --change` takes it.
    ///
    /// CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR; throws `invalidArgument` naming the instruction.
    public mutating func apply(change: String) throws(Failure) {
        let line = change.drop { $0 == " " || $0 == "\t" }
        let keyword = line.prefix { $0 != " " && $0 != "\t" }
        let rest = String(line.dropFirst(keyword.count).drop { $0 == " " || $0 == "\t" })
        guard !rest.isEmpty else { throw Failure(.invalidArgument, "change \"\(change)\": a value is missing") }
        switch keyword.uppercased() {
        case "CMD": command = Self.commandLine(rest)
        case "ENTRYPOINT": entrypoint = Self.commandLine(rest)
        case "USER": user = rest
        case "STOPSIGNAL": stopSignal = rest
        case "HEALTHCHECK": healthcheck = try Healthcheck(change: change, rest)
        case "WORKDIR":
            guard rest.hasPrefix("/") else {
                throw Failure(.invalidArgument, "change \"\(change)\": the folder must be an absolute path")
            }
            workingDirectory = rest
        case "EXPOSE": try expose(rest, change)
        case "VOLUME":
            let paths = Self.stringArray(rest) ?? rest.split(separator: " ").map(String.init)
            volumes = Set(volumes + paths).sorted()
        case "ENV":
            for (name, value) in try Self.pairs(rest, change) {
                environment.removeAll { $0.hasPrefix(name + "=") }
                environment.append(name + "=" + value)
            }
        case "LABEL":
            for (name, value) in try Self.pairs(rest, change) { labels[name] = value }
        default:
            throw Failure(
                .invalidArgument,
                "change \"\(change)\": \(keyword) is not one of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR"
            )
        }
    }

    private mutating func expose(_ text: String, _ change: String) throws(Failure) {
        for port in text.split(separator: " ") {
            let parts = port.split(separator: "/", omittingEmptySubsequences: false)
            let transport = parts.count == 2 ? parts[1].lowercased() : "tcp"
            guard parts.count <= 2, let number = UInt16(parts[0]), number > 0,
                ["tcp", "udp", "sctp"].contains(transport)
            else {
                throw Failure(.invalidArgument, "change \"\(change)\": \"\(port)\" is no port like 80 or 53/udp")
            }
            exposedPorts = Set(exposedPorts + ["\(number)/\(transport)"]).sorted()
        }
    }

    /// A JSON array is the program and its arguments; anything else a line for the shell.
    private static func commandLine(_ text: String) -> [String] { stringArray(text) ?? ["/bin/sh", "-c", text] }

    static func stringArray(_ text: String) -> [String]? {
        text.hasPrefix("[") ? try? JSONDecoder().decode([String].self, from: Data(text.utf8)) : nil
    }

    /// `a=b c="d e"`, or the old form `a b c` that gives one name the rest of the line.
    private static func pairs(_ text: String, _ change: String) throws(Failure) -> [(String, String)] {
        let words = words(text)
        if let first = words.first, !first.contains("=") {
            let value = text.dropFirst(first.count).drop { $0 == " " || $0 == "\t" }
            guard !value.isEmpty else {
                throw Failure(.invalidArgument, "change \"\(change)\": \"\(first)\" has no value")
            }
            return [(first, String(value))]
        }
        var result: [(String, String)] = []
        for word in words {
            guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
                throw Failure(.invalidArgument, "change \"\(change)\": \"\(word)\" is not NAME=value")
            }
            result.append((String(word[..<equals]), String(word[word.index(after: equals)...])))
        }
        return result
    }

    /// Splits at blanks outside quotes; quotes and backslashes are taken away.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if character == quote {
                quote = nil
            } else if quote == nil, character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if quote == nil, character == " " || character == "\t" {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let word { words.append(word) }
        return words
    }
}
