import CArchive
import Glibc
import Primitives
import Testing

@testable import ImageStore

/// Layers as a hostile or merely strange image would have them. Root: owners and devices are kept.
@Suite(.enabled(if: isRoot, "unpacking keeps owners and devices: needs root"))
struct UnpackTests {
    let folder: TemporaryFolder
    let layers: LayerStore

    init() throws {
        folder = try TemporaryFolder()
        layers = try LayerStore(folder: folder.path)
    }

    /// Unpacks and returns the layer's folder.
    private func unpack(_ bytes: [UInt8], expecting: ContentDigest? = nil) throws -> String {
        let path = try folder.write(bytes, to: "layer")
        let result = try layers.unpack(OpenFile(path, O_RDONLY), expecting: expecting)
        return layers.diffPath(result.diffID)
    }

    private func unpack(_ build: (inout TarWriter) -> Void) throws -> String {
        var tar = TarWriter()
        build(&tar)
        return try unpack(tar.finished())
    }

    private func refusal(_ build: (inout TarWriter) -> Void) -> String? {
        do {
            _ = try unpack(build)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func ownersModesTimesAndLinksAreKept() throws {
        let root = try unpack { tar in
            tar.folder("./", mode: 0o711, uid: 5)
            tar.folder("bin/", mode: 0o1777, uid: 7, gid: 8)
            tar.file("bin/su", "su", mode: 0o4755, uid: 0, gid: 9)
            tar.hardLink("bin/su2", to: "bin/su")
            tar.symbolicLink("bin/sh", to: "/etc/passwd")
            tar.device("dev/null", major: 1, minor: 3)
            tar.member("run/pipe", type: "6", mode: 0o600)
            tar.file("été/ü", "x", pax: [("path", "été/ü"), ("SCHILY.xattr.user.k", "v"), ("mtime", "1000000000.5")])
        }
        let bin = try #require(status(root + "/bin"))
        #expect((bin.st_mode, bin.st_uid, bin.st_gid) == (S_IFDIR | 0o1777, 7, 8))
        #expect(bin.st_mtim.tv_sec == 1_700_000_000)
        #expect(try #require(status(root)).st_uid == 5)
        #expect(try #require(status(root)).st_mode & 0o7777 == 0o711)
        let program = try #require(status(root + "/bin/su"))
        #expect((program.st_mode, program.st_gid, program.st_nlink) == (S_IFREG | 0o4755, 9, 2))
        #expect(program.st_ino == status(root + "/bin/su2")?.st_ino)
        #expect(try #require(status(root + "/bin/sh")).st_mode & S_IFMT == S_IFLNK)
        let null = try #require(status(root + "/dev/null"))
        #expect((null.st_mode, null.st_rdev) == (S_IFCHR | 0o666, 0x103))
        #expect(try #require(status(root + "/run/pipe")).st_mode == S_IFIFO | 0o600)
        #expect(try contents(root + "/été/ü") == "x")
        #expect(xattr(root + "/été/ü", "user.k") == "v")
        #expect(try #require(status(root + "/été/ü")).st_mtim.tv_nsec == 500_000_000)
    }

    @Test func whiteoutsBecomeOverlayfs() throws {
        let root = try unpack { tar in
            tar.folder("etc/")
            tar.file("etc/.wh.passwd")
            tar.folder("opt/")
            tar.file("opt/.wh..wh..opq")
            tar.file("opt/new", "n")
            tar.file(".wh..wh.plnk")
            tar.file(".wh.var")
            tar.file("var/fresh", "f")
            tar.folder("srv/")
            tar.file("srv/mine", "m")
            tar.file(".wh.srv")
            tar.file(".wh.tmp")
            tar.file("tmp", "a file now")
        }
        let whiteout = try #require(status(root + "/etc/passwd"))
        #expect((whiteout.st_mode & S_IFMT, whiteout.st_rdev) == (S_IFCHR, 0))
        #expect(xattr(root + "/opt", "trusted.overlay.opaque") == "y")
        #expect(try contents(root + "/opt/new") == "n")
        #expect(status(root + "/opt/.wh..wh..opq") == nil && status(root + "/.wh..wh.plnk") == nil)
        // Removed below and made anew in the same layer, in either order.
        #expect(xattr(root + "/var", "trusted.overlay.opaque") == "y")
        #expect(try contents(root + "/var/fresh") == "f")
        #expect(xattr(root + "/srv", "trusted.overlay.opaque") == "y")
        #expect(try contents(root + "/srv/mine") == "m")
        #expect(try contents(root + "/tmp") == "a file now")
        #expect(xattr(root + "/etc", "trusted.overlay.opaque") == nil)
    }

    @Test func nothingIsWrittenOutside() throws {
        let victim = try TemporaryFolder()
        try victim.write(Array("safe".utf8), to: "file")
        let attacks: [(String, (inout TarWriter) -> Void)] = [
            ("..", { $0.file("../escape", "x") }),
            ("..", { $0.file("a/../../escape", "x") }),
            ("..", { $0.hardLink("a", to: "../../../etc/passwd") }),
            (
                "no folder in this layer",
                {
                    $0.symbolicLink("out", to: victim.path)
                    $0.file("out/file", "pwned")
                }
            ),
            (
                "no folder in this layer",
                {
                    $0.symbolicLink("out", to: victim.path)
                    $0.hardLink("stolen", to: "out/file")
                }
            ),
            (
                "no folder in this layer",
                {
                    $0.symbolicLink("out", to: "..")
                    $0.file("out/.wh.layer")
                }
            ),
            ("whiteout of nothing", { $0.file(".wh...") }),
            ("whiteout of nothing", { $0.file("a/.wh..") }),
            ("no folder in this layer", { $0.hardLink("a", to: "etc/passwd") }),
            ("link to", { $0.hardLink("a", to: "/passwd") }),
            (
                "components",
                {
                    $0.file(
                        String(repeating: "a/", count: 300) + "b",
                        pax: [("path", String(repeating: "a/", count: 300) + "b")])
                }
            ),
        ]
        for (expected, attack) in attacks {
            let reason = refusal(attack)
            #expect(reason?.contains(expected) == true, "\(reason ?? "it was accepted")")
        }
        #expect(try contents(victim.path + "/file") == "safe")
        #expect(try Files.names(in: folder.path + "/layers").isEmpty)
        #expect(try Files.names(in: folder.path) == ["layer", "layers"])
    }

    @Test func linksAreReplacedAndNotWrittenThrough() throws {
        let victim = try TemporaryFolder()
        let target = try victim.write(Array("safe".utf8), to: "file")
        let root = try unpack { tar in
            tar.symbolicLink("link", to: target)
            tar.file("link", "mine")
            tar.symbolicLink("folder", to: victim.path)
            tar.folder("folder/", mode: 0o700, uid: 99)
            tar.file("folder/file", "inner")
            tar.symbolicLink("alias", to: target)
            tar.hardLink("alias2", to: "alias")
            tar.file("/absolute", "a")
            tar.folder("later/")
            tar.file("later/x", "x")
            tar.file("later", "file now")
        }
        #expect(try contents(target) == "safe")
        #expect(status(victim.path)?.st_uid == 0)
        #expect(try contents(root + "/link") == "mine")
        #expect(try contents(root + "/folder/file") == "inner")
        #expect(try #require(status(root + "/alias2")).st_mode & S_IFMT == S_IFLNK)
        #expect(try contents(root + "/absolute") == "a")
        #expect(try contents(root + "/later") == "file now")
    }

    @Test func attributesThatSteerOverlayfsAreDropped() throws {
        let root = try unpack { tar in
            tar.file(
                "f", "x",
                pax: [
                    ("SCHILY.xattr.trusted.overlay.redirect", "/etc"), ("SCHILY.xattr.user.overlay.opaque", "y"),
                    ("SCHILY.xattr.user.fine", "1"),
                ])
        }
        #expect(xattr(root + "/f", "trusted.overlay.redirect") == nil)
        #expect(xattr(root + "/f", "user.overlay.opaque") == nil)
        #expect(xattr(root + "/f", "user.fine") == "1")
    }

    @Test(arguments: ["gzip", "zstd", "xz", "bzip2"])
    func compressionIsDetected(program: String) throws {
        var tar = TarWriter()
        tar.file("big", String(repeating: "swarm ", count: 100_000))
        let plain = tar.finished()
        let path = try folder.write(plain, to: "plain.tar")
        let tool = ["/usr/bin/", "/bin/"].map { $0 + program }.first(where: Files.exists)
        guard let tool else { return print("skipped: \(program) is not installed") }
        try run(tool, ["-c", path], output: folder.path + "/packed")
        let result = try layers.unpack(
            OpenFile(folder.path + "/packed", O_RDONLY), expecting: ContentDigest(hashing: plain))
        #expect("\(result.compression)" == program)
        #expect(try #require(status(layers.diffPath(result.diffID) + "/big")).st_size == 600_000)
    }

    @Test func damageIsFoundAndLeavesNothing() throws {
        var tar = TarWriter()
        tar.file("a", String(repeating: "x", count: 5_000))
        let whole = tar.finished()
        #expect(throws: (any Error).self) { _ = try unpack(Array(whole.prefix(3_000))) }
        #expect(throws: (any Error).self) { _ = try unpack(Array("this is no archive, it is a letter".utf8)) }
        let failure = #expect(throws: Failure.self) { _ = try unpack(whole, expecting: ContentDigest(hashing: [])) }
        #expect(failure?.code == .dataLoss)
        #expect(try Files.names(in: folder.path + "/layers").isEmpty)
    }

    @Test func leftoversAreSweptAtOpen() throws {
        let left = folder.path + "/layers/.unpacking-1/diff/deep"
        try Files.makeFolder(left)
        try Files.makeFolder(folder.path + "/ingest/old")
        _ = try LayerStore(folder: folder.path)
        _ = try BlobStore(folder: folder.path)
        #expect(try Files.names(in: folder.path + "/layers").isEmpty)
        #expect(try Files.names(in: folder.path + "/ingest").isEmpty)
    }

    @Test func anEmptyLayerIsALayer() throws {
        #expect(try Files.names(in: try unpack([UInt8](repeating: 0, count: 1_024))).isEmpty)
    }
}
