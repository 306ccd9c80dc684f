import Primitives
import Testing

@testable import ImageStore

private func digest(_ digit: Character) -> String { "sha256:" + String(repeating: digit, count: 64) }

private func decode(_ text: String, _ type: String? = nil) throws(Failure) -> ManifestDocument {
    try ManifestDocument.decode(Array(text.utf8), contentType: type)
}

@Suite struct ManifestTests {
    private let docker = """
        {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1469, "digest": "\(digest("a"))"},
         "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 2219949, "digest": "\(digest("b"))"}]}
        """
    private let index = """
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
         {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "\(digest("1"))", "size": 1,
          "platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}},
         {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "\(digest("2"))", "size": 1,
          "platform": {"architecture": "amd64", "os": "windows", "os.version": "10.0"}},
         {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "\(digest("3"))", "size": 1,
          "platform": {"architecture": "amd64", "os": "linux"}},
         {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "\(digest("4"))", "size": 1,
          "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
          "platform": {"architecture": "unknown", "os": "unknown"}}]}
        """

    @Test func dockerSchema2IsRead() throws {
        guard case .image(let manifest, let type) = try decode(docker) else {
            Issue.record("no image")
            return
        }
        #expect(type == MediaType.dockerManifest)
        #expect(manifest.config.digest.description == digest("a"))
        #expect(manifest.layers.map(\.size) == [2_219_949])
    }

    @Test(arguments: [("amd64", nil, "3"), ("arm64", "v8", "1"), ("arm64", nil, "1")])
    func theIndexesManifestForTheMachineIsChosen(architecture: String, variant: String?, expected: Character) throws {
        guard case .list(let list, _) = try decode(index) else {
            Issue.record("no index")
            return
        }
        let platform = ImagePlatform(architecture: architecture, variant: variant)
        #expect(list.choose(for: platform)?.digest.description == digest(expected))
        #expect(list.choose(for: ImagePlatform(architecture: "riscv64")) == nil)
        #expect(list.platforms == "linux/arm64/v8, windows/amd64, linux/amd64")
    }

    @Test func theContentTypeCountsWhereTheDocumentIsSilent() throws {
        let silent = docker.replacing(
            #""mediaType": "application/vnd.docker.distribution.manifest.v2+json","#, with: "")
        guard case .image(_, let type) = try decode(silent, MediaType.dockerManifest) else {
            Issue.record("no image")
            return
        }
        #expect(type == MediaType.dockerManifest)
    }

    @Test func strangeDocumentsAreRefusedWithAReason() {
        func reason(_ text: String, _ type: String? = nil) -> String {
            do {
                _ = try decode(text, type)
                return ""
            } catch {
                return error.description
            }
        }
        #expect(reason("{").contains("the manifest cannot be read"))
        #expect(reason("{\"schemaVersion\": 1}").contains("schema 1"))
        #expect(reason(docker.replacing(digest("b"), with: "sha512:00")).contains("no sha256 digest"))
        #expect(reason(docker.replacing("2219949", with: "-1")).contains("-1 bytes"))
        #expect(
            reason(docker.replacing("application/vnd.docker.image.rootfs.diff.tar.gzip", with: "text/plain")).contains(
                "not a container image"))
        #expect(
            reason(docker.replacing("{\"schemaVersion\"", with: "{\"manifests\": [], \"schemaVersion\"")).contains(
                "does not fit"))
        #expect(reason(docker.replacing("\"layers\"", with: "\"lawyers\"")).contains("layers is missing"))
    }
}

@Suite struct ImageConfigTests {
    private let golden = """
        {"architecture":"amd64","author":"me","config":{"Cmd":["serve"],"Entrypoint":["/app"],"Env":["PATH=/bin","A=b=c"],\
        "ExposedPorts":{"53/udp":{},"80/tcp":{}},"Healthcheck":{"Interval":5000000000,"Retries":3,\
        "Test":["CMD-SHELL","curl localhost"],"Timeout":1000000000},"Labels":{"k":"v"},"StopSignal":"SIGINT","User":"1000:100",\
        "Volumes":{"/data":{}},"WorkingDir":"/srv"},"created":"2024-01-02T03:04:05.000000000Z","history":[{"created_by":"RUN x"},\
        {"comment":"c","empty_layer":true}],"os":"linux","rootfs":{"diff_ids":["\(digest("c"))"],"type":"layers"}}
        """

    @Test func theConfigurationIsReadAndWritten() throws {
        let config = try ImageConfig(decoding: Array(golden.utf8))
        #expect(config.entrypoint == ["/app"])
        #expect(config.command == ["serve"])
        #expect(config.environment == ["PATH=/bin", "A=b=c"])
        #expect(config.exposedPorts == ["53/udp", "80/tcp"])
        #expect(config.volumes == ["/data"])
        #expect(config.user == "1000:100")
        #expect(config.workingDirectory == "/srv")
        #expect(config.stopSignal == "SIGINT")
        #expect(config.labels == ["k": "v"])
        #expect(config.healthcheck?.test == ["CMD-SHELL", "curl localhost"])
        #expect(config.healthcheck?.interval == .seconds(5))
        #expect(config.healthcheck?.startPeriod == nil)
        #expect(config.healthcheck?.retries == 3)
        #expect(config.diffIDs.map(\.description) == [digest("c")])
        #expect(config.history.map(\.isEmptyLayer) == [false, true])
        #expect(String(decoding: try config.encoded(), as: UTF8.self) == golden)
    }

    @Test func nullsOfDockerAreEmpty() throws {
        let text = """
            {"architecture":"amd64","os":"linux","config":{"Cmd":null,"Env":null,"Labels":null,"Volumes":null,"Entrypoint":null},
             "rootfs":{"type":"layers","diff_ids":null},"history":null,"container":"x"}
            """
        let config = try ImageConfig(decoding: Array(text.utf8))
        #expect(config.command.isEmpty && config.environment.isEmpty && config.labels.isEmpty && config.diffIDs.isEmpty)
    }

    @Test func changesAreDockerfileInstructions() throws {
        var config = ImageConfig()
        for change in [
            "CMD [\"serve\", \"-p\"]", "entrypoint /app x", "ENV A=1 B=\"two words\" C='3'", "ENV D four five",
            "ENV A=9",
            "EXPOSE 80 53/udp", "USER nobody", "WORKDIR /srv", "VOLUME [\"/data\"]", "VOLUME /logs", "LABEL a.b=c",
            "STOPSIGNAL SIGQUIT",
        ] { try config.apply(change: change) }
        #expect(config.command == ["serve", "-p"])
        #expect(config.entrypoint == ["/bin/sh", "-c", "/app x"])
        #expect(config.environment == ["B=two words", "C=3", "D=four five", "A=9"])
        #expect(config.exposedPorts == ["53/udp", "80/tcp"])
        #expect(config.volumes == ["/data", "/logs"])
        #expect(config.labels == ["a.b": "c"])
        #expect((config.user, config.workingDirectory, config.stopSignal) == ("nobody", "/srv", "SIGQUIT"))
    }

    @Test(arguments: [
        "RUN x", "CMD", "ENV A", "EXPOSE http", "EXPOSE 0", "EXPOSE 1/icmp", "WORKDIR srv", "LABEL =x", "",
    ])
    func wrongChangesAreNamed(change: String) {
        var config = ImageConfig()
        let failure = #expect(throws: Failure.self) { try config.apply(change: change) }
        #expect(failure?.message.contains("change \"\(change)\"") == true)
    }
}

@Suite struct RegistryEndpointTests {
    @Test func bearerChallengesAreRead() {
        let header =
            #"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#
        #expect(
            AuthenticationChallenge.parse([header])
                == .bearer(
                    realm: "https://auth.docker.io/token", service: "registry.docker.io",
                    scope: "repository:a/b:pull,push"))
        #expect(
            AuthenticationChallenge.parse(["Basic realm=\"x\"", "bearer realm=http://x/t"])
                == .bearer(realm: "http://x/t", service: nil, scope: nil))
        #expect(AuthenticationChallenge.parse(["BASIC realm=\"a \\\" b\""]) == .basic)
        #expect(
            AuthenticationChallenge.parse(["Digest realm=\"x\"", "Bearer service=x,", "Bearer realm=\""]) != .basic)
        #expect(AuthenticationChallenge.parse(["Negotiate"]) == nil)
    }

    @Test func loopbackAndListedRegistriesAreInsecure() throws {
        let insecure = try InsecureRegistries(["10.1.0.0/16", "registry.lan", "Other.lan:5000"])
        for registry in [
            "localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "10.1.2.3:5000",
            "registry.lan:1", "other.lan:5000",
        ] {
            #expect(insecure.contains(registry), "\(registry)")
        }
        for registry in [
            "docker.io", "10.2.0.1:5000", "other.lan", "localhost.example.com", "128.0.0.1", "127.0.0.1.example.com",
        ] {
            #expect(!insecure.contains(registry), "\(registry)")
        }
        #expect(throws: Failure.self) { try InsecureRegistries(["http://registry.lan"]) }
    }

    @Test func queriesAreEscaped() {
        #expect(percentEncoded("repository:a/b:pull,push ü") == "repository%3Aa%2Fb%3Apull%2Cpush%20%C3%BC")
    }
}

@Suite struct ReferenceIndexTests {
    private func image(_ digit: Character) throws -> StoredImage {
        let config = try #require(ContentDigest(digest(digit)))
        let manifest = ContentDigest(hashing: Array(digest(digit).utf8))
        return StoredImage(
            manifest: ContentDescriptor(mediaType: MediaType.ociManifest, digest: manifest, size: 1),
            config: ContentDescriptor(mediaType: MediaType.ociConfig, digest: config, size: 2), layers: [], diffIDs: [],
            storedAtNanoseconds: 3)
    }

    @Test func itSurvivesItsFile() throws {
        var index = ReferenceIndex()
        let first = try image("a")
        index.add(first)
        index.set(try ImageReference(parsing: "web:1"), target: first.config.digest, manifest: first.manifest.digest)
        index.set(
            try ImageReference(parsing: "web:1").pinned(to: first.config.digest), target: first.config.digest,
            manifest: first.manifest.digest)
        let bytes = try index.encoded()
        #expect(try ReferenceIndex(decoding: bytes, path: "x") == index)
        let newer = String(decoding: bytes, as: UTF8.self).replacing("\"version\":1", with: "\"version\":2")
        let failure = #expect(throws: Failure.self) { try ReferenceIndex(decoding: Array(newer.utf8), path: "x") }
        #expect(failure?.message.contains("version 2, this program reads 1") == true)
        #expect(throws: Failure.self) { try ReferenceIndex(decoding: Array(bytes.dropLast()), path: "x") }
    }

    @Test func imagesAreFoundByNameAndId() throws {
        var index = ReferenceIndex()
        let (first, second) = (try image("a"), try image("b"))
        index.add(first)
        index.add(second)
        index.set(try ImageReference(parsing: "web"), target: first.manifest.digest, manifest: first.manifest.digest)
        #expect(try index.find("web") == first)
        #expect(try index.find("docker.io/library/web:latest") == first)
        #expect(try index.find("aaaa") == first)
        #expect(try index.find(digest("b")) == second)
        #expect(throws: Failure.self) { try index.find("cccc") }
        #expect(index.dangling(inUse: []) == [second])
        #expect(index.dangling(inUse: [second.config.digest]).isEmpty)
    }
}
