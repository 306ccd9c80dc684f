/// Lays a later compose file over an earlier one, as `docker stack deploy -c A -c B` does: single values of the later
/// one win, maps are merged key by key, lists are appended; a port, mount, secret or config of the later file replaces
/// the one for the same published port, path or source (``ServiceReader`` does that), a command replaces the whole
/// command.
enum Merging {
    static func merge(_ base: Element, _ other: Element) -> Element {
        merge(base, other, path: [])
    }

    private static func merge(_ base: Element, _ other: Element, path: [String]) -> Element {
        if other.isNull { return base }
        if base.isNull || isReplaced(path) { return other }
        if isPairs(path) || isNamedNetworks(path) {
            let separators: [Character] = path.last == "extra_hosts" ? [":", "="] : ["="]
            return mergeMaps(asMap(base, separators), asMap(other, separators), path: path)
        }
        switch (base.content, other.content) {
        case (.map, .map):
            if path.last == "logging", path.count == 3, driver(base) != nil, driver(other) != nil,
                driver(base) != driver(other)
            {
                return other
            }
            return mergeMaps(base, other, path: path)
        case (.list(let first), .list(let second)):
            return Element(content: .list(first + second.filter { !isRepeated($0, in: first) }), place: other.place)
        case (.scalar, .list(let second)) where takesSingleValue(path):
            return Element(content: .list([base] + second), place: other.place)
        case (.list(let first), .scalar) where takesSingleValue(path):
            return Element(content: .list(first + [other]), place: other.place)
        default: return other
        }
    }

    private static func mergeMaps(_ base: Element, _ other: Element, path: [String]) -> Element {
        guard case .map(var entries) = base.content, case .map(let additions) = other.content else { return other }
        for entry in additions {
            if let index = entries.firstIndex(where: { $0.key == entry.key }) {
                entries[index].value = merge(entries[index].value, entry.value, path: path + [entry.key])
                entries[index].keyPlace = entry.keyPlace
            } else {
                entries.append(entry)
            }
        }
        return Element(content: .map(entries), place: other.place)
    }

    private static func setting(_ path: [String]) -> [String]? {
        path.count >= 3 && path[0] == "services" ? Array(path[2...]) : nil
    }

    private static func isReplaced(_ path: [String]) -> Bool {
        guard let setting = setting(path) else { return false }
        return [["command"], ["entrypoint"], ["healthcheck", "test"]].contains(setting)
    }

    /// Written as a map or as a list of `KEY=VALUE`.
    private static func isPairs(_ path: [String]) -> Bool {
        if path.count == 3, path[2] == "labels", path[0] != "services" { return true }
        guard let setting = setting(path) else { return false }
        return [["environment"], ["labels"], ["deploy", "labels"], ["extra_hosts"], ["sysctls"]].contains(setting)
    }

    private static func isNamedNetworks(_ path: [String]) -> Bool { setting(path) == ["networks"] }

    private static func takesSingleValue(_ path: [String]) -> Bool {
        guard let setting = setting(path) else { return false }
        return [["dns"], ["dns_search"], ["env_file"], ["tmpfs"]].contains(setting)
    }

    private static func driver(_ logging: Element) -> Element.Content? {
        Field(root: logging)["driver"]?.element.content
    }

    private static func isRepeated(_ item: Element, in items: [Element]) -> Bool {
        guard case .scalar = item.content else { return false }
        return items.contains { $0.content == item.content }
    }

    /// A list of `KEY=VALUE` or of names as a map; anything else stays, so that reading it finds the fault.
    private static func asMap(_ element: Element, _ separators: [Character]) -> Element {
        guard case .list(let items) = element.content else { return element }
        var entries: [Element.Entry] = []
        for item in items {
            guard case .scalar(let scalar) = item.content else { return element }
            var entry = Element.Entry(
                key: scalar.text, keyPlace: item.place, value: Element(content: .null, place: item.place))
            if let index = scalar.text.firstIndex(where: { separators.contains($0) }) {
                entry.key = String(scalar.text[..<index])
                let value = String(scalar.text[scalar.text.index(after: index)...])
                entry.value.content = .scalar(Element.Scalar(text: value, isPlain: false))
            }
            entries.removeAll { $0.key == entry.key }
            entries.append(entry)
        }
        return Element(content: .map(entries), place: element.place)
    }
}
