import NIOHTTP1
import Primitives
import Synchronization
import Testing

@testable import ImageStore

/// What a registry holds for the fake one to serve.
private struct Content {
    let layer: [UInt8]
    let config: [UInt8]
    let manifest: [UInt8]
    var digest: ContentDigest { ContentDigest(hashing: manifest) }

    init(_ text: String) {
        layer = rootfs(text)
        let diffID = ContentDigest(hashing: layer)
        config = Array(
            #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["\#(diffID)"]}}"#.utf8)
        manifest = Array(
            """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)",
             "config":{"mediaType":"\(MediaType.ociConfig)","digest":"\(ContentDigest(hashing: config))","size":\(config.count)},
             "layers":[{"mediaType":"\(MediaType.ociLayer)","digest":"\(diffID)","size":\(layer.count)}]}
            """.utf8)
    }

    func answer(_ request: FakeRegistry.Request) -> FakeRegistry.Answer {
        if request.uri.hasSuffix("/v2/") { return .init() }
        if request.uri.contains("/manifests/") {
            return .init(headers: [("content-type", MediaType.ociManifest)], body: manifest)
        }
        for blob in [layer, config] where request.uri.hasSuffix("\(ContentDigest(hashing: blob))") {
            return .init(body: blob)
        }
        return .init(status: .notFound)
    }
}

@Suite(.enabled(if: isRoot, "unpacking keeps owners and devices: needs root"))
struct RegistryProtocolTests {
    private let folder: TemporaryFolder
    private let content = Content(String(repeating: "token ", count: 20_000))

    init() throws {
        folder = try TemporaryFolder()
    }

    private func withRegistry(
        _ answer: @escaping @Sendable (FakeRegistry.Request) -> FakeRegistry.Answer,
        _ body: (FakeRegistry, LocalImages, ImageReference) async throws -> Void
    ) async throws {
        let registry = try await FakeRegistry(answer)
        try await withStore(in: folder) { (store) async throws in
            try await body(registry, store, ImageReference(parsing: "\(registry.host)/app:1"))
        }
        try await registry.stop()
    }

    @Test func aBrokenDownloadIsResumed() async throws {
        let content = self.content
        let layer = "\(ContentDigest(hashing: content.layer))"
        try await withRegistry { request in
            guard request.uri.hasSuffix(layer) else { return content.answer(request) }
            let range = request.headers.first(name: "range")?.dropFirst("bytes=".count).dropLast()
            guard let start = range.flatMap({ Int($0) }) else { return .init(body: content.layer, breaksAfter: 50_000) }
            return .init(
                status: .partialContent,
                headers: [("content-range", "bytes \(start)-\(content.layer.count - 1)/\(content.layer.count)")],
                body: Array(content.layer[start...]))
        } _: { (registry, store, reference) async throws in
            let image = try await store.pull(reference)
            #expect(image.manifest == content.digest)
            let requests = registry.requests.filter { $0.uri.hasSuffix(layer) }
            #expect(requests.count == 2)
            #expect(requests.last?.headers.first(name: "range")?.hasPrefix("bytes=") == true)
        }
    }

    @Test func aRegistryThatCannotResumeStartsAgain() async throws {
        let content = self.content
        let layer = "\(ContentDigest(hashing: content.layer))"
        let isFirst = Mutex(true)
        try await withRegistry { request in
            guard request.uri.hasSuffix(layer) else { return content.answer(request) }
            let breaks = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            return .init(body: content.layer, breaksAfter: breaks ? 50_000 : nil)
        } _: { (_, store, reference) async throws in
            #expect(try await store.pull(reference).manifest == content.digest)
        }
    }

    @Test func bytesThatAreNotTheBlobAreRefused() async throws {
        let content = self.content
        let layer = "\(ContentDigest(hashing: content.layer))"
        try await withRegistry { request in
            var answer = content.answer(request)
            if request.uri.hasSuffix(layer) { answer.body[700] ^= 1 }
            return answer
        } _: { (_, store, reference) async throws in
            let failure = await #expect(throws: Failure.self) { try await store.pull(reference) }
            #expect(failure?.code == .dataLoss)
            #expect(failure?.message.contains("cannot pull \(reference)") == true)
            #expect(try Files.names(in: store.folder + "/ingest").isEmpty)
            #expect(try await store.list().isEmpty)
        }
    }

    @Test func aTokenIsFetchedForTheScopeAndSentOnlyToItsRegistry() async throws {
        let content = self.content
        let host = Mutex("")
        try await withRegistry { request in
            if request.uri.hasPrefix("/token") {
                let hasPassword = request.headers.first(name: "authorization") == "Basic dTpw"
                return .init(
                    status: hasPassword ? .ok : .unauthorized,
                    body: Array(#"{"access_token":"T","expires_in":300}"#.utf8))
            }
            guard request.uri == "/v2/" || request.headers.first(name: "authorization") == "Bearer T" else {
                let realm = "http://\(host.withLock { $0 })/token"
                return .init(
                    status: .unauthorized,
                    headers: [
                        ("www-authenticate", "Bearer realm=\"\(realm)\",service=\"s\",scope=\"repository:app:pull\"")
                    ])
            }
            return content.answer(request)
        } _: { (registry, store, reference) async throws in
            host.withLock { $0 = registry.host }
            let denied = await #expect(throws: Failure.self) { try await store.pull(reference) }
            #expect(denied?.code == .unauthenticated)
            let credentials = RegistryCredentials(username: "u", password: "p")
            #expect(try await store.pull(reference, credentials: credentials).manifest == content.digest)
            let tokens = registry.requests.filter { $0.uri.hasPrefix("/token") }
            #expect(tokens.last?.uri == "/token?service=s&scope=repository%3Aapp%3Apull")
            // One token serves all requests of the pull.
            #expect(tokens.count == 2)
        }
    }

    @Test func errorsOfTheMomentAreTriedAgain() async throws {
        let content = self.content
        let count = Mutex(0)
        try await withRegistry { request in
            guard request.uri != "/v2/" else { return .init() }
            let attempt = count.withLock { count in
                count += 1
                return count
            }
            return attempt < 3 ? .init(status: .serviceUnavailable) : content.answer(request)
        } _: { (_, store, reference) async throws in
            #expect(try await store.pull(reference).manifest == content.digest)
        }
    }

    @Test func concurrentPullsOfAnImageAreOne() async throws {
        let content = self.content
        try await withRegistry {
            content.answer($0)
        } _: { (registry, store, reference) async throws in
            try await withThrowingTaskGroup(of: ContentDigest.self) { group in
                for _ in 0..<8 { group.addTask { try await store.pull(reference).manifest } }
                for try await digest in group { #expect(digest == content.digest) }
            }
            let layer = "\(ContentDigest(hashing: content.layer))"
            #expect(registry.requests.filter { $0.uri.hasSuffix(layer) }.count == 1)
            // Pinned and here: no request at all.
            let before = registry.requests.count
            try await store.pull(reference.pinned(to: content.digest))
            #expect(registry.requests.count == before)
        }
    }

    @Test func theErrorSaysWhichImageWhichRegistryAndWhy() async throws {
        try await withStore(in: folder) { (store) async throws in
            // Port 1 of loopback: nobody listens.
            let reference = try ImageReference(parsing: "127.0.0.1:1/app:1")
            let refused = await #expect(throws: Failure.self) { try await store.pull(reference) }
            #expect(refused?.description == "cannot pull 127.0.0.1:1/app:1: registry 127.0.0.1:1: connection refused")
            #expect(refused?.code == .unavailable)
        }
    }
}
