import AsyncHTTPClient
import DockerSchema
import Foundation
import NIOCore
import NIOHTTP1
import Primitives

/// Asks the daemon in Docker's API.
struct EngineClient: Sendable {
    /// `unix:///run/swarm/swarm.sock`, for messages.
    let address: String
    private let base: String
    private let http: HTTPClient

    static let defaultAddress = "unix:///run/swarm/swarm.sock"

    /// - Parameters:
    ///   - host: the `--host` option, preferred to the environment.
    ///   - certificates: what a daemon that answers over TLS is asked with.
    init(host: String?, certificates: ClientCertificates? = nil, environment: [String: String]) throws {
        let named = [host, environment["SWARM_HOST"], environment["DOCKER_HOST"]].compactMap { $0 }
        address = named.first { !$0.isEmpty } ?? EngineClient.defaultAddress
        let parts = address.components(separatedBy: "://")
        switch (parts.first, parts.count) {
        case ("unix", 2):
            var allowed = CharacterSet.urlHostAllowed
            allowed.remove("/")
            base = "http+unix://" + (parts[1].addingPercentEncoding(withAllowedCharacters: allowed) ?? "")
        case ("tcp", 2): base = (certificates == nil ? "http://" : "https://") + parts[1]
        case ("http", 2): base = address
        case ("https", 2): base = address
        default: throw CommandFailure("host \"\(address)\" is not unix://PATH or tcp://HOST:PORT")
        }
        http = try HTTPClients.client(certificates)
    }

    func get<Value: Decodable>(
        _ path: [String], _ query: [(String, String)] = [], as type: Value.Type = Value.self
    ) async throws -> Value {
        try EngineClient.decode(try await send("GET", path, query))
    }

    @discardableResult
    func post<Value: Decodable>(
        _ path: [String], _ query: [(String, String)] = [], _ body: (any Encodable)? = nil,
        headers: [(String, String)] = [], as type: Value.Type = Value.self
    ) async throws -> Value {
        try EngineClient.decode(try await send("POST", path, query, body, headers: headers))
    }

    /// - Returns: the answer's body.
    /// - Throws: ``CommandFailure`` with the daemon's message for a status of 400 and above.
    @discardableResult
    func send(
        _ method: String, _ path: [String], _ query: [(String, String)] = [], _ body: (any Encodable)? = nil,
        headers: [(String, String)] = []
    ) async throws -> [UInt8] {
        var headers = headers
        var content: HTTPClientRequest.Body?
        if let body {
            content = .bytes(ByteBuffer(bytes: try DockerJSON.encode(body)))
            headers.append(("Content-Type", "application/json"))
        }
        let response = try await answer(method, path, query, headers: headers, body: content)
        return try await EngineClient.collect(response)
    }

    /// The answer's pieces as they arrive.
    func stream(
        _ method: String, _ path: [String], _ query: [(String, String)] = [], headers: [(String, String)] = [],
        body: HTTPClientRequest.Body? = nil
    ) async throws -> HTTPClientResponse.Body {
        try await answer(method, path, query, headers: headers, body: body).body
    }

    /// The answer as it is once its head is there.
    ///
    /// - Throws: ``CommandFailure`` with the daemon's message for a status of 400 and above.
    func answer(
        _ method: String, _ path: [String], _ query: [(String, String)] = [], headers: [(String, String)] = [],
        body: HTTPClientRequest.Body? = nil
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: base + EngineClient.target(path, query))
        request.method = HTTPMethod(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = body
        let response: HTTPClientResponse
        do {
            response = try await http.execute(request, deadline: .distantFuture)
        } catch {
            throw CommandFailure(
                "cannot reach the daemon at \(address): \(EngineClient.reason(error)); is swarmd running, and may you "
                    + "use its socket?", status: .unreachable)
        }
        guard response.status.code < 400 else {
            let bytes = try await EngineClient.collect(response)
            let message = try? DockerJSON.decode(Docker.ErrorBody.self, from: bytes).message
            throw CommandFailure(message ?? "the daemon answered \(response.status)")
        }
        return response
    }

    static func target(_ path: [String], _ query: [(String, String)]) -> String {
        func escaped(_ text: String) -> String {
            var allowed = CharacterSet.alphanumerics.intersection(CharacterSet(charactersIn: "\0"..."\u{7f}"))
            allowed.insert(charactersIn: "-._~")
            return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
        }
        let pairs = query.map { escaped($0) + "=" + escaped($1) }.joined(separator: "&")
        // An image's name keeps its slashes: registries' names are paths.
        let segments = path.flatMap { $0.split(separator: "/").map { escaped(String($0)) } }
        return "/v\(Docker.apiVersion)/" + segments.joined(separator: "/") + (pairs.isEmpty ? "" : "?" + pairs)
    }

    private static func collect(_ response: HTTPClientResponse) async throws -> [UInt8] {
        do {
            return Array(try await response.body.collect(upTo: CommandLimits.answerBytes).readableBytesView)
        } catch {
            throw CommandFailure("the daemon's answer broke off: \(reason(error))")
        }
    }

    private static func decode<Value: Decodable>(_ bytes: [UInt8]) throws -> Value {
        do {
            return try DockerJSON.decode(Value.self, from: bytes)
        } catch {
            throw CommandFailure("the daemon's answer cannot be read: \(error.message)")
        }
    }

    private static func reason(_ error: any Error) -> String {
        (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
    }
}

extension EngineClient {
    /// The `filters` parameter.
    static func filters(_ filters: [(String, String)]) throws -> [(String, String)] {
        guard !filters.isEmpty else { return [] }
        let grouped = Dictionary(grouping: filters, by: \.0).mapValues { $0.map(\.1) }
        return [("filters", try DockerJSON.text(grouped))]
    }

    /// Reads `KEY=VALUE` options.
    static func filters(parsing texts: [String], adding fixed: [(String, String)] = []) throws -> [(String, String)] {
        let parsed = try texts.map { text in
            guard let index = text.firstIndex(of: "="), index > text.startIndex else {
                throw CommandFailure("filter \"\(text)\" is not KEY=VALUE")
            }
            return (String(text[..<index]), String(text[text.index(after: index)...]))
        }
        return try filters(parsed + fixed)
    }

    /// This node's id where the name is `self`.
    func nodeName(_ name: String) async throws -> String {
        guard name == "self" else { return name }
        let id = try await get(["info"], as: Docker.Info.self).Swarm.NodeID
        guard !id.isEmpty else { throw CommandFailure("this node is not part of a swarm; name another one") }
        return id
    }
}
