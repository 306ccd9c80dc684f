public import ClusterModel
public import ClusterState
import DockerSchema
import HTTPTypes
import Hummingbird
import NIOCore
import Primitives

/// Checks a service's spec against the cluster before it is proposed.
///
/// - Returns: warnings for the client.
/// - Throws: ``Failure`` with the status the client is to get; `invalidArgument` names the field.
public typealias ServiceCheck = @Sendable (_ spec: ServiceSpec, _ tables: ClusterTables) throws -> [String]

/// The operations of the Engine API over the node's ports. It holds no state of its own.
public struct EngineAPI: Sendable {
    let cluster: any ClusterPort
    let images: any ImagePort
    let volumes: any VolumePort
    let node: any NodePort
    let check: ServiceCheck

    /// - Parameter check: runs after the built-in checks of names and amounts.
    public init(
        cluster: any ClusterPort, images: any ImagePort, volumes: any VolumePort, node: any NodePort,
        check: @escaping ServiceCheck = { _, _ in [] }
    ) {
        self.cluster = cluster
        self.images = images
        self.volumes = volumes
        self.node = node
        self.check = check
    }

    /// The state, on a manager of an active cluster.
    ///
    /// - Throws: ``Failure`` with code `unavailable` and Docker's text elsewhere.
    func managerTables() async throws -> ClusterTables {
        if let refusal = DockerTexts.refusal(of: await cluster.membership()) { throw refusal }
        return try await cluster.tables()
    }

    /// Proposes what `change` makes of the newest state, again while only the cluster's own writes came between.
    ///
    /// `change` throws when a user's write came between, because it compares the spec's version.
    func write(_ change: (ClusterTables) throws -> [Change]) async throws {
        var attempt = 1
        while true {
            let changes = try change(try await managerTables())
            guard !changes.isEmpty else { return }
            do {
                _ = try await cluster.propose(Transaction(changes, time: cluster.now()))
                return
            } catch let failure as Failure where failure.code == .conflict && attempt < EngineLimits.writeAttempts {
                attempt += 1
            }
        }
    }

    /// Proposes a new object that depends on no other: whether its name is free is found where it is applied, so nothing
    /// has to be read before.
    func create(_ object: ClusterObject) async throws {
        if let refusal = DockerTexts.refusal(of: await cluster.membership()) { throw refusal }
        _ = try await cluster.propose(Transaction([.create(object)], time: cluster.now()))
    }

    /// The update that a user based on a version.
    ///
    /// - Throws: ``Failure`` with code `conflict` when another user's update came first.
    static func checkVersion(_ version: UInt64, _ meta: Meta, _ what: String) throws(Failure) {
        guard version == meta.specVersion else {
            throw Failure(
                .conflict,
                "update out of sequence: \(what) is at version \(meta.specVersion), the update is based on \(version); "
                    + "read it again and retry")
        }
    }
}

/// A request with its decoded target.
struct Exchange: Sendable {
    var request: Request
    var target: RequestTarget

    var query: Query { target.query }

    /// The whole JSON body.
    ///
    /// - Throws: ``Failure`` with code `invalidArgument`, naming the malformed field.
    func body<Value: Codable & Sendable>(_ type: Value.Type) async throws -> DockerSchema.RequestBody<Value> {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: EngineLimits.jsonBodyBytes)
        } catch is NIOTooManyBytesError {
            throw Failure(.invalidArgument, "the body is above \(EngineLimits.jsonBodyBytes) bytes")
        }
        return try DockerSchema.RequestBody(decoding: buffer.readableBytesView, as: type)
    }

    /// What `X-Registry-Auth` carries; nil without the header or with an empty object.
    func credentials() throws(Failure) -> RegistryCredentials? {
        guard let name = HTTPField.Name("X-Registry-Auth"), let text = request.headers[name], !text.isEmpty else {
            return nil
        }
        guard let bytes = DockerJSON.bytes(base64: text) else {
            throw Failure(.invalidArgument, "X-Registry-Auth: not base64")
        }
        let json = try DockerJSON.decode(JSONValue.self, from: bytes)
        func member(_ key: String) -> String {
            if case .string(let value)? = json[key] { return value }
            return ""
        }
        let credentials = RegistryCredentials(
            username: member("username"), password: member("password"), serverAddress: member("serveraddress"),
            identityToken: member("identitytoken"), registryToken: member("registrytoken"))
        return credentials == RegistryCredentials() ? nil : credentials
    }
}
