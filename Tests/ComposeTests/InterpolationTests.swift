import Testing

@testable import Compose

@Suite struct InterpolationTests {
    private static let variables = ["SET": "yes", "EMPTY": "", "OTHER": "o"]

    /// The table of https://docs.docker.com/reference/compose-file/interpolation/.
    @Test(arguments: [
        ("plain", "plain"), ("$SET", "yes"), ("${SET}", "yes"), ("a${SET}b", "ayesb"), ("$SET.x", "yes.x"),
        ("${SET:-d}", "yes"), ("${EMPTY:-d}", "d"), ("${NONE:-d}", "d"),
        ("${SET-d}", "yes"), ("${EMPTY-d}", ""), ("${NONE-d}", "d"),
        ("${SET:?e}", "yes"), ("${SET?e}", "yes"), ("${EMPTY?e}", ""),
        ("${SET:+x}", "x"), ("${EMPTY:+x}", ""), ("${NONE:+x}", ""),
        ("${SET+x}", "x"), ("${EMPTY+x}", "x"), ("${NONE+x}", ""),
        ("$$", "$"), ("$$SET", "$SET"), ("$${SET}", "${SET}"), ("$$$SET", "$yes"),
        ("${NONE:-${OTHER}}", "o"), ("${NONE:-a${OTHER:-b}c}", "aoc"), ("${NONE:-}", ""), ("${NONE:-a:b}", "a:b"),
        ("$EMPTY", ""), ("é$SET", "éyes"),
    ])
    func variablesAreReplaced(text: String, expected: String) throws {
        #expect(try Interpolation(variables: Self.variables).apply(to: text).text == expected)
    }

    @Test(arguments: [
        ("$", "has a $ that begins no variable; write $$ for a dollar sign"),
        ("a$ b", "has a $ that begins no variable; write $$ for a dollar sign"),
        ("$1", "has a $ that begins no variable; write $$ for a dollar sign"),
        ("${SET", "has ${SET… with neither } nor one of :- - :? ? :+ + after the name; write $$ for a dollar sign"),
        ("${SET:}", "has ${SET… with neither } nor one of :- - :? ? :+ + after the name; write $$ for a dollar sign"),
        ("${}", "has a ${ without a variable's name; write $$ for a dollar sign"),
        ("${NONE:-a", "has a ${ without its }"),
        ("${NONE:?give it}", "needs the variable NONE: give it"),
        ("${EMPTY:?}", "needs the variable EMPTY: it is not set or empty"),
        ("${NONE?}", "needs the variable NONE: it is not set"),
    ])
    func faultsAreNamed(text: String, message: String) {
        #expect(throws: Interpolation.Problem(message: message)) {
            try Interpolation(variables: Self.variables).apply(to: text)
        }
    }

    @Test func variablesWithoutValueAreTold() throws {
        let outcome = try Interpolation(variables: [:]).apply(to: "$A-${B}-${C:-c}")
        #expect(outcome == Interpolation.Outcome(text: "--c", unset: ["A", "B"]))
    }

    @Test func nestingIsBounded() {
        let text = String(repeating: "${A:-", count: 100) + String(repeating: "}", count: 100)
        #expect(throws: Interpolation.Problem.self) { try Interpolation(variables: [:]).apply(to: text) }
    }

    @Test func dotEnvironmentFilesAreRead() throws {
        let text = """
            # comment
            A=1
            export B = two # comment
            C='$A # stays'
            D="x\\n$A\\"${B}"
            E=$A$B
            F=
            G
            H="over
            lines"
            """
        let found = try DotEnvironment.parse(text, file: ".env", environment: ["A": "shell"])
        #expect(
            found == [
                "A": "1", "B": "two", "C": "$A # stays", "D": "x\nshell\"two", "E": "shelltwo", "F": "",
                "H": "over\nlines",
            ])
    }

    @Test(arguments: [
        ("A=1\nB C=2", ".env:2:1: \"B C\" is not a variable's name; write KEY=VALUE"),
        ("A=\"x", ".env:1:3: the quote is not closed"),
        ("A='x' y", ".env:1:3: \"y\" after the closing quote"),
        (
            "A=${B",
            ".env:1:3: the value has ${B… with neither } nor one of :- - :? ? :+ + after the name; "
                + "write $$ for a dollar sign"
        ),
    ])
    func faultsOfDotEnvironmentFilesAreNamed(text: String, message: String) {
        do throws(ComposeError) {
            _ = try DotEnvironment.parse(text, file: ".env", environment: [:])
            Issue.record("no error")
        } catch {
            #expect(error.description == message)
        }
    }

    @Test func theCallersVariablesWinOverFiles() throws {
        var loader = loader(environment: ["A": "own"])
        try loader.addEnvironment(dotEnv: [
            ComposeFile(name: ".env", bytes: Array("A=file\nB=1\nC=1".utf8)),
            ComposeFile(name: "b.env", bytes: Array("B=2\nD=$C".utf8)),
        ])
        #expect(loader.environment == ["A": "own", "B": "2", "C": "1", "D": "1"])
    }
}
