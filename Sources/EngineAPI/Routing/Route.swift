import DockerSchema
import HTTPTypes
import Primitives

/// Every operation of the API, with what its path names.
enum Route: Hashable, Sendable {
    case ping
    case version
    case info
    case events
    case swarmInspect, swarmInit, swarmJoin, swarmLeave, swarmUpdate, swarmUnlockKey, swarmUnlock
    /// Not Docker's.
    case swarmRecover, swarmBackup, swarmRestore, networkCheck
    case nodeList
    case nodeInspect(String), nodeUpdate(String), nodeRemove(String)
    case serviceList, serviceCreate
    case serviceInspect(String), serviceUpdate(String), serviceRemove(String), serviceLogs(String)
    case taskList
    case taskInspect(String), taskLogs(String)
    case networkList, networkCreate
    case networkInspect(String), networkRemove(String)
    case secretList, secretCreate
    case secretInspect(String), secretUpdate(String), secretRemove(String)
    case configList, configCreate
    case configInspect(String), configUpdate(String), configRemove(String)
    case imageList, imageCreate, imageLoad
    case imageInspect(String), imagePush(String), imageTag(String), imageRemove(String)
    case distribution(String)
    case authenticate
    case volumeList, volumeCreate
    case volumeInspect(String), volumeRemove(String)
    case containerList

    /// - Parameters:
    ///   - path: decoded segments, without the version.
    /// - Throws: ``Failure`` with code `notFound` for a path that nothing answers.
    init(method: HTTPRequest.Method, path: [String]) throws(Failure) {
        let found: Route? =
            switch path.first {
            case "swarm": Route.swarm(method, Array(path.dropFirst()))
            case "images": Route.image(method, Array(path.dropFirst()))
            case "nodes", "services", "tasks", "networks", "secrets", "configs", "volumes":
                Route.object(method, kind: path[0], Array(path.dropFirst()))
            default: Route.system(method, path)
            }
        guard let found else { throw Route.refusal(method, path) }
        self = found
    }

    /// `docker run` takes a 404 for a missing image and begins to pull it: what is known and not offered says so.
    private static func refusal(_ method: HTTPRequest.Method, _ path: [String]) -> Failure {
        let text = "\(method.rawValue) /\(path.joined(separator: "/"))"
        switch (path.first, path.count > 1 ? path[1] : "") {
        case ("containers", "create"):
            return Failure(
                .unimplemented, "\(text): containers are made for services only; use `docker service create`")
        case ("containers", _), ("exec", _), ("system", _), ("build", _), ("commit", _), ("plugins", _),
            ("session", _):
            return Failure(.unimplemented, "\(text) is not supported by this engine")
        default: return Failure(.notFound, "page not found")
        }
    }

    private static func system(_ method: HTTPRequest.Method, _ path: [String]) -> Route? {
        switch (method, path.first, path.count) {
        case (.get, "_ping", 1), (.head, "_ping", 1): return .ping
        case (.get, "version", 1): return .version
        case (.get, "info", 1): return .info
        case (.get, "events", 1): return .events
        case (.post, "auth", 1): return .authenticate
        case (.get, "distribution", 3...) where path.last == "json":
            return .distribution(path[1..<(path.count - 1)].joined(separator: "/"))
        case (.get, "containers", 2) where path[1] == "json": return .containerList
        default: return nil
        }
    }

    private static func swarm(_ method: HTTPRequest.Method, _ rest: [String]) -> Route? {
        switch (method, rest) {
        case (.get, []): .swarmInspect
        case (.post, ["init"]): .swarmInit
        case (.post, ["join"]): .swarmJoin
        case (.post, ["leave"]): .swarmLeave
        case (.post, ["update"]): .swarmUpdate
        case (.get, ["unlockkey"]): .swarmUnlockKey
        case (.post, ["unlock"]): .swarmUnlock
        case (.post, ["recover"]): .swarmRecover
        case (.post, ["backup"]): .swarmBackup
        case (.post, ["restore"]): .swarmRestore
        case (.get, ["network", "check"]): .networkCheck
        default: nil
        }
    }

    /// An image's name may hold slashes.
    private static func image(_ method: HTTPRequest.Method, _ rest: [String]) -> Route? {
        let head = rest.dropLast().joined(separator: "/")
        switch (method, rest.last, rest.count) {
        case (.get, "json", 1): return .imageList
        case (.post, "create", 1): return .imageCreate
        case (.post, "load", 1): return .imageLoad
        case (.get, "json", 2...): return .imageInspect(head)
        case (.post, "push", 2...): return .imagePush(head)
        case (.post, "tag", 2...): return .imageTag(head)
        case (.delete, _, 1...): return .imageRemove(rest.joined(separator: "/"))
        default: return nil
        }
    }

    private static func object(_ method: HTTPRequest.Method, kind: String, _ rest: [String]) -> Route? {
        guard let name = rest.first else { return method == .get ? list(kind) : nil }
        switch (method, rest.count, rest.last) {
        case (.get, 1, _): return inspect(kind, name)
        case (.delete, 1, _): return remove(kind, name)
        case (.post, 1, "create"): return create(kind)
        case (.post, 2, "update"): return update(kind, name)
        case (.get, 2, "logs"):
            return kind == "services" ? .serviceLogs(name) : kind == "tasks" ? .taskLogs(name) : nil
        default: return nil
        }
    }

    private static func list(_ kind: String) -> Route? {
        switch kind {
        case "nodes": .nodeList
        case "services": .serviceList
        case "tasks": .taskList
        case "networks": .networkList
        case "secrets": .secretList
        case "configs": .configList
        case "volumes": .volumeList
        default: nil
        }
    }

    private static func create(_ kind: String) -> Route? {
        switch kind {
        case "services": .serviceCreate
        case "networks": .networkCreate
        case "secrets": .secretCreate
        case "configs": .configCreate
        case "volumes": .volumeCreate
        default: nil
        }
    }

    private static func inspect(_ kind: String, _ name: String) -> Route? {
        switch kind {
        case "nodes": .nodeInspect(name)
        case "services": .serviceInspect(name)
        case "tasks": .taskInspect(name)
        case "networks": .networkInspect(name)
        case "secrets": .secretInspect(name)
        case "configs": .configInspect(name)
        case "volumes": .volumeInspect(name)
        default: nil
        }
    }

    private static func update(_ kind: String, _ name: String) -> Route? {
        switch kind {
        case "nodes": .nodeUpdate(name)
        case "services": .serviceUpdate(name)
        case "secrets": .secretUpdate(name)
        case "configs": .configUpdate(name)
        default: nil
        }
    }

    private static func remove(_ kind: String, _ name: String) -> Route? {
        switch kind {
        case "nodes": .nodeRemove(name)
        case "services": .serviceRemove(name)
        case "networks": .networkRemove(name)
        case "secrets": .secretRemove(name)
        case "configs": .configRemove(name)
        case "volumes": .volumeRemove(name)
        default: nil
        }
    }
}
