import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Primitives
import Synchronization

/// How often and how long a request is tried again.
struct RetryPolicy: Sendable {
    var attempts = Limits.registryAttempts
    var firstDelay = Duration.milliseconds(Limits.firstRetryDelayMilliseconds)

    /// Doubling, with jitter so that the nodes of a cluster do not come back at once.
    func delay(after attempt: Int) -> Duration {
        let factor = 1 << min(attempt, 20)
        let delay = min(firstDelay * factor, .milliseconds(Limits.maximumRetryDelayMilliseconds))
        return delay * Double.random(in: 0.75...1.25)
    }
}

/// One request below a registry's `/v2/`, or of a location that the registry gave.
struct RegistryRequest: Sendable {
    enum Content: Sendable {
        case none
        case bytes([UInt8])
        case file(FileChunks, size: Int64)
    }

    var method: HTTPMethod
    /// `/v2/…`, or an absolute URL.
    var location: String
    var headers: [(String, String)] = []
    var content = Content.none
    /// What the token must allow: `pull` or `pull,push`.
    var actions = "pull"
    var timeout = TimeAmount.seconds(Limits.responseHeadTimeoutSeconds)
}

/// The client side of the OCI distribution protocol, for all registries.
final class RegistryClient: Sendable {
    /// A repository and who asks.
    struct Target: Hashable, Sendable {
        var registry: String
        var repository: String
        var credentials: RegistryCredentials?

        init(_ reference: ImageReference, _ credentials: RegistryCredentials?) {
            registry = reference.registry
            repository = reference.repository
            self.credentials = credentials
        }

        /// Docker Hub's API is not at the name that references have.
        var host: String { registry == "docker.io" ? "registry-1.docker.io" : registry }
    }

    private struct TokenKey: Hashable {
        var target: Target
        var actions: String
    }

    private struct State {
        var baseURLs: [String: String] = [:]
        var authorizations: [TokenKey: (header: String, expires: ContinuousClock.Instant?)] = [:]
    }

    let pool: NIOThreadPool
    private let retry: RetryPolicy
    private let insecure: InsecureRegistries
    private let verifying: HTTPClient
    private let trusting: HTTPClient
    private let state = Mutex(State())

    init(insecure: InsecureRegistries, pool: NIOThreadPool, retry: RetryPolicy = RetryPolicy()) {
        self.insecure = insecure
        self.pool = pool
        self.retry = retry
        func client(_ verification: CertificateVerification) -> HTTPClient {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.certificateVerification = verification
            var configuration = HTTPClient.Configuration(
                tlsConfiguration: tls,
                redirectConfiguration: .follow(max: 5, allowCycles: false),
                timeout: .init(
                    connect: .seconds(Limits.connectTimeoutSeconds), read: .seconds(Limits.idleTimeoutSeconds)))
            // The policy above retries and says why; the pool's own retries would hide a refused connection for 10 s.
            configuration.connectionPool.retryConnectionEstablishment = false
            return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        }
        verifying = client(.fullVerification)
        trusting = client(.none)
    }

    func shutdown() async throws {
        try await verifying.shutdown().get()
        try await trusting.shutdown().get()
    }

    /// Runs `body` until it succeeds, fails for good, or has failed too often in a row without `progress` growing.
    func retrying<Value: Sendable>(
        progress: () -> Int64 = { 0 }, _ body: () async throws -> Value
    ) async throws -> Value {
        var attempt = 0
        var reached = progress()
        while true {
            do {
                return try await body()
            } catch is CancellationError {
                throw CancellationError()
            } catch let failure as Failure {
                throw failure
            } catch let error as FileError {
                throw Failure(.internal, "cannot store what the registry sent", cause: error)
            } catch {
                let error = RegistryError(transport: error)
                try Task.checkCancellation()
                let now = progress()
                attempt = now > reached ? 0 : attempt
                reached = now
                guard error.isTransient, attempt + 1 < retry.attempts else { throw error }
                try await Task.sleep(for: retry.delay(after: attempt))
                attempt += 1
            }
        }
    }

    /// Sends with the authorization that the registry wants; a status outside `accepting` is thrown as ``RegistryError``.
    func send(_ request: RegistryRequest, to target: Target, accepting: Set<UInt>) async throws -> HTTPClientResponse {
        let base = try await baseURL(of: target.host)
        let key = TokenKey(target: target, actions: request.actions)
        var response = try await execute(request, base: base, authorization: cachedAuthorization(key))
        if response.status.code == 401,
            let challenge = AuthenticationChallenge.parse(response.headers["www-authenticate"])
        {
            let body = await errorBody(response)
            guard let header = try await authorization(for: challenge, key: key, base: base) else {
                throw RegistryError(status: 401, body: body, hasCredentials: false)
            }
            response = try await execute(request, base: base, authorization: header)
        }
        let status = UInt(response.status.code)
        guard accepting.contains(status) else {
            if status == 401 { state.withLock { $0.authorizations[key] = nil } }
            throw RegistryError(
                status: status, body: await errorBody(response), hasCredentials: target.credentials != nil)
        }
        return response
    }

    /// Makes a location that the registry gave usable: it may be relative.
    static func isAbsolute(_ location: String) -> Bool {
        location.hasPrefix("http://") || location.hasPrefix("https://")
    }

    func errorBody(_ response: HTTPClientResponse) async -> [UInt8] {
        guard let buffer = try? await response.body.collect(upTo: Limits.maximumErrorBodyBytes) else { return [] }
        return [UInt8](buffer.readableBytesView)
    }

    private func execute(
        _ request: RegistryRequest, base: String, authorization: String?
    ) async throws -> HTTPClientResponse {
        let url = Self.isAbsolute(request.location) ? request.location : base + request.location
        var message = HTTPClientRequest(url: url)
        message.method = request.method
        message.headers.add(name: "User-Agent", value: "swarm")
        for (name, value) in request.headers { message.headers.add(name: name, value: value) }
        // An upload location may be another host's, signed by itself: our token is none of its business.
        if let authorization, url.hasPrefix(base + "/") {
            message.headers.add(name: "Authorization", value: authorization)
        }
        switch request.content {
        case .none: if request.method == .POST || request.method == .PUT { message.body = .bytes(ByteBuffer()) }
        case .bytes(let bytes): message.body = .bytes(ByteBuffer(bytes: bytes))
        case .file(let chunks, let size): message.body = .stream(chunks, length: .known(size))
        }
        return try await client(for: url).execute(message, timeout: request.timeout)
    }

    /// Certificates are not checked for listed registries only.
    private func client(for url: String) -> HTTPClient {
        let authority = url.drop { $0 != ":" }.dropFirst(3).prefix { $0 != "/" && $0 != "?" }
        return insecure.contains(String(authority)) ? trusting : verifying
    }

    /// HTTPS, unless the registry is listed and answers plain HTTP: asked once, then remembered.
    private func baseURL(of host: String) async throws -> String {
        guard insecure.contains(host) else { return "https://" + host }
        if let known = state.withLock({ $0.baseURLs[host] }) { return known }
        var base = "http://" + host
        var request = HTTPClientRequest(url: base + "/v2/")
        request.headers.add(name: "User-Agent", value: "swarm")
        do {
            let response = try await trusting.execute(request, timeout: .seconds(Limits.responseHeadTimeoutSeconds))
            // What Go's and nginx' TLS servers say to plain HTTP.
            let body = await errorBody(response)
            if response.status.code == 400, String(decoding: body, as: UTF8.self).contains("HTTPS") {
                base = "https://" + host
            }
        } catch let error as HTTPClientError where error == .remoteConnectionClosed {
            base = "https://" + host
        }
        state.withLock { $0.baseURLs[host] = base }
        return base
    }

    private func cachedAuthorization(_ key: TokenKey) -> String? {
        state.withLock { state in
            guard let cached = state.authorizations[key] else { return nil }
            if let expires = cached.expires, expires < .now {
                state.authorizations[key] = nil
                return nil
            }
            return cached.header
        }
    }

    private func authorization(
        for challenge: AuthenticationChallenge, key: TokenKey, base: String
    ) async throws -> String? {
        switch challenge {
        case .basic:
            guard let credentials = key.target.credentials else { return nil }
            let header = Self.basic(credentials)
            state.withLock { $0.authorizations[key] = (header, nil) }
            return header
        case .bearer(let realm, let service, let scope):
            guard realm.hasPrefix("https://") || (realm.hasPrefix("http://") && base.hasPrefix("http://")) else {
                throw RegistryError(
                    code: .failedPrecondition, description: "it asks for tokens of \(realm), which is not HTTPS",
                    isTransient: false)
            }
            let scope = scope ?? "repository:\(key.target.repository):\(key.actions)"
            let (token, lifetime) = try await token(realm, service: service, scope: scope, key.target.credentials)
            let seconds = max(0, lifetime - Limits.tokenRenewalMarginSeconds)
            let header = "Bearer " + token
            state.withLock { $0.authorizations[key] = (header, .now + .seconds(seconds)) }
            return header
        }
    }

    private func token(
        _ realm: String, service: String?, scope: String, _ credentials: RegistryCredentials?
    ) async throws -> (token: String, seconds: Int64) {
        struct Answer: Decodable {
            var token: String?
            var accessToken: String?
            var expiresIn: Int64?

            enum CodingKeys: String, CodingKey {
                case token
                case accessToken = "access_token"
                case expiresIn = "expires_in"
            }
        }
        var query = scope.split(separator: " ").map { "scope=" + percentEncoded(String($0)) }
        if let service { query.insert("service=" + percentEncoded(service), at: 0) }
        let url = realm + (realm.contains("?") ? "&" : "?") + query.joined(separator: "&")
        var request = HTTPClientRequest(url: url)
        if let credentials { request.headers.add(name: "Authorization", value: Self.basic(credentials)) }
        let response = try await client(for: url).execute(request, timeout: .seconds(Limits.responseHeadTimeoutSeconds))
        let body = await errorBody(response)
        guard response.status.code == 200 else {
            throw RegistryError(status: UInt(response.status.code), body: body, hasCredentials: credentials != nil)
        }
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(body))
        guard let token = answer?.token ?? answer?.accessToken else {
            throw RegistryError(
                code: .unavailable, description: "its token server \(realm) sent no token", isTransient: false)
        }
        return (token, answer?.expiresIn ?? Limits.defaultTokenLifetimeSeconds)
    }

    private static func basic(_ credentials: RegistryCredentials) -> String {
        "Basic " + Data("\(credentials.username):\(credentials.password)".utf8).base64EncodedString()
    }
}

/// A file as an asynchronous sequence, read on the store's threads; it can be read more than once.
struct FileChunks: AsyncSequence, Sendable {
    let path: String
    let pool: NIOThreadPool
    var onRead: @Sendable (Int) -> Void = { _ in }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let chunks: FileChunks
        fileprivate var file: OpenFile?

        mutating func next() async throws -> ByteBuffer? {
            let path = chunks.path
            let current = file
            let (open, bytes) = try await chunks.pool.runIfActive {
                let file = try current ?? OpenFile(path, 0)
                return (file, try file.readChunk(Limits.fileChunkBytes, path: path))
            }
            file = open
            chunks.onRead(bytes.count)
            return bytes.isEmpty ? nil : ByteBuffer(bytes: bytes)
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: self, file: nil) }
}
