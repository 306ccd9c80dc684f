import ClusterModel
import DockerSchema
import HTTPTypes
import Hummingbird
import NIOCore
import Primitives

extension EngineAPI {
    func answerImage(_ route: Route, _ exchange: Exchange) async throws -> Response {
        switch route {
        case .imageCreate: return try await imageCreate(exchange)
        case .imageLoad:
            let names = try await images.load(exchange.request.body)
            return try progressLines(names.map { Docker.Progress(stream: "Loaded image: \($0)\n") })
        case .imageInspect(let name): return try Reply.json(Docker.Image(try await images.inspect(name)))
        case .imagePush(let name):
            let reference = Self.reference(name, tag: exchange.query["tag"])
            let credentials = try exchange.credentials()
            return streamProgress { [images] in
                try await images.push(reference, credentials: credentials, progress: $0)
            }
        case .imageTag(let name):
            guard let repository = exchange.query["repo"] else { throw Failure(.invalidArgument, "repo is missing") }
            try await images.tag(name, as: Self.reference(repository, tag: exchange.query["tag"]))
            return Reply.empty(.created)
        case .imageRemove(let name):
            let removals = try await images.remove(name, force: exchange.query.flag("force"))
            return try Reply.json(
                removals.map { removal in
                    switch removal {
                    case .untagged(let name): Docker.ImageDeleted(Untagged: name)
                    case .deleted(let id): Docker.ImageDeleted(Deleted: id)
                    }
                })
        case .distribution(let name):
            let resolved = try await images.resolveDigest(name, credentials: try exchange.credentials())
            return try Reply.json(Docker.Distribution(resolved))
        case .authenticate:
            let account = try await exchange.body(Docker.AuthConfig.self).value
            try await images.authenticate(
                RegistryCredentials(
                    username: account.username ?? "", password: account.password ?? "",
                    serverAddress: account.serveraddress ?? ""))
            return try Reply.json(Docker.AuthStatus(Status: "Login Succeeded", IdentityToken: ""))
        default: return try await imageList(exchange)
        }
    }

    private func imageList(_ exchange: Exchange) async throws -> Response {
        let filters = try Filters(exchange.query, allowed: ["reference", "label", "dangling"])
        let records = try await images.list().filter { image in
            filters.allowsLabels("label", image.labels)
                && filters.allows("dangling") { ["true", "1"].contains($0) == image.tags.isEmpty }
                && filters.allows("reference") { wanted in
                    image.tags.contains { tag in
                        tag == wanted || tag.split(separator: ":").dropLast().joined(separator: ":") == wanted
                    }
                }
        }
        return try Reply.json(records.map { Docker.ImageSummary($0) })
    }

    /// Pulls `fromImage`, or imports the body where `fromSrc` is `-`.
    private func imageCreate(_ exchange: Exchange) async throws -> Response {
        let query = exchange.query
        if let name = query["fromImage"] {
            let reference = Self.reference(name, tag: query["tag"])
            let credentials = try exchange.credentials()
            return streamProgress { [images] in
                try await images.pull(reference, credentials: credentials, progress: $0)
            }
        }
        guard let source = query["fromSrc"] else {
            throw Failure(.invalidArgument, "one of fromImage and fromSrc is needed")
        }
        guard source == "-" else {
            throw Failure(.unimplemented, "fromSrc: only \"-\", the request's body, is supported")
        }
        guard let repository = query["repo"] else { throw Failure(.invalidArgument, "repo is missing") }
        let id = try await images.importRootfs(
            exchange.request.body, reference: Self.reference(repository, tag: query["tag"]),
            changes: query.all("changes"))
        return try progressLines([Docker.Progress(status: id)])
    }

    /// `NAME:TAG`, or `NAME@DIGEST` where the tag is one.
    static func reference(_ name: String, tag: String?) -> String {
        guard let tag else { return name }
        return tag.contains(":") ? "\(name)@\(tag)" : "\(name):\(tag)"
    }

    private func progressLines(_ lines: [Docker.Progress]) throws -> Response {
        let bytes = try lines.flatMap { try DockerJSON.encode($0) + Array("\r\n".utf8) }
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// A line of JSON for each event; a failure is the last line, because the status is sent already.
    private func streamProgress(
        _ work: @escaping @Sendable (@escaping @Sendable (ImageProgress) -> Void) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody { writer in
                let (events, continuation) = AsyncStream.makeStream(
                    of: ImageProgress.self, bufferingPolicy: .bufferingNewest(EngineLimits.progressEvents))
                async let failure: (any Error)? = Self.outcome(of: work, continuation)
                for await event in events {
                    try await writer.write(try Self.line(Docker.Progress(event)))
                }
                if let failure = await failure {
                    try await writer.write(try Self.line(Docker.Progress(error: "\(failure)")))
                }
                try await writer.finish(nil)
            })
    }

    private static func outcome(
        of work: @Sendable (@escaping @Sendable (ImageProgress) -> Void) async throws -> Void,
        _ continuation: AsyncStream<ImageProgress>.Continuation
    ) async -> (any Error)? {
        defer { continuation.finish() }
        do {
            try await work { continuation.yield($0) }
            return nil
        } catch {
            return error
        }
    }

    private static func line(_ progress: Docker.Progress) throws -> ByteBuffer {
        ByteBuffer(bytes: try DockerJSON.encode(progress) + Array("\r\n".utf8))
    }
}

extension Docker.Progress {
    fileprivate init(_ event: ImageProgress) {
        let detail =
            event.currentBytes == nil && event.totalBytes == nil
            ? nil : Docker.ProgressDetail(current: event.currentBytes, total: event.totalBytes)
        self.init(id: event.id.isEmpty ? nil : event.id, status: event.status, progressDetail: detail)
    }
}

extension Docker.ImageSummary {
    fileprivate init(_ image: ImageRecord) {
        self.init(
            Id: image.id, RepoTags: image.tags, RepoDigests: image.digests,
            Created: image.created.nanoseconds / 1_000_000_000, Size: image.sizeBytes, Labels: image.labels)
    }
}

extension Docker.Image {
    fileprivate init(_ image: ImageRecord) {
        var config = Docker.ImageConfig()
        config.User = image.user
        config.Env = image.environment
        config.Entrypoint = image.entrypoint
        config.Cmd = image.command
        config.WorkingDir = image.workingDirectory
        config.Labels = image.labels
        config.StopSignal = image.stopSignal.isEmpty ? nil : image.stopSignal
        config.Healthcheck = image.healthcheck.map(Docker.HealthConfig.init)
        func set(_ keys: [String]) -> [String: Docker.Empty]? {
            keys.isEmpty ? nil : Dictionary(keys.map { ($0, Docker.Empty()) }) { first, _ in first }
        }
        config.ExposedPorts = set(image.exposedPorts)
        config.Volumes = set(image.volumes)
        self.init(
            Id: image.id, RepoTags: image.tags, RepoDigests: image.digests, Created: image.created.rfc3339,
            Architecture: image.architecture, Os: image.os, Size: image.sizeBytes, Config: config,
            RootFS: Docker.RootFS(Layers: image.layers))
    }
}

extension Docker.Distribution {
    fileprivate init(_ image: ResolvedImage) {
        self.init(
            Descriptor: Docker.Descriptor(mediaType: image.mediaType, digest: image.digest, size: image.sizeBytes),
            Platforms: image.platforms.map {
                Docker.DistributionPlatform(architecture: $0.architecture, os: $0.os)
            })
    }
}
