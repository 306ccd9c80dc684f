extension Field {
    private func scalar() throws(ComposeError) -> Element.Scalar {
        switch element.content {
        case .scalar(let scalar): return scalar
        case .null: throw error("is empty")
        case .list, .map: throw error("must be a single value, not \(element.kind)")
        }
    }

    func text() throws(ComposeError) -> String { try scalar().text }

    func nonEmptyText() throws(ComposeError) -> String {
        let text = try text()
        guard !text.isEmpty else { throw error("is empty") }
        return text
    }

    func bool() throws(ComposeError) -> Bool {
        let text = try text()
        guard let value = Scalars.bool(text) else { throw error("must be true or false, not \"\(text)\"") }
        return value
    }

    func integer<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self, in range: ClosedRange<Number> = Number.min...Number.max
    ) throws(ComposeError) -> Number {
        let text = try text()
        guard let value = Scalars.integer(text).flatMap(Number.init(exactly:)), range.contains(value) else {
            let bounds =
                range.upperBound == Number.max && Number.bitWidth > 16
                ? (range.lowerBound == Number.min && Number.isSigned ? "" : " from \(range.lowerBound) on")
                : " from \(range.lowerBound) to \(range.upperBound)"
            throw error("must be a whole number\(bounds), not \"\(text)\"")
        }
        return value
    }

    func number(in range: ClosedRange<Double>) throws(ComposeError) -> Double {
        let text = try text()
        guard let value = Double(text), range.contains(value) else {
            throw error("must be a number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\"")
        }
        return value
    }

    func duration() throws(ComposeError) -> Duration {
        let text = try text()
        guard let value = Scalars.duration(text) else {
            throw error("must be a duration such as 1m30s, not \"\(text)\"")
        }
        return value
    }

    func bytes() throws(ComposeError) -> Int64 {
        let text = try text()
        guard let value = Scalars.bytes(text) else { throw error("must be a size such as 50M, not \"\(text)\"") }
        return value
    }

    func nanoCPUs() throws(ComposeError) -> Int64 {
        let text = try text()
        guard let value = Scalars.nanoCPUs(text) else {
            throw error("must be a number of processors such as 0.5, not \"\(text)\"")
        }
        return value
    }

    func fileMode() throws(ComposeError) -> UInt32 {
        let scalar = try scalar()
        guard let value = Scalars.fileMode(scalar) else {
            throw error("must be an octal file mode such as 0440, not \"\(scalar.text)\"")
        }
        return value
    }

    /// One of a choice of words.
    func choice<Value>(_ choices: KeyValuePairs<String, Value>) throws(ComposeError) -> Value {
        let text = try text()
        guard let choice = choices.first(where: { $0.key == text }) else {
            throw error("must be one of \(choices.map(\.key).joined(separator: ", ")), not \"\(text)\"")
        }
        return choice.value
    }

    /// A single text or a list of texts.
    func texts() throws(ComposeError) -> [String] {
        var texts: [String] = []
        for item in try itemsOrSelf() { texts.append(try item.text()) }
        return texts
    }

    /// A command: a list of words, or a line that is split as a shell does.
    func command() throws(ComposeError) -> [String] {
        guard case .scalar(let scalar) = element.content else { return try texts() }
        guard let words = Scalars.shellWords(scalar.text) else {
            throw error("has a quote that is not closed: \(scalar.text)")
        }
        return words
    }

    /// A map, or a list of `KEY=VALUE`; a later one of the same key wins.
    ///
    /// - Returns: in the order of the file; a nil value where only the key is written.
    func pairs(separators: [Character] = ["="]) throws(ComposeError) -> [(field: Field, key: String, value: String?)] {
        var pairs: [(field: Field, key: String, value: String?)] = []
        if case .map = element.content {
            for member in try members() {
                pairs.append((member, member.key, member.element.isNull ? nil : try member.text()))
            }
            return pairs
        }
        for item in try items() {
            let text = try item.text()
            guard let index = text.firstIndex(where: { separators.contains($0) }) else {
                pairs.append((item, text, nil))
                continue
            }
            pairs.append((item, String(text[..<index]), String(text[text.index(after: index)...])))
        }
        return pairs
    }

    /// ``pairs(separators:)`` as labels: a missing value is an empty one.
    func labels() throws(ComposeError) -> [String: String] {
        var labels: [String: String] = [:]
        for pair in try pairs() {
            guard !pair.key.isEmpty else { throw pair.field.error("has no name before its value") }
            labels[pair.key] = pair.value ?? ""
        }
        return labels
    }
}
