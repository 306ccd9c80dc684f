import Yams

/// Reads one file's YAML into elements.
struct YAMLReader {
    let file: String
    let interpolation: Interpolation
    var diagnostics: Diagnostics
    private var valuesLeft = ComposeLimits.fileValues
    private var bytesLeft = ComposeLimits.interpolatedBytes

    init(file: String, interpolation: Interpolation, diagnostics: Diagnostics) {
        self.file = file
        self.interpolation = interpolation
        self.diagnostics = diagnostics
    }

    /// - Throws: ``ComposeError`` with line and column for text that is not YAML, or too much of it.
    mutating func read(_ bytes: [UInt8]) throws(ComposeError) -> Element {
        guard bytes.count <= ComposeLimits.fileBytes else {
            throw ComposeError(
                "the file has \(bytes.count) bytes, more than \(ComposeLimits.fileBytes)", at: Place(file: file))
        }
        let root: Node?
        do {
            // The encoding is named because Yams' default asks the environment for it.
            root = try Parser(yaml: try text(bytes), encoding: .utf8).singleRoot()
        } catch let error as ComposeError {
            throw error
        } catch let error as YamlError {
            throw explained(error)
        } catch {
            throw ComposeError("not YAML: \(error)", at: Place(file: file))
        }
        guard let root else { return Element(content: .null, place: Place(file: file, line: 1, column: 1)) }
        guard case .mapping = root else {
            let top = try element(root, path: "", depth: 0, replaces: false)
            if top.isNull { return top }
            throw ComposeError("the file must be a map of keys, not \(top.kind)", at: top.place)
        }
        return try element(root, path: "", depth: 0, replaces: true)
    }

    private func text(_ bytes: [UInt8]) throws(ComposeError) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        // The repaired text's first replacement stands where the first bad byte stood, unless it was one already.
        let repaired = String(decoding: bytes, as: UTF8.self)
        let bad = repaired.unicodeScalars.firstIndex(of: "\u{fffd}") ?? repaired.startIndex
        throw ComposeError("not UTF-8 text", at: place(before: repaired.unicodeScalars[..<bad]))
    }

    private func place(before text: some Collection<Unicode.Scalar>) -> Place {
        var place = Place(file: file, line: 1, column: 1)
        for scalar in text {
            place.column += 1
            if scalar == "\n" {
                place.line += 1
                place.column = 1
            }
        }
        return place
    }

    private func place(_ mark: Mark?) -> Place {
        Place(file: file, line: mark?.line ?? 0, column: mark?.column ?? 0)
    }

    private func explained(_ error: YamlError) -> ComposeError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let during = context.map { " \($0.text) (line \($0.mark.line))" } ?? ""
            return ComposeError("not YAML: \(problem)\(during)", at: place(mark))
        case .reader(let problem, let offset, _, let yaml):
            let before = yaml.prefix(offset ?? 0).unicodeScalars
            return ComposeError("not YAML: \(problem)", at: place(before: before))
        case .duplicatedKeysInMapping(let keys, let context):
            return ComposeError("the key \"\(keys.first ?? "")\" stands twice in one map", at: place(context.mark))
        default: return ComposeError("not YAML: \(error)", at: Place(file: file))
        }
    }
}

extension YAMLReader {
    /// - Parameter replaces: whether variables are replaced in it.
    private mutating func element(
        _ node: Node, path: String, depth: Int, replaces: Bool
    ) throws(ComposeError) -> Element {
        let place = place(node.mark)
        valuesLeft -= 1
        guard valuesLeft > 0 else {
            throw ComposeError(
                "more than \(ComposeLimits.fileValues) values with all aliases written out", at: place)
        }
        guard depth <= ComposeLimits.nestingLevels else {
            throw ComposeError("more than \(ComposeLimits.nestingLevels) levels of lists and maps", at: place)
        }
        switch node {
        case .scalar(let scalar):
            return Element(content: try content(scalar, path: path, replaces: replaces, at: place), place: place)
        case .sequence(let sequence):
            try check(tag: sequence.tag, allowing: "seq", at: place)
            var items: [Element] = []
            for item in sequence {
                items.append(try element(item, path: path, depth: depth + 1, replaces: replaces))
            }
            return Element(content: .list(items), place: place)
        case .mapping(let mapping):
            try check(tag: mapping.tag, allowing: "map", at: place)
            let entries = try entries(mapping, path: path, depth: depth, replaces: replaces)
            return Element(content: .map(entries), place: place)
        case .alias:
            throw ComposeError("not YAML: found an alias that was not resolved", at: place)
        }
    }

    private mutating func content(
        _ scalar: Node.Scalar, path: String, replaces: Bool, at place: Place
    ) throws(ComposeError) -> Element.Content {
        let isText = scalar.tag.description == Self.tagPrefix + "str"
        try check(tag: scalar.tag, allowing: "str", "int", "float", "bool", "null", "timestamp", at: place)
        let isPlain = scalar.style == .plain && !isText
        if isPlain, ["", "~", "null", "Null", "NULL"].contains(scalar.string) { return .null }
        guard replaces else { return .scalar(Element.Scalar(text: scalar.string, isPlain: isPlain)) }
        let outcome: Interpolation.Outcome
        do {
            outcome = try interpolation.apply(to: scalar.string)
        } catch {
            throw ComposeError("\(path) \(error.message)", at: place)
        }
        for name in outcome.unset {
            diagnostics.warn("\(path): the variable \(name) is not set and replaced by nothing", at: place)
        }
        bytesLeft -= outcome.text.utf8.count
        guard bytesLeft > 0 else {
            throw ComposeError("more than \(ComposeLimits.interpolatedBytes) bytes with variables replaced", at: place)
        }
        return .scalar(Element.Scalar(text: outcome.text, isPlain: isPlain))
    }

    /// A map's entries; what `<<` brings in stands behind its own, which win.
    private mutating func entries(
        _ mapping: Node.Mapping, path: String, depth: Int, replaces: Bool
    ) throws(ComposeError) -> [Element.Entry] {
        var entries: [Element.Entry] = []
        var merged: [Node] = []
        for (key, value) in mapping {
            guard case .scalar(let name) = key else {
                throw ComposeError("a key must be text, not a list or map", at: place(key.mark))
            }
            if name.string == "<<", name.style == .plain {
                merged.append(value)
                continue
            }
            let inner = path.isEmpty ? name.string : "\(path).\(name.string)"
            // Sections of the user's own are read only where an alias leads to them.
            if depth == 0, name.string.hasPrefix("x-") { continue }
            let child = try element(value, path: inner, depth: depth + 1, replaces: replaces)
            entries.append(Element.Entry(key: name.string, keyPlace: place(key.mark), value: child))
        }
        var keys = Set(entries.map(\.key))
        var sources: [Node.Mapping] = []
        for node in merged { sources += try mergeSources(node) }
        for source in sources {
            for entry in try self.entries(source, path: path, depth: depth + 1, replaces: replaces)
            where keys.insert(entry.key).inserted {
                entries.append(entry)
            }
        }
        return entries
    }

    private func mergeSources(_ node: Node) throws(ComposeError) -> [Node.Mapping] {
        switch node {
        case .mapping(let mapping): return [mapping]
        case .sequence(let sequence):
            var mappings: [Node.Mapping] = []
            for item in sequence {
                guard case .mapping(let mapping) = item else {
                    throw ComposeError("<< must name maps", at: place(item.mark))
                }
                mappings.append(mapping)
            }
            return mappings
        case .scalar, .alias: throw ComposeError("<< must name a map or a list of maps", at: place(node.mark))
        }
    }

    private static let tagPrefix = "tag:yaml.org,2002:"

    private func check(tag: Tag, allowing names: String..., at place: Place) throws(ComposeError) {
        let name = tag.description
        guard name != "", name != "!", !names.contains(where: { Self.tagPrefix + $0 == name }) else { return }
        throw ComposeError("the tag \(name) is not supported here", at: place)
    }
}
