/// Reads a template's text into nodes.
struct TemplateParser {
    private enum Ending { case end, otherwise, input }
    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    mutating func parseAll() throws -> [Template.Node] {
        let (nodes, ending) = try parseNodes()
        guard ending == .input else { throw CommandFailure("template: {{end}} or {{else}} without a beginning") }
        return nodes
    }

    /// `\t` and `\n` as shells leave them.
    static func unescape(_ text: String) -> String {
        text.replacing("\\t", with: "\t").replacing("\\n", with: "\n")
    }

    private mutating func parseNodes() throws -> ([Template.Node], Ending) {
        var nodes: [Template.Node] = []
        while let range = rest.firstRange(of: "{{") {
            if range.lowerBound > rest.startIndex { nodes.append(.literal(String(rest[..<range.lowerBound]))) }
            rest = rest[range.upperBound...]
            guard let close = rest.firstRange(of: "}}") else { throw CommandFailure("template: {{ without }}") }
            var tokens = try TemplateParser.tokens(rest[..<close.lowerBound])[...]
            rest = rest[close.upperBound...]
            switch tokens.first {
            case .word("end"): return (nodes, .end)
            case .word("else"): return (nodes, .otherwise)
            case .word("range"), .word("if"):
                let isRange = tokens.popFirst() == .word("range")
                let expression = try TemplateParser.expression(tokens)
                let (body, otherwise) = try parseBlock()
                nodes.append(
                    isRange
                        ? .each(expression, body, otherwise: otherwise)
                        : .condition(expression, body, otherwise: otherwise))
            default: nodes.append(.value(try TemplateParser.expression(tokens)))
            }
        }
        if !rest.isEmpty { nodes.append(.literal(String(rest))) }
        rest = ""
        return (nodes, .input)
    }

    private mutating func parseBlock() throws -> ([Template.Node], [Template.Node]) {
        let (body, ending) = try parseNodes()
        guard ending == .otherwise else {
            if ending == .input { throw CommandFailure("template: {{end}} is missing") }
            return (body, [])
        }
        let (otherwise, last) = try parseNodes()
        guard last == .end else { throw CommandFailure("template: {{end}} is missing") }
        return (body, otherwise)
    }

    enum Token: Hashable {
        case word(String)
        case text(String)
        case pipe
    }

    private static func tokens(_ text: Substring) throws -> [Token] {
        var tokens: [Token] = []
        var rest = text
        while let character = rest.first {
            if character == " " || character == "\t" || character == "\n" {
                rest.removeFirst()
            } else if character == "|" {
                rest.removeFirst()
                tokens.append(.pipe)
            } else if character == "\"" || character == "`" {
                rest.removeFirst()
                guard let close = rest.firstIndex(of: character) else {
                    throw CommandFailure("template: a text has no end: \(rest)")
                }
                tokens.append(.text(String(rest[..<close])))
                rest = rest[rest.index(after: close)...]
            } else {
                let word = rest.prefix { !" \t\n|\"`".contains($0) }
                tokens.append(.word(String(word)))
                rest = rest[word.endIndex...]
            }
        }
        return tokens
    }

    /// `F A B | G C` is `G(C, F(A, B))`, but our functions take the piped value first, as `json` does.
    private static func expression(_ tokens: ArraySlice<Token>) throws -> Template.Expression {
        var result: Template.Expression?
        for stage in tokens.split(separator: .pipe) {
            guard case .word(let head) = stage.first else {
                guard case .text(let text) = stage.first else { break }
                result = .text(text)
                continue
            }
            if head.hasPrefix(".") {
                result = .path(head.split(separator: ".").map(String.init))
            } else {
                let arguments = try stage.dropFirst().map(argument)
                result = .call(head, (result.map { [$0] } ?? []) + arguments)
            }
        }
        guard let result else { throw CommandFailure("template: {{}} is empty") }
        return result
    }

    private static func argument(_ token: Token) throws -> Template.Expression {
        switch token {
        case .text(let text): return .text(text)
        case .word(let word) where word.hasPrefix("."): return .path(word.split(separator: ".").map(String.init))
        case .word(let word):
            guard let number = Int64(word) else { throw CommandFailure("template: \"\(word)\" is not understood") }
            return .number(number)
        case .pipe: return .text("")
        }
    }
}
