import ClusterModel
import ClusterState
import DockerSchema
import HTTPTypes
import Hummingbird
import NIOCore
import Primitives

extension EngineAPI {
    func ping(_ exchange: Exchange) async -> Response {
        let membership = await cluster.membership()
        var response = Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-cache, no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: "OK")))
        if let name = HTTPField.Name("Swarm") {
            response.headers[name] =
                membership.state == .active
                ? "active/" + (membership.isManager ? "manager" : "worker") : membership.state.rawValue
        }
        return response
    }

    func version() async throws -> Response {
        let facts = await node.facts()
        let architecture = Self.goName(ofArchitecture: facts.architecture)
        let details = [
            "ApiVersion": Docker.apiVersion.description, "Arch": architecture, "KernelVersion": facts.kernelVersion,
            "MinAPIVersion": Docker.oldestAPIVersion.description, "Os": "linux",
        ]
        var component = Docker.Component()
        component.Name = "Engine"
        component.Version = facts.engineVersion
        component.Details = details
        var version = Docker.VersionInfo()
        version.Platform.Name = "Swarm"
        version.Components = [component]
        version.Version = facts.engineVersion
        version.ApiVersion = Docker.apiVersion.description
        version.MinAPIVersion = Docker.oldestAPIVersion.description
        version.Os = "linux"
        version.Arch = architecture
        version.KernelVersion = facts.kernelVersion
        return try Reply.json(version)
    }

    func info() async throws -> Response {
        let facts = await node.facts()
        let containers = try await node.containers()
        let running = containers.count { $0.isRunning }
        var info = Docker.Info()
        info.Swarm = try await swarmInfo()
        info.ID = info.Swarm.NodeID
        info.Name = facts.hostname
        info.Containers = containers.count
        info.ContainersRunning = running
        info.ContainersStopped = containers.count - running
        info.Images = try await images.list().count
        info.Driver = "overlay2"
        info.Plugins.Volume = ["local"]
        info.Plugins.Network = ["overlay"]
        info.Plugins.Log = ["json-file"]
        info.MemoryLimit = true
        info.SwapLimit = true
        info.PidsLimit = true
        info.CPUShares = true
        info.CpuCfsPeriod = true
        info.CpuCfsQuota = true
        info.IPv4Forwarding = true
        info.LoggingDriver = "json-file"
        info.CgroupDriver = "cgroupfs"
        info.CgroupVersion = String(facts.cgroupVersion)
        info.SystemTime = cluster.now().rfc3339
        info.KernelVersion = facts.kernelVersion
        info.OperatingSystem = facts.operatingSystem
        info.OSType = "linux"
        info.Architecture = facts.architecture
        info.NCPU = facts.cpus
        info.MemTotal = facts.memoryBytes
        info.DockerRootDir = facts.rootFolder
        info.Labels = facts.labels.map { "\($0.key)=\($0.value)" }.sorted()
        info.ServerVersion = facts.engineVersion
        info.DefaultRuntime = "container-init"
        info.Runtimes = ["container-init": Docker.Empty()]
        info.LiveRestoreEnabled = true
        info.InitBinary = "container-init"
        info.SecurityOptions = ["name=seccomp,profile=builtin"]
        info.IndexServerAddress = "https://index.docker.io/v1/"
        return try Reply.json(info)
    }

    private func swarmInfo() async throws -> Docker.SwarmInfo {
        let membership = await cluster.membership()
        var info = Docker.SwarmInfo()
        info.NodeID = membership.nodeID?.description ?? ""
        info.NodeAddr = membership.address
        info.LocalNodeState = membership.state.rawValue
        info.ControlAvailable = membership.state == .active && membership.isManager
        info.Error = membership.error
        info.RemoteManagers = await cluster.knownManagers().map { id, address in
            var peer = Docker.Peer()
            peer.NodeID = id.description
            peer.Addr = address
            return peer
        }
        guard info.ControlAvailable else { return info }
        // A manager without a leader still answers, saying so.
        do {
            let tables = try await cluster.tables()
            info.Nodes = tables.nodes.count
            info.Managers = tables.nodes.sorted.count { $0.spec.role == .manager }
            info.Cluster = try tables.cluster.map {
                Docker.Swarm($0, issuer: try cluster.issuer(of: $0), tokens: nil)
            }
        } catch {
            info.Error = "\(error)"
            info.ControlAvailable = false
        }
        return info
    }

    func containerList(_ exchange: Exchange) async throws -> Response {
        let filters = try Filters(exchange.query, allowed: ["id", "name", "label", "status"])
        let all = exchange.query.flag("all") || !filters["status"].isEmpty
        let containers = try await node.containers().filter { container in
            (all || container.isRunning) && filters.allowsPrefix("id", of: container.id)
                && filters.allows("name") { container.name.contains($0) }
                && filters.allowsLabels("label", container.labels)
                && filters.allowsExact("status", container.isRunning ? "running" : "exited")
        }
        return try Reply.json(containers.map(Docker.ContainerSummary.init))
    }

    static func goName(ofArchitecture name: String) -> String {
        switch name {
        case "x86_64": "amd64"
        case "aarch64": "arm64"
        default: name
        }
    }
}

extension Docker.ContainerSummary {
    init(_ container: ContainerRecord) {
        self.init(
            Id: container.id, Names: ["/" + container.name], Image: container.image, ImageID: container.imageID,
            Command: container.command, Created: container.created.nanoseconds / 1_000_000_000,
            State: container.isRunning ? "running" : "exited",
            Status: container.isRunning ? "Up" : "Exited (\(container.exitCode ?? 0))", Labels: container.labels)
    }
}
