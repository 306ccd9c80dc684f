import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives

/// A manifest as the registry sent it.
struct FetchedManifest: Sendable {
    var bytes: [UInt8]
    var digest: ContentDigest
    var document: ManifestDocument
}

extension RegistryClient {
    private static let acceptedManifests = [("Accept", MediaType.manifests.joined(separator: ", "))]

    /// The digest that a tag stands for now: HEAD, or GET where the registry does not say it in the header.
    func resolve(_ reference: ImageReference, _ credentials: RegistryCredentials?) async throws -> ContentDigest {
        let target = Target(reference, credentials)
        let known = try await retrying { () -> ContentDigest? in
            let request = RegistryRequest(
                method: .HEAD, location: "/v2/\(target.repository)/manifests/\(reference.manifestName)",
                headers: Self.acceptedManifests)
            let response: HTTPClientResponse
            do {
                response = try await send(request, to: target, accepting: [200])
            } catch let error as RegistryError where error.code != .unavailable {
                // The answer to HEAD has no body: let GET say why.
                return nil
            }
            return response.headers.first(name: "docker-content-digest").flatMap { ContentDigest($0) }
        }
        if let known { return known }
        return try await manifest(reference.manifestName, of: target).digest
    }

    /// Asks for the API's root with the target's credentials; a token for no repository is asked for where tokens are
    /// used (OCI distribution spec, `GET /v2/`).
    func authenticate(_ target: Target) async throws {
        try await retrying {
            let request = RegistryRequest(method: .GET, location: "/v2/")
            _ = await errorBody(try await send(request, to: target, accepting: [200]))
        }
    }

    /// Fetches by tag or digest; what was asked for by digest has it, or `dataLoss` is thrown.
    func manifest(_ name: String, of target: Target) async throws -> FetchedManifest {
        try await retrying {
            let request = RegistryRequest(
                method: .GET, location: "/v2/\(target.repository)/manifests/\(name)", headers: Self.acceptedManifests)
            let response = try await send(request, to: target, accepting: [200])
            let buffer: ByteBuffer
            do {
                buffer = try await response.body.collect(upTo: Limits.maximumManifestBytes)
            } catch is NIOTooManyBytesError {
                throw Failure(.resourceExhausted, "the manifest has more than \(Limits.maximumManifestBytes) bytes")
            }
            let bytes = [UInt8](buffer.readableBytesView)
            let digest = ContentDigest(hashing: bytes)
            if let expected = ContentDigest(name), expected != digest {
                throw Failure(.dataLoss, "the registry sent a manifest with the digest \(digest) for \(expected)")
            }
            let type = response.headers.first(name: "content-type").map { String($0.prefix { $0 != ";" }) }
            return FetchedManifest(
                bytes: bytes, digest: digest, document: try ManifestDocument.decode(bytes, contentType: type))
        }
    }

    /// Writes the blob into `writer`, going on where a broken connection stopped.
    func blob(
        _ descriptor: ContentDescriptor, of target: Target, into writer: BlobWriter,
        progress: @Sendable (Int64) -> Void
    ) async throws {
        try await retrying(progress: { writer.count }) {
            let offset = writer.count
            if offset == descriptor.size, offset > 0 { return }
            var request = RegistryRequest(method: .GET, location: "/v2/\(target.repository)/blobs/\(descriptor.digest)")
            if offset > 0 { request.headers = [("Range", "bytes=\(offset)-")] }
            let response = try await send(request, to: target, accepting: [200, 206, 416])
            let continues =
                response.status.code == 206
                && response.headers.first(name: "content-range")?.hasPrefix("bytes \(offset)-") == true
            if offset > 0, !continues { try await pool.runIfActive { try writer.restart() } }
            guard response.status.code != 416 else {
                throw RegistryError(code: .unavailable, description: "it refused to resume a blob", isTransient: true)
            }
            try await receive(response, descriptor, into: writer, progress: progress)
            guard writer.count == descriptor.size else {
                throw RegistryError(
                    code: .unavailable,
                    description: "blob \(descriptor.digest) ended after \(writer.count) of \(descriptor.size) bytes",
                    isTransient: true)
            }
        }
    }

    private func receive(
        _ response: HTTPClientResponse, _ descriptor: ContentDescriptor, into writer: BlobWriter,
        progress: @Sendable (Int64) -> Void
    ) async throws {
        var pending: [ByteBuffer] = []
        var pendingBytes = 0
        var received = writer.count
        func flush() async throws {
            let buffers = pending
            pending = []
            pendingBytes = 0
            try await pool.runIfActive { try writer.write(buffers) }
            progress(received)
        }
        do {
            for try await buffer in response.body {
                received += Int64(buffer.readableBytes)
                guard received <= descriptor.size else {
                    throw Failure(
                        .dataLoss,
                        "the registry sent more than the \(descriptor.size) bytes of blob \(descriptor.digest)")
                }
                pending.append(buffer)
                pendingBytes += buffer.readableBytes
                if pendingBytes >= Limits.fileChunkBytes { try await flush() }
            }
        } catch {
            // What came before the break is kept: the next attempt asks for the rest.
            if !pending.isEmpty, !(error is Failure) { try await flush() }
            throw error
        }
        if !pending.isEmpty { try await flush() }
    }

    /// Uploads a blob unless the repository has it; returns whether bytes were sent.
    func upload(
        _ descriptor: ContentDescriptor, path: String, to target: Target, onRead: @escaping @Sendable (Int) -> Void
    )
        async throws -> Bool
    {
        try await retrying {
            let blobs = "/v2/\(target.repository)/blobs/"
            var request = RegistryRequest(method: .HEAD, location: "\(blobs)\(descriptor.digest)")
            request.actions = "pull,push"
            if try await send(request, to: target, accepting: [200, 404]).status.code == 200 { return false }
            request.method = .POST
            request.location = blobs + "uploads/"
            let started = try await send(request, to: target, accepting: [202])
            _ = await errorBody(started)
            request.method = .PATCH
            request.location = try Self.location(started)
            request.headers = [("Content-Type", "application/octet-stream")]
            request.content = .file(FileChunks(path: path, pool: pool, onRead: onRead), size: descriptor.size)
            request.timeout = .hours(Limits.uploadTimeoutHours)
            let sent = try await send(request, to: target, accepting: [202, 204])
            _ = await errorBody(sent)
            let location = try Self.location(sent)
            request.method = .PUT
            request.location =
                location + (location.contains("?") ? "&" : "?") + "digest=" + percentEncoded("\(descriptor.digest)")
            request.content = .none
            _ = await errorBody(try await send(request, to: target, accepting: [201, 204]))
            return true
        }
    }

    /// Stores the manifest under its tag, last of all, since registries check that its blobs are there.
    func putManifest(_ bytes: [UInt8], mediaType: String, name: String, to target: Target) async throws {
        try await retrying {
            var request = RegistryRequest(method: .PUT, location: "/v2/\(target.repository)/manifests/\(name)")
            request.actions = "pull,push"
            request.headers = [("Content-Type", mediaType)]
            request.content = .bytes(bytes)
            _ = await errorBody(try await send(request, to: target, accepting: [201, 202]))
        }
    }

    private static func location(_ response: HTTPClientResponse) throws -> String {
        guard let location = response.headers.first(name: "location"), isAbsolute(location) || location.hasPrefix("/")
        else {
            throw RegistryError(code: .unavailable, description: "it gave no upload location", isTransient: false)
        }
        return location
    }
}
