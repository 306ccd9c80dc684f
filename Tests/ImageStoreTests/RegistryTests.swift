import Glibc
import NIOCore
import Primitives
import Synchronization
import Testing

@testable import ImageStore

/// Against a real registry, as a user would have.
@Suite(.enabled(if: isRoot && RealRegistry.isInstalled, "needs root and the package docker-registry"))
struct RegistryTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func whatIsPushedIsPulledBackElsewhere() async throws {
        let registry = try RealRegistry()
        let reference = try ImageReference(parsing: "\(registry.host)/team/app:1")
        let path = try folder.write(rootfs(String(repeating: "push ", count: 500_000)), to: "rootfs.tar")
        let other = try TemporaryFolder()
        let (pushed, id) = try await withStore(in: folder) { (store) async throws in
            let image = try await store.importRootfs(.file(path: path), as: reference, changes: ["CMD [\"/bin/app\"]"])
            let digest = try await store.push(reference)
            #expect(digest == image.manifest)
            // Again: all is there.
            let events = Mutex<[ImageProgress]>([])
            try await store.push(reference) { event in events.withLock { $0.append(event) } }
            #expect(events.withLock { $0 }.allSatisfy { if case .alreadyExists = $0 { true } else { false } })
            return (digest, image.id)
        }
        try await withStore(in: other) { (store) async throws in
            #expect(try await store.resolve(reference) == pushed)
            let events = Mutex<[ImageProgress]>([])
            let image = try await store.pull(reference) { event in events.withLock { $0.append(event) } }
            #expect((image.manifest, image.id) == (pushed, id))
            #expect(
                image.digests == [
                    ImageReference(registry: registry.host, repository: "team/app", tag: nil, digest: pushed)
                ])
            #expect(events.withLock { $0 }.contains(.resolved(pushed)))
            let lower = try await store.layersForMount(imageID: image.id)
            #expect(try Files.names(in: lower[0]) == ["bin"])
            _ = try await store.remove("\(reference)", inUse: [])
            #expect(try await store.list().isEmpty)

            let pinned = reference.pinned(to: pushed)
            #expect(try await store.pull(pinned).manifest == pushed)
            #expect(await store.contains(pinned))
        }
    }

    @Test func aMissingImageIsNamed() async throws {
        let registry = try RealRegistry()
        let reference = try ImageReference(parsing: "\(registry.host)/nope:7")
        try await withStore(in: folder) { (store) async throws in
            for failure in [
                await #expect(throws: Failure.self) { try await store.pull(reference) },
                await #expect(throws: Failure.self) { _ = try await store.resolve(reference) },
            ] {
                #expect(failure?.code == .notFound)
                let text = failure?.description ?? ""
                #expect(
                    text.hasSuffix(
                        "\(reference): registry \(registry.host): manifest unknown (HTTP 404); check the name and the tag"
                    ),
                    "\(text)")
            }
            let local = await #expect(throws: Failure.self) { try await store.push(reference) }
            #expect(local?.code == .notFound)
        }
    }

    @Test func passwordsAreAskedFor() async throws {
        let registry = try RealRegistry(withPassword: true)
        let reference = try ImageReference(parsing: "\(registry.host)/app:1")
        let path = try folder.write(rootfs("private"), to: "rootfs.tar")
        try await withStore(in: folder) { (store) async throws in
            let image = try await store.importRootfs(.file(path: path), as: reference)
            let anonymous = await #expect(throws: Failure.self) { try await store.push(reference) }
            #expect(anonymous?.code == .unauthenticated)
            let wrong = RegistryCredentials(username: "user", password: "guess")
            let refused = await #expect(throws: Failure.self) { try await store.push(reference, credentials: wrong) }
            #expect(refused?.description.hasSuffix("check user name and password") == true)
            let right = RegistryCredentials(username: "user", password: "secret")
            #expect(try await store.push(reference, credentials: right) == image.manifest)
            #expect(try await store.resolve(reference, credentials: right) == image.manifest)
            #expect(try await store.pull(reference, credentials: right).id == image.id)
        }
    }

    /// Another implementation reads what was pushed, and its archive is loaded.
    @Test(.enabled(if: Files.exists("/usr/bin/skopeo"), "needs the package skopeo"))
    func skopeoUnderstandsIt() async throws {
        let registry = try RealRegistry()
        let reference = try ImageReference(parsing: "\(registry.host)/cross:1")
        let path = try folder.write(rootfs("cross"), to: "rootfs.tar")
        let source = "docker://\(registry.host)/cross:1"
        try await withStore(in: folder) { (store) async throws in
            let image = try await store.importRootfs(.file(path: path), as: reference)
            try await store.push(reference)
            let docker = "docker-archive:\(folder.path)/docker.tar:cross:docker"
            let oci = "oci-archive:\(folder.path)/oci.tar:cross:oci"
            for target in [docker, oci] {
                let status = try run(
                    "/usr/bin/skopeo", ["copy", "--insecure-policy", "--src-tls-verify=false", source, target],
                    output: folder.path + "/skopeo.log")
                let log = try contents(folder.path + "/skopeo.log")
                #expect(status == 0, "\(log)")
            }
            let loaded = try await store.load(.file(path: folder.path + "/docker.tar"))
            #expect(loaded.map(\.config.diffIDs) == [image.config.diffIDs])
            #expect(loaded.first?.tags.map(\.familiar).contains("cross:docker") == true)
            let layout = try await store.load(.file(path: folder.path + "/oci.tar"))
            #expect(layout.map(\.config.diffIDs) == [image.config.diffIDs])
            #expect(layout.first?.tags.map(\.familiar).contains("cross:oci") == true)
        }
    }
}
