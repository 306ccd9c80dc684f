import DockerSchema

/// The part of Go's templates that scripts use: fields, `json`, `upper`, `lower`, `len`, `join`, `index`, `println`,
/// `range`, `if`, `else`.
struct Template: Sendable {
    indirect enum Node: Hashable, Sendable {
        case literal(String)
        case value(Expression)
        case each(Expression, [Node], otherwise: [Node])
        case condition(Expression, [Node], otherwise: [Node])
    }

    indirect enum Expression: Hashable, Sendable {
        case path([String])
        case text(String)
        case number(Int64)
        case call(String, [Expression])
    }

    let nodes: [Node]

    /// - Throws: ``CommandFailure`` naming what cannot be read.
    init(_ text: String) throws {
        var parser = TemplateParser(TemplateParser.unescape(text))
        nodes = try parser.parseAll()
    }

    /// - Parameter strict: whether a field that the value does not have is an error, or prints as `<no value>`.
    func render(_ value: JSONValue, strict: Bool = false) throws -> String {
        try Template.render(nodes, value, strict)
    }

    /// The fields that are printed, in order; the headings of a table.
    var fields: [String] {
        func fields(_ expression: Expression) -> [String] {
            switch expression {
            case .path(let path): path.last.map { [$0] } ?? []
            case .call(_, let arguments): arguments.flatMap(fields)
            case .text, .number: []
            }
        }
        return nodes.flatMap { node in
            if case .value(let expression) = node { return fields(expression) }
            return []
        }
    }

    /// The template with every expression replaced: a table's heading.
    func heading(_ title: (String) -> String) -> String {
        nodes.map { node in
            switch node {
            case .literal(let text): text
            case .value(let expression):
                Template(nodes: [.value(expression)]).fields.map(title).joined(separator: " ")
            case .each, .condition: ""
            }
        }.joined()
    }

    private init(nodes: [Node]) { self.nodes = nodes }

    private static func render(_ nodes: [Node], _ value: JSONValue, _ strict: Bool) throws -> String {
        try nodes.map { node in
            switch node {
            case .literal(let text): text
            case .value(let expression): text(of: try evaluate(expression, value, strict))
            case .condition(let expression, let then, let otherwise):
                try render(evaluate(expression, value, strict).isEmpty ? otherwise : then, value, strict)
            case .each(let expression, let body, let otherwise):
                try each(try evaluate(expression, value, strict), body, otherwise, value, strict)
            }
        }.joined()
    }

    private static func each(
        _ list: JSONValue, _ body: [Node], _ otherwise: [Node], _ value: JSONValue, _ strict: Bool
    ) throws -> String {
        let items: [JSONValue] =
            switch list {
            case .array(let items): items
            case .object(let members): members.sorted { $0.key < $1.key }.map(\.value)
            default: []
            }
        if items.isEmpty { return try render(otherwise, value, strict) }
        return try items.map { try render(body, $0, strict) }.joined()
    }

    private static func evaluate(_ expression: Expression, _ value: JSONValue, _ strict: Bool) throws -> JSONValue {
        switch expression {
        case .text(let text): return .string(text)
        case .number(let number): return .integer(number)
        case .path(let path):
            var current = value
            for name in path {
                guard let next = current[name] else {
                    if strict { throw CommandFailure("template: there is no field .\(name)") }
                    return .null
                }
                current = next
            }
            return current
        case .call(let name, let arguments):
            return try call(name, try arguments.map { try evaluate($0, value, strict) })
        }
    }

    private static func call(_ name: String, _ arguments: [JSONValue]) throws -> JSONValue {
        guard let first = arguments.first else { throw CommandFailure("template: \(name) needs a value") }
        switch name {
        case "json": return .string(try DockerJSON.text(first))
        case "upper": return .string(text(of: first).uppercased())
        case "lower": return .string(text(of: first).lowercased())
        case "println": return .string(text(of: first) + "\n")
        case "print": return first
        case "len":
            switch first {
            case .array(let items): return .integer(Int64(items.count))
            case .object(let members): return .integer(Int64(members.count))
            default: return .integer(Int64(text(of: first).utf8.count))
            }
        case "join":
            guard case .array(let items) = first else { return first }
            let separator = arguments.count > 1 ? text(of: arguments[1]) : ""
            return .string(items.map(text).joined(separator: separator))
        case "index":
            return arguments.dropFirst().reduce(first) { value, key in
                switch (value, key) {
                case (.array(let items), .integer(let index)) where items.indices.contains(Int(index)):
                    items[Int(index)]
                default: value[text(of: key)] ?? .null
                }
            }
        default: throw CommandFailure("template: function \"\(name)\" is not known")
        }
    }

    /// As Go prints a value.
    static func text(of value: JSONValue) -> String {
        switch value {
        case .null: "<no value>"
        case .bool(let value): String(value)
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .string(let value): value
        case .array(let items): "[" + items.map(text).joined(separator: " ") + "]"
        case .object(let members):
            "map["
                + members.sorted { $0.key < $1.key }.map { "\($0.key):\(text(of: $0.value))" }
                .joined(separator: " ") + "]"
        }
    }
}
