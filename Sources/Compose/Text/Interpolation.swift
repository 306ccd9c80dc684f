/// Replaces variables in a text, as Docker does: `$V`, `${V}`, `${V:-d}`, `${V-d}`, `${V:?e}`, `${V?e}`, `${V:+x}`,
/// `${V+x}`, and `$$` for a dollar sign. Words after an operator may hold variables again.
struct Interpolation {
    let variables: [String: String]

    struct Outcome: Hashable {
        var text = ""
        /// Variables without a value and without a default, in order.
        var unset: [String] = []
    }

    /// What is wrong with the text.
    struct Problem: Error, Hashable {
        var message: String
    }

    func apply(to text: String) throws(Problem) -> Outcome {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return Outcome(text: text) }
        var scanner = Scanner(rest: text.unicodeScalars[...])
        return try expand(&scanner, inBraces: false, depth: 0)
    }

    private struct Scanner {
        var rest: Substring.UnicodeScalarView

        mutating func next() -> Unicode.Scalar? { rest.popFirst() }

        mutating func name() -> String {
            var name = String.UnicodeScalarView()
            while let scalar = rest.first, Interpolation.isNamePart(scalar, first: name.isEmpty) {
                name.append(scalar)
                rest.removeFirst()
            }
            return String(name)
        }
    }

    private static func isNamePart(_ scalar: Unicode.Scalar, first: Bool) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "_": true
        case "0"..."9": !first
        default: false
        }
    }

    /// Reads to the end of the text, or to the brace that closes a variable.
    private func expand(_ scanner: inout Scanner, inBraces: Bool, depth: Int) throws(Problem) -> Outcome {
        guard depth <= ComposeLimits.nestedVariables else {
            throw Problem(message: "has more than \(ComposeLimits.nestedVariables) variables inside each other")
        }
        var outcome = Outcome()
        var text = String.UnicodeScalarView()
        while let scalar = scanner.next() {
            if scalar == "}", inBraces {
                outcome.text = String(text)
                return outcome
            }
            guard scalar == "$" else {
                text.append(scalar)
                continue
            }
            let part = try variable(&scanner, depth: depth)
            text.append(contentsOf: part.text.unicodeScalars)
            outcome.unset += part.unset
        }
        guard !inBraces else { throw Problem(message: "has a ${ without its }") }
        outcome.text = String(text)
        return outcome
    }

    /// What follows a dollar sign.
    private func variable(_ scanner: inout Scanner, depth: Int) throws(Problem) -> Outcome {
        switch scanner.rest.first {
        case "$":
            scanner.rest.removeFirst()
            return Outcome(text: "$")
        case "{":
            scanner.rest.removeFirst()
            return try braced(&scanner, depth: depth)
        default:
            let name = scanner.name()
            guard !name.isEmpty else {
                throw Problem(message: "has a $ that begins no variable; write $$ for a dollar sign")
            }
            return value(of: name)
        }
    }

    private func value(of name: String) -> Outcome {
        guard let value = variables[name] else { return Outcome(unset: [name]) }
        return Outcome(text: value)
    }

    private func braced(_ scanner: inout Scanner, depth: Int) throws(Problem) -> Outcome {
        let name = scanner.name()
        guard !name.isEmpty else {
            throw Problem(message: "has a ${ without a variable's name; write $$ for a dollar sign")
        }
        var countsEmpty = false
        var sign = scanner.next()
        if sign == ":" {
            countsEmpty = true
            sign = scanner.next()
        }
        if sign == "}", !countsEmpty { return value(of: name) }
        guard let sign, "-?+".unicodeScalars.contains(sign) else {
            throw Problem(
                message: "has ${\(name)… with neither } nor one of :- - :? ? :+ + after the name; "
                    + "write $$ for a dollar sign")
        }
        let word = try expand(&scanner, inBraces: true, depth: depth + 1)
        let value = variables[name].flatMap { countsEmpty && $0.isEmpty ? nil : $0 }
        switch (sign, value) {
        case ("-", let value?): return Outcome(text: value)
        case ("-", nil): return word
        case ("+", .some): return word
        case ("+", nil): return Outcome()
        case (_, let value?): return Outcome(text: value)
        case (_, nil):
            let reason = word.text.isEmpty ? "it is not set" + (countsEmpty ? " or empty" : "") : word.text
            throw Problem(message: "needs the variable \(name): \(reason)")
        }
    }
}
