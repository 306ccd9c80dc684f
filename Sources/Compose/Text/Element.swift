/// A value of a compose file: aliases and merge keys resolved, variables replaced.
struct Element: Hashable, Sendable {
    indirect enum Content: Hashable, Sendable {
        case null
        case scalar(Scalar)
        case list([Element])
        /// In the order of the file; keys are unique.
        case map([Entry])
    }

    struct Scalar: Hashable, Sendable {
        var text: String
        /// Written without quotes, so that it may mean a number or a truth value.
        var isPlain: Bool
    }

    struct Entry: Hashable, Sendable {
        var key: String
        var keyPlace: Place
        var value: Element
    }

    var content: Content
    var place: Place

    /// For messages: `a list`.
    var kind: String {
        switch content {
        case .null: "empty"
        case .scalar: "text"
        case .list: "a list"
        case .map: "a map"
        }
    }

    var isNull: Bool { content == .null }
}

/// A value and the path of keys that leads to it.
struct Field {
    /// `services.web.deploy`.
    var path: String
    var key: String
    var keyPlace: Place
    var element: Element

    var place: Place { element.place }

    init(root element: Element) {
        path = ""
        key = ""
        keyPlace = element.place
        self.element = element
    }

    init(path: String, key: String, keyPlace: Place, element: Element) {
        self.path = path
        self.key = key
        self.keyPlace = keyPlace
        self.element = element
    }

    func error(_ message: String) -> ComposeError {
        ComposeError(path.isEmpty ? message : "\(path) \(message)", at: place)
    }

    /// The members of a map; none where nothing is written.
    func members() throws(ComposeError) -> [Field] {
        switch element.content {
        case .null: return []
        case .map(let entries):
            return entries.map { entry in
                Field(
                    path: path.isEmpty ? entry.key : "\(path).\(entry.key)", key: entry.key, keyPlace: entry.keyPlace,
                    element: entry.value)
            }
        case .scalar, .list: throw error("must be a map of keys, not \(element.kind)")
        }
    }

    /// The items of a list; none where nothing is written.
    func items() throws(ComposeError) -> [Field] {
        switch element.content {
        case .null: return []
        case .list(let items):
            return items.enumerated().map { index, item in
                Field(path: "\(path)[\(index)]", key: key, keyPlace: item.place, element: item)
            }
        case .scalar, .map: throw error("must be a list, not \(element.kind)")
        }
    }

    /// A list's items, or the value itself where it is a single one.
    func itemsOrSelf() throws(ComposeError) -> [Field] {
        if case .scalar = element.content { return [self] }
        return try items()
    }

    subscript(name: String) -> Field? {
        guard case .map(let entries) = element.content, let entry = entries.first(where: { $0.key == name }) else {
            return nil
        }
        return Field(
            path: path.isEmpty ? name : "\(path).\(name)", key: name, keyPlace: entry.keyPlace, element: entry.value)
    }
}
