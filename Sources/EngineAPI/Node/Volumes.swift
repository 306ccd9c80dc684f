import DockerSchema
import Hummingbird
import Primitives

extension EngineAPI {
    func answerVolume(_ route: Route, _ exchange: Exchange) async throws -> Response {
        switch route {
        case .volumeCreate:
            let body = try await exchange.body(Docker.VolumeCreate.self).value
            if let driver = body.Driver, !driver.isEmpty, driver != "local" {
                throw Failure(.invalidArgument, "Driver: \"\(driver)\" is not supported; use local")
            }
            if body.DriverOpts?.isEmpty == false {
                throw Failure(.invalidArgument, "DriverOpts: the local driver takes none")
            }
            let name = body.Name ?? ""
            if !name.isEmpty { try ObjectName.check(name, kind: "volume") }
            let volume = try await volumes.create(name, labels: body.Labels ?? [:])
            return try Reply.json(Docker.Volume(volume), status: .created)
        case .volumeInspect(let name): return try Reply.json(Docker.Volume(try await volumes.inspect(name)))
        case .volumeRemove(let name):
            try await volumes.remove(name, force: exchange.query.flag("force"))
            return Reply.empty(.noContent)
        default:
            let filters = try Filters(exchange.query, allowed: ["name", "label", "driver"])
            let list = try await volumes.list().filter { volume in
                filters.allows("name") { volume.name.contains($0) } && filters.allowsLabels("label", volume.labels)
                    && filters.allowsExact("driver", "local")
            }
            return try Reply.json(Docker.VolumeList(Volumes: list.map { Docker.Volume($0) }))
        }
    }
}

extension Docker.Volume {
    fileprivate init(_ volume: VolumeRecord) {
        self.init(
            Name: volume.name, Mountpoint: volume.mountpoint, CreatedAt: volume.created?.rfc3339,
            Labels: volume.labels)
    }
}
