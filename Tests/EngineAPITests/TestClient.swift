import AsyncHTTPClient
import DockerSchema
import EngineFakes
import Foundation
import NIOCore
import NIOHTTP1

/// Asks a served API over its socket.
struct TestClient: Sendable {
    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var bytes: [UInt8]

        var text: String { String(decoding: bytes, as: UTF8.self) }

        func decoded<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try DockerJSON.decode(type, from: bytes)
        }

        var message: String { (try? decoded(Docker.ErrorBody.self).message) ?? text }
    }

    let engine: FakeEngine

    func get(_ path: String) async throws -> Answer { try await send("GET", path) }

    func send(
        _ method: String, _ path: String, _ body: (any Encodable & Sendable)? = nil, raw: [UInt8]? = nil,
        headers: [String: String] = [:]
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url(path))
        request.method = HTTPMethod(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let raw {
            request.body = .bytes(ByteBuffer(bytes: raw))
        } else if let body {
            request.body = .bytes(ByteBuffer(bytes: try DockerJSON.encode(body)))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
        let buffer = try await response.body.collect(upTo: 1 << 24)
        return Answer(
            status: Int(response.status.code), headers: response.headers, bytes: Array(buffer.readableBytesView))
    }

    /// Reads the head of an answer, and goes away.
    func headers(of path: String) async throws -> HTTPHeaders {
        try await HTTPClient.shared.execute(HTTPClientRequest(url: url(path)), timeout: .seconds(120)).headers
    }

    /// Reads the beginning of a stream, and goes away.
    func firstPiece(of path: String) async throws -> [UInt8] {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url(path)), timeout: .seconds(120))
        for try await piece in response.body { return Array(piece.readableBytesView) }
        return []
    }

    private func url(_ path: String) -> String {
        var escaped = CharacterSet.urlHostAllowed
        escaped.remove("/")
        let host = engine.socketPath.addingPercentEncoding(withAllowedCharacters: escaped) ?? ""
        return "http+unix://\(host)\(path)"
    }

    /// Percent-encoded for a query.
    static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }
}

/// Whether it comes true within two minutes: tests beside this one keep all threads busy for most of one.
func eventually(_ condition: () async -> Bool) async -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(120)
    while clock.now < deadline {
        if await condition() { return true }
        try? await clock.sleep(for: .milliseconds(5))
    }
    return await condition()
}

/// A minimal service.
func serviceSpec(_ name: String, image: String = "web:1", replicas: UInt64 = 1) -> Docker.ServiceSpec {
    var spec = Docker.ServiceSpec(Name: name)
    spec.TaskTemplate = Docker.TaskSpec()
    spec.TaskTemplate?.ContainerSpec = Docker.ContainerSpec(Image: image)
    spec.Mode = Docker.ServiceMode(Replicated: Docker.ReplicatedService(Replicas: replicas))
    return spec
}
