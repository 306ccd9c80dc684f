import DockerSchema
import HTTPTypes
import Hummingbird
import HummingbirdTLS
public import Logging
import NIOCore
import Primitives
import ServiceLifecycle

/// Serves ``EngineAPI`` on a unix socket, and over TLS where that is asked for.
public struct EngineServer: Sendable {
    private let api: EngineAPI
    private let socketPath: String
    private let secure: SecureListener?
    private let logger: Logger
    private let onListening: @Sendable () async -> Void

    /// - Parameters:
    ///   - socketPath: a leftover socket is replaced; the folder must exist, and its mode decides who may connect.
    ///   - onListening: called once clients can connect; the place for chmod and readiness.
    public init(
        api: EngineAPI, socketPath: String, secure: SecureListener? = nil, logger: Logger,
        onListening: @escaping @Sendable () async -> Void = {}
    ) {
        self.api = api
        self.socketPath = socketPath
        self.secure = secure
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until the surrounding ServiceGroup shuts down gracefully, the task is cancelled, or a listener fails.
    public func run() async throws {
        let responder = EngineResponder(api: api)
        let local = Application(
            responder: responder, server: LoopChannel.server,
            configuration: ApplicationConfiguration(address: .unixDomainSocket(path: socketPath)),
            onServerRunning: { [onListening] _ in await onListening() },
            logger: logger)
        guard let secure else { return try await local.run() }
        let remote = Application(
            responder: responder, server: try .tls(LoopChannel.server, tlsConfiguration: secure.configuration),
            configuration: ApplicationConfiguration(address: .hostname(secure.host, port: secure.port)),
            onServerRunning: { [logger] _ in logger.info("the API answers at tcp://\(secure.host):\(secure.port)") },
            logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await local.run() }
            group.addTask { try await remote.run() }
            try await group.next()
            group.cancelAll()
        }
    }
}

/// Turns a request into a route, and what fails into Docker's error body.
struct EngineResponder: HTTPResponder {
    let api: EngineAPI

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        var response: Response
        do {
            let target = try RequestTarget(request.head.path ?? "/")
            let route = try Route(method: request.method, path: target.path)
            response = try await answer(route, Exchange(request: request, target: target))
        } catch {
            response = Reply.failure(error)
            if response.status.code >= 500 {
                context.logger.warning("\(request.method) \(request.head.path ?? ""): \(error)")
            }
        }
        for (name, value) in EngineResponder.headers { response.headers[name] = value }
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ route: Route, _ exchange: Exchange) async throws -> Response {
        if route.isBrief(exchange.request) { return try await api.answer(route, exchange) }
        return try await withTaskExecutorPreference(globalConcurrentExecutor) {
            var response = try await api.answer(route, exchange)
            if response.body.contentLength == nil { response.body = response.body.offLoop }
            return response
        }
    }

    private static let headers: [(HTTPField.Name, String)] = [
        ("Api-Version", Docker.apiVersion.description), ("Docker-Experimental", "false"), ("Ostype", "linux"),
        ("Server", "Swarm"),
    ].compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }
}

extension EngineAPI {
    func answer(_ route: Route, _ exchange: Exchange) async throws -> Response {
        switch route {
        case .ping: await ping(exchange)
        case .version: try await version()
        case .info: try await info()
        case .events: try await events(exchange)
        case .containerList: try await containerList(exchange)
        case .swarmInspect, .swarmInit, .swarmJoin, .swarmLeave, .swarmUpdate, .swarmUnlockKey, .swarmUnlock,
            .swarmRecover, .swarmBackup, .swarmRestore:
            try await answerSwarm(route, exchange)
        case .nodeList: try await nodeList(exchange)
        case .nodeInspect(let name): try await nodeInspect(name)
        case .nodeUpdate(let name): try await nodeUpdate(name, exchange)
        case .nodeRemove(let name): try await nodeRemove(name, exchange)
        case .serviceList: try await serviceList(exchange)
        case .serviceCreate: try await serviceCreate(exchange)
        case .serviceInspect(let name): try await serviceInspect(name)
        case .serviceUpdate(let name): try await serviceUpdate(name, exchange)
        case .serviceRemove(let name): try await serviceRemove(name)
        case .serviceLogs(let name): try await serviceLogs(name, exchange)
        case .taskList: try await taskList(exchange)
        case .taskInspect(let name): try await taskInspect(name)
        case .taskLogs(let name): try await taskLogs(name, exchange)
        case .networkList: try await networkList(exchange)
        case .networkCreate: try await networkCreate(exchange)
        case .networkInspect(let name): try await networkInspect(name)
        case .networkRemove(let name): try await networkRemove(name)
        case .networkCheck: try await networkCheck()
        case .secretList, .secretCreate, .secretInspect, .secretUpdate, .secretRemove:
            try await answerSecret(route, exchange)
        case .configList, .configCreate, .configInspect, .configUpdate, .configRemove:
            try await answerConfig(route, exchange)
        case .imageList, .imageCreate, .imageLoad, .imageInspect, .imagePush, .imageTag, .imageRemove, .distribution,
            .authenticate:
            try await answerImage(route, exchange)
        case .volumeList, .volumeCreate, .volumeInspect, .volumeRemove: try await answerVolume(route, exchange)
        }
    }
}
