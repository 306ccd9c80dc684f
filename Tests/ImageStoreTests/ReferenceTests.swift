import Primitives
import Testing

@testable import ImageStore

private let zeros = String(repeating: "0", count: 64)

@Suite struct ReferenceTests {
    @Test(arguments: [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("library/busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("grafana/grafana", "docker.io/grafana/grafana:latest", "grafana/grafana:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("localhost/web", "localhost/web:latest", "localhost/web:latest"),
        ("host:5000/a/b:tag", "host:5000/a/b:tag", "host:5000/a/b:tag"),
        ("ghcr.io/a__b/c-d--e", "ghcr.io/a__b/c-d--e:latest", "ghcr.io/a__b/c-d--e:latest"),
        ("[::1]:5000/web:1", "[::1]:5000/web:1", "[::1]:5000/web:1"),
        ("web@sha256:\(zeros)", "docker.io/library/web@sha256:\(zeros)", "web@sha256:\(zeros)"),
        ("h.x/web:1@sha256:\(zeros)", "h.x/web:1@sha256:\(zeros)", "h.x/web:1@sha256:\(zeros)"),
    ])
    func normalFormIsDockers(text: String, normal: String, familiar: String) throws {
        let reference = try ImageReference(parsing: text)
        #expect(reference.description == normal)
        #expect(reference.familiar == familiar)
        #expect(try ImageReference(parsing: normal) == reference)
    }

    @Test(arguments: [
        "", ":tag", "Busybox", "a//b", "a/", "/a", "a b", "a:b:c/d", "web:", "web:-x", "web:a/b", "web@sha256:00",
        "web@md5:00",
        "host:99999/a", "-host.x/a", "a..b", "a_.b", "a___b", ".a", "a-", "h.x/", "web@", zeros,
        "h.x/" + String(repeating: "a", count: 256), "web:" + String(repeating: "a", count: 129), "../etc", "h.x/../a",
    ])
    func whatDockerRefusesIsRefused(text: String) {
        #expect(throws: Failure.self) { try ImageReference(parsing: text) }
    }

    @Test func aPinnedReferenceIsKnownByItsDigest() throws {
        let digest = ContentDigest(hashing: [])
        let reference = try ImageReference(parsing: "web:1").pinned(to: digest)
        #expect(reference.description == "docker.io/library/web:1@\(digest)")
        #expect(reference.key.description == "docker.io/library/web@\(digest)")
    }

    @Test func digestsAreTyped() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        #expect(ContentDigest(hashing: []).description == empty)
        #expect(ContentDigest(empty)?.short == "e3b0c44298fc")
        #expect(ContentDigest(empty.uppercased()) == nil)
        #expect(ContentDigest("sha512:" + zeros) == nil)
        #expect(ContentDigest("sha256:../" + zeros.dropFirst(3)) == nil)
    }
}
