import Testing

@testable import Compose

@Suite struct ScalarTests {
    @Test(arguments: [
        ("0", Duration.zero), ("10s", .seconds(10)), ("1m30s", .seconds(90)), ("1.5h", .seconds(5400)),
        ("100ms", .milliseconds(100)), ("2us", .microseconds(2)), ("1h0m1s", .seconds(3601)),
        (".5s", .milliseconds(500)),
    ])
    func durationsAreRead(text: String, expected: Duration) {
        #expect(Scalars.duration(text) == expected)
    }

    @Test(arguments: ["", "10", "s", "1x", "-1s", "1.2.3s", "9999999999h", "."])
    func otherTextsAreNoDurations(text: String) {
        #expect(Scalars.duration(text) == nil)
    }

    @Test(arguments: [
        ("0", Int64(0)), ("4096", 4096), ("10b", 10), ("1k", 1024), ("50M", 50 << 20), ("50mb", 50 << 20),
        ("1.5g", 3 << 29), ("64MiB", 64 << 20), ("2t", 2 << 40), ("1 G", 1 << 30),
    ])
    func sizesAreRead(text: String, expected: Int64) {
        #expect(Scalars.bytes(text) == expected)
    }

    @Test(arguments: ["", "M", "1x", "-1", "99999999999P", "1.M.2"])
    func otherTextsAreNoSizes(text: String) {
        #expect(Scalars.bytes(text) == nil)
    }

    @Test(arguments: [("0.5", Int64(500_000_000)), ("2", 2_000_000_000), ("0.0001", 100_000), ("1.1", 1_100_000_000)])
    func processorsAreExact(text: String, expected: Int64) {
        #expect(Scalars.nanoCPUs(text) == expected)
        #expect(Scalars.nanoCPUs("0.0000000001") == nil)
    }

    @Test(arguments: [
        ("0440", true, UInt32(0o440)), ("0o600", true, 0o600), ("440", false, 0o440), ("288", true, 0o440),
        ("0400", false, 0o400),
    ])
    func fileModesAreRead(text: String, isPlain: Bool, expected: UInt32) {
        #expect(Scalars.fileMode(Element.Scalar(text: text, isPlain: isPlain)) == expected)
    }

    @Test(arguments: [
        ("a b  c", ["a", "b", "c"]), ("a 'b c'", ["a", "b c"]), (#"a "b 'c'" d"#, ["a", "b 'c'", "d"]),
        (#"a\ b c\\d"#, ["a b", #"c\d"#]), (#""a\"b" '' ''x"#, [#"a"b"#, "", "x"]), ("", []), ("  ", []),
        (#"sh -c "echo $A\n""#, ["sh", "-c", #"echo $A\n"#]),
    ])
    func commandLinesAreSplit(text: String, expected: [String]) {
        #expect(Scalars.shellWords(text) == expected)
    }

    @Test func openQuotesAreRefused() {
        #expect(Scalars.shellWords("a 'b") == nil)
        #expect(Scalars.shellWords("a \\") == nil)
    }

    /// FIPS 180-4's examples, and a message that ends at the length's place.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func theHashIsTheStandards(message: String, expected: String) {
        let digits = SHA256.hash(Array(message.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        #expect(digits.joined() == expected)
        #expect(ContentVersion.of(Array(message.utf8)) == expected.prefix(8))
    }
}
