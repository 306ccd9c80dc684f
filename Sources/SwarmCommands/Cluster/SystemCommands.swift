import ArgumentParser
import DockerSchema

struct InfoCommand: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "info", abstract: "Show this node and its cluster.")

    @OptionGroup var connection: ConnectionOptions
    @Option(name: .shortAndLong, help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        if let format {
            let info = try await engine.get(["info"], as: JSONValue.self)
            Console.line(format == "json" ? try DockerJSON.text(info) : try Template(format).render(info))
            return
        }
        let info = try await engine.get(["info"], as: Docker.Info.self)
        for line in InfoCommand.lines(info) { Console.line(line) }
    }

    static func lines(_ info: Docker.Info) -> [String] {
        var lines = [
            "Name: \(info.Name)", "Server Version: \(info.ServerVersion)",
            "Containers: \(info.Containers) (\(info.ContainersRunning) running)", "Images: \(info.Images)",
            "Swarm: \(info.Swarm.LocalNodeState)",
        ]
        let swarm = info.Swarm
        if !swarm.NodeID.isEmpty {
            lines += [
                " NodeID: \(swarm.NodeID)", " Is Manager: \(swarm.ControlAvailable)",
                " Node Address: \(swarm.NodeAddr)",
            ]
        }
        if let cluster = swarm.Cluster {
            lines += [
                " ClusterID: \(cluster.ID)", " Managers: \(swarm.Managers ?? 0)", " Nodes: \(swarm.Nodes ?? 0)",
                " Default Address Pool: \(cluster.DefaultAddrPool.joined(separator: ", "))",
                " SubnetSize: \(cluster.SubnetSize)", " Data Path Port: \(cluster.DataPathPort)",
            ]
        }
        if swarm.Cluster?.RootRotationInProgress == true {
            lines.append(
                " Root Rotation In Progress: true (`swarmctl node ls` shows which nodes have an old certificate)")
        }
        if !swarm.Error.isEmpty { lines.append(" Error: \(swarm.Error)") }
        let peers = (swarm.RemoteManagers ?? []).map(\.Addr)
        if !peers.isEmpty { lines.append(" Manager Addresses: \(peers.joined(separator: ", "))") }
        return lines + [
            "Kernel Version: \(info.KernelVersion)", "Operating System: \(info.OperatingSystem)",
            "Architecture: \(info.Architecture)", "CPUs: \(info.NCPU)",
            "Total Memory: \(Humanize.memory(info.MemTotal))", "Cgroup Version: \(info.CgroupVersion)",
            "Data Folder: \(info.DockerRootDir)",
        ]
    }
}

struct VersionCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Show the versions of this command and of the daemon.")

    @OptionGroup var connection: ConnectionOptions
    @Option(name: .shortAndLong, help: "json or TEMPLATE with .Client and .Server.") var format: String?

    /// The product's version.
    static let client = "0.1.0"

    func run(_ engine: EngineClient) async throws {
        let server: Result<JSONValue, CommandFailure>
        do {
            server = .success(try await engine.get(["version"]))
        } catch let failure as CommandFailure {
            server = .failure(failure)
        }
        var client: [String: JSONValue] = ["Version": .string(VersionCommand.client)]
        client["ApiVersion"] = .string(Docker.apiVersion.description)
        if let format {
            let both = JSONValue.object(["Client": .object(client), "Server": (try? server.get()) ?? .null])
            Console.line(format == "json" ? try DockerJSON.text(both) : try Template(format).render(both))
        } else {
            Console.line("Client: \(VersionCommand.client) (API \(Docker.apiVersion))")
            if case .success(let value) = server {
                let (version, api) = (value["Version"] ?? .null, value["ApiVersion"] ?? .null)
                Console.line("Server: \(Template.text(of: version)) (API \(Template.text(of: api)))")
            }
        }
        if case .failure(let failure) = server { throw failure }
    }
}
