import ArgumentParser
import DockerSchema
import Primitives
import Testing

@testable import SwarmCommands

@Suite struct ValueTests {
    @Test func durationsAreGos() throws {
        #expect(try FlagValue.duration("1h30m") == 5_400_000_000_000)
        #expect(try FlagValue.duration("1.5s") == 1_500_000_000)
        #expect(try FlagValue.duration("300ms") == 300_000_000)
        #expect(try FlagValue.duration("0") == 0)
        for wrong in ["", "5", "s", "1x"] { #expect(throws: CommandFailure.self) { try FlagValue.duration(wrong) } }
    }

    @Test func sizesArePowersOf1024() throws {
        #expect(try FlagValue.bytes("64M") == 64 << 20)
        #expect(try FlagValue.bytes("1.5g") == 3 << 29)
        #expect(try FlagValue.bytes("512") == 512)
        #expect(try FlagValue.bytes("2KiB") == 2048)
        #expect(throws: CommandFailure.self) { try FlagValue.bytes("64X") }
    }

    @Test func portsAreReadInBothNotations() throws {
        let short = try PortFlag.parse("8080:80/udp")
        #expect(short.map(\.PublishedPort) == [8080] && short.map(\.portProtocol) == ["udp"])
        let long = try PortFlag.parse("published=8080,target=80,mode=host")
        #expect(long.first?.PublishMode == "host" && long.first?.TargetPort == 80)
        #expect(try PortFlag.parse("80").first?.PublishedPort == nil)
        #expect(try PortFlag.parse("8000-8002:80-82").map(\.TargetPort) == [80, 81, 82])
        let bound = try PortFlag.parse("127.0.0.1:8080:80")
        #expect(bound.first?.HostIP == "127.0.0.1" && bound.first?.PublishMode == "host")
        for wrong in ["", "x", "1-2:3", "70000:80", "target=80,colour=red", "published=80"] {
            #expect(throws: CommandFailure.self) { try PortFlag.parse(wrong) }
        }
    }

    @Test func anImagesNameIsSplitAtItsTag() {
        #expect(ImageList.split("reg:5000/web").tag == "<none>")
        #expect(ImageList.split("reg:5000/web:2").repository == "reg:5000/web")
        #expect(ImageList.split("reg:5000/web:2").tag == "2")
        #expect(ServiceCreate.name(from: "reg:5000/team/web:1@sha256:ab") == "web")
    }

    @Test func timesReadLikeDockers() {
        #expect(Humanize.duration(.seconds(5)) == "5 seconds")
        #expect(Humanize.duration(.seconds(90)) == "About a minute")
        #expect(Humanize.duration(.seconds(600)) == "10 minutes")
        #expect(Humanize.duration(.seconds(3600 * 30)) == "30 hours")
        #expect(Humanize.duration(.seconds(86_400 * 20)) == "2 weeks")
        #expect(Humanize.size(999) == "999B")
        #expect(Humanize.size(12_345_678) == "12.3MB")
        #expect(Humanize.memory(4 << 30) == "4GiB")
        #expect(Humanize.seconds(.milliseconds(3240)) == "3.2 s")
    }

    @Test func aTableIsCutToTheTerminal() {
        let table = Table(rows: [["ID", "ERROR"], ["abc", String(repeating: "x", count: 50)]])
        #expect(table.lines(width: 30).allSatisfy { $0.count <= 30 })
        #expect(table.lines(width: 30).last?.hasSuffix("…") == true)
        #expect(table.lines(width: nil).last?.count == 56)
    }

    @Test func listChangesKeepOrderAndReplaceInPlace() {
        let key = { (text: String) in String(text.prefix { $0 != "=" }) }
        let list = ListChange.keyed(["A=1", "B=2", "C=3"], adding: ["B=9", "D=4"], removing: ["A"], key: key)
        #expect(list == ["B=9", "C=3", "D=4"])
        let untouched = ListChange.keyed(nil, adding: [String](), removing: [], key: key)
        #expect(untouched == nil)
    }

    @Test func logFramesAreJoinedAcrossPieces() {
        var frames = LogFrames(isRaw: false)
        let bytes: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 2, 65, 10, 2, 0, 0, 0, 0, 0, 0, 1, 66]
        var found: [LogFrames.Frame] = []
        for byte in bytes { found += frames.add([byte]) }
        #expect(found == [.init(stream: 1, bytes: [65, 10]), .init(stream: 2, bytes: [66])])
    }
}

@Suite struct TemplateTests {
    private let value = JSONValue.object([
        "Name": .string("web"), "Count": .integer(3), "Tags": .array([.string("a"), .string("b")]),
        "Spec": .object(["Labels": .object(["zone": .string("eu")])]), "Empty": .array([]),
    ])

    @Test(arguments: [
        ("{{.Name}}", "web"), ("{{ .Name | upper }}!", "WEB!"), ("{{.Spec.Labels.zone}}", "eu"),
        ("{{json .Tags}}", #"["a","b"]"#), ("{{.Tags}}", "[a b]"), ("{{.Name}}\\t{{.Count}}", "web\t3"),
        ("{{range .Tags}}<{{.}}>{{end}}", "<a><b>"), ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ("{{if .Name}}yes{{else}}no{{end}}", "yes"), ("{{join .Tags \",\"}}", "a,b"),
        ("{{index .Tags 1}}", "b"), ("{{len .Tags}}", "2"), ("{{.Missing}}", "<no value>"),
        ("{{.Spec}}", "map[Labels:map[zone:eu]]"),
    ])
    func aTemplateIsRendered(template: String, expected: String) throws {
        #expect(try Template(template).render(value) == expected)
    }

    @Test(arguments: ["{{.Name", "{{}}", "{{end}}", "{{range .Tags}}", "{{json \"x}}"])
    func aBrokenTemplateIsRefused(template: String) {
        #expect(throws: CommandFailure.self) { try Template(template) }
    }

    @Test func aTableTemplateHasHeadings() throws {
        let listing = Listing(columns: [("IMAGE ID", "ID")], rows: [["ID": "1", "Size": "2"]])
        let options = try OutputOptions.parse(["--format", "table {{.ID}}\\t{{.Size}}"])
        #expect(try listing.lines(options, width: nil) == ["IMAGE ID   SIZE", "1          2"])
    }
}
