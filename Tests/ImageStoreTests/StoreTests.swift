import CArchive
import Glibc
import NIOCore
import Primitives
import Testing

@testable import ImageStore

/// Root folders with one file each, for images that differ.
func rootfs(_ content: String) -> [UInt8] {
    var tar = TarWriter()
    tar.folder("bin/")
    tar.file("bin/app", content, mode: 0o755)
    return tar.finished()
}

/// Opens a store for a test and ends it afterwards.
func withStore<Value>(
    in folder: TemporaryFolder, insecure: [String] = [], _ body: (LocalImages) async throws -> Value
) async throws -> Value {
    let retry = RetryPolicy(attempts: 3, firstDelay: .milliseconds(5))
    let store = try await LocalImages.open(
        folder: folder.path + "/store", insecure: InsecureRegistries(insecure), retry: retry)
    do {
        let value = try await body(store)
        try await store.shutdown()
        return value
    } catch {
        try await store.shutdown()
        throw error
    }
}

@Suite(.enabled(if: isRoot, "unpacking keeps owners and devices: needs root"))
struct StoreTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func names(_ path: String) throws -> [String] { try Files.names(in: folder.path + "/store/" + path) }

    @Test func anImportedRootfsIsAnImageThatCanBeMounted() async throws {
        let path = try folder.write(rootfs("one"), to: "rootfs.tar")
        let web = try ImageReference(parsing: "web:1")
        let id = try await withStore(in: folder) { (store) async throws in
            let image = try await store.importRootfs(
                .file(path: path), as: web, changes: ["CMD [\"/bin/app\"]", "ENV A=1", "EXPOSE 80"])
            #expect(image.tags == [web])
            #expect(image.config.command == ["/bin/app"])
            #expect(image.config.diffIDs == [ContentDigest(hashing: rootfs("one"))])
            let lower = try await store.layersForMount(imageID: image.id)
            #expect(lower.count == 1)
            #expect(try contents(lower[0] + "/bin/app") == "one")
            #expect(status(folder.path + "/store/layers/\(image.config.diffIDs[0].hex)")?.st_mode == S_IFDIR | 0o700)
            return image.id
        }
        try await withStore(in: folder) { (store) async throws in
            #expect(try await store.list().map(\.id) == [id])
            #expect(try await store.inspect("web:1").config.environment == ["A=1"])
            #expect(try await store.inspect(id.short).id == id)
            let failure = await #expect(throws: Failure.self) { try await store.inspect("other") }
            #expect(failure?.description == "no such image: other")
        }
    }

    @Test func aStreamIsImportedToo() async throws {
        let (stream, continuation) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        let bytes = rootfs("streamed")
        for start in stride(from: 0, to: bytes.count, by: 700) {
            continuation.yield(ByteBuffer(bytes: bytes[start..<min(start + 700, bytes.count)]))
        }
        continuation.finish()
        try await withStore(in: folder) { (store) async throws in
            let image = try await store.importRootfs(.stream(stream))
            #expect(image.tags.isEmpty)
            #expect(image.config.diffIDs == [ContentDigest(hashing: bytes)])
        }
    }

    @Test func whatCompressionOCILacksIsStoredPlain() async throws {
        let path = try folder.write(rootfs("xz"), to: "rootfs.tar")
        guard Files.exists("/usr/bin/xz") else { return print("skipped: xz is not installed") }
        try run("/usr/bin/xz", ["-c", path], output: folder.path + "/rootfs.tar.xz")
        try await withStore(in: folder) { (store) async throws in
            let image = try await store.importRootfs(.file(path: folder.path + "/rootfs.tar.xz"))
            let diffID = ContentDigest(hashing: rootfs("xz"))
            #expect(image.config.diffIDs == [diffID])
            #expect(store.blobs.contains(diffID))
        }
    }

    @Test func removalKeepsWhatOthersNeed() async throws {
        let first = try folder.write(rootfs("one"), to: "one.tar")
        let second = try folder.write(rootfs("two"), to: "two.tar")
        try await withStore(in: folder) { (store) async throws in
            let one = try await store.importRootfs(.file(path: first), as: ImageReference(parsing: "one"))
            let same = try await store.importRootfs(
                .file(path: first), as: ImageReference(parsing: "same"), changes: ["CMD x"])
            let two = try await store.importRootfs(.file(path: second), as: ImageReference(parsing: "two"))
            try await store.tag("one", as: ImageReference(parsing: "uno"))
            #expect(try names("layers").count == 2)

            let untagged = try await store.remove("uno", inUse: [])
            #expect(untagged.deleted.isEmpty)
            let used = await #expect(throws: Failure.self) { try await store.remove("one", inUse: [one.id]) }
            #expect(used?.code == .conflict)
            #expect(try await store.remove("one", inUse: []).deleted == [one.id])
            // The layer is the other image's too.
            #expect(try names("layers").count == 2)
            #expect(try await store.remove(same.id.description, inUse: []).deleted == [same.id])
            #expect(try names("layers") == [two.config.diffIDs[0].hex])
            #expect(try names("blobs/sha256").count == 3)

            let forced = try await store.remove("two", inUse: [two.id], force: true)
            #expect(forced.deleted.isEmpty)
            #expect(try await store.layersForMount(imageID: two.id).count == 1)
            #expect(try await store.prune(inUse: [two.id]).deleted.isEmpty)
            #expect(try await store.prune(inUse: []).deleted == [two.id])
            #expect(try names("layers").isEmpty)
            #expect(try names("blobs/sha256").isEmpty)
        }
    }

    @Test func anImageThatLostALayerIsForgotten() async throws {
        let path = try folder.write(rootfs("lost"), to: "rootfs.tar")
        try await withStore(in: folder) { (store) async throws in
            let image = try await store.importRootfs(.file(path: path), as: ImageReference(parsing: "web"))
            try Files.removeTree(folder.path + "/store/layers/" + image.config.diffIDs[0].hex)
        }
        try await withStore(in: folder) { (store) async throws in
            #expect(try await store.list().isEmpty)
            // What is left of it goes with the next collection.
            try await store.prune(inUse: [])
            #expect(try names("blobs/sha256").isEmpty)
        }
    }

    @Test func foldersDoNotDependOnTheUmask() async throws {
        let path = try folder.write(rootfs("umask"), to: "rootfs.tar")
        let previous = umask(0o077)
        defer { umask(previous) }
        try await withStore(in: folder) { (store) async throws in
            let image = try await store.importRootfs(.file(path: path))
            let root = try await store.layersForMount(imageID: image.id)[0]
            #expect(status(root)?.st_mode == S_IFDIR | 0o755)
        }
    }

    @Test func oneProcessAtATime() async throws {
        try await withStore(in: folder) { (_) async throws in
            let failure = await #expect(throws: Failure.self) {
                _ = try await LocalImages.open(folder: folder.path + "/store")
            }
            #expect(failure?.message.contains("in use by another process") == true)
        }
    }

    @Test func aDockerSaveArchiveIsLoaded() async throws {
        let layer = rootfs("saved")
        let config = """
            {"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/app"]},
             "rootfs":{"type":"layers","diff_ids":["\(ContentDigest(hashing: layer))","\(ContentDigest(hashing: layer))"]}}
            """
        var tar = TarWriter()
        tar.file("config.json", config)
        tar.folder("aaa/")
        tar.member("aaa/layer.tar", type: "0", content: layer, mode: 0o644)
        tar.folder("bbb/")
        tar.symbolicLink("bbb/layer.tar", to: "../aaa/layer.tar")
        tar.file(
            "manifest.json",
            #"[{"Config":"config.json","RepoTags":["saved:1","h.x/other:2"],"Layers":["aaa/layer.tar","bbb/layer.tar"]}]"#
        )
        let path = try folder.write(tar.finished(), to: "saved.tar")
        try await withStore(in: folder) { (store) async throws in
            let images = try await store.load(.file(path: path))
            #expect(images.map(\.id) == [ContentDigest(hashing: Array(config.utf8))])
            #expect(images[0].tags.map(\.familiar) == ["saved:1", "h.x/other:2"])
            #expect(try await store.layersForMount(imageID: images[0].id).count == 2)
            #expect(try names("ingest").isEmpty)
        }
    }

    @Test func anOCILayoutKeepsItsDigests() async throws {
        let path = try folder.write(rootfs("layout"), to: "rootfs.tar")
        var layout = TarWriter()
        let digest = try await withStore(in: folder) { (store) async throws in
            let image = try await store.importRootfs(.file(path: path), as: ImageReference(parsing: "layout:3"))
            layout.file("oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#)
            for name in try names("blobs/sha256") {
                let blob = folder.path + "/store/blobs/sha256/" + name
                let bytes = try OpenFile(blob, O_RDONLY).readAll(limit: 1 << 20, path: blob)
                layout.member("blobs/sha256/" + name, type: "0", content: bytes, mode: 0o644)
            }
            layout.file(
                "index.json",
                """
                {"schemaVersion":2,"manifests":[{"mediaType":"\(MediaType.ociManifest)","digest":"\(image.manifest)","size":1,
                 "annotations":{"org.opencontainers.image.ref.name":"layout:3"}}]}
                """)
            return image.manifest
        }
        let archive = try folder.write(layout.finished(), to: "layout.tar")
        let other = try TemporaryFolder()
        try await withStore(in: other) { (store) async throws in
            let images = try await store.load(.file(path: archive))
            #expect(images.map(\.manifest) == [digest])
            #expect(images[0].tags.map(\.familiar) == ["layout:3"])
            let failure = await #expect(throws: Failure.self) { try await store.load(.file(path: path)) }
            #expect(failure?.message.contains("neither manifest.json nor index.json") == true)
        }
    }
}
