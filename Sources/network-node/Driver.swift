import ClusterModel
import Glibc
import NodeNetwork
import OverlayProtocol
import Primitives

/// Reads commands, one a line, and answers each with one line that begins with `ok` or `error`.
final class Driver {
    private let network: NodeNetwork
    private let node: NodeID
    private var view = NetworkView(networks: [], endpoints: [], peers: [])
    private var tasks: [TaskID: ClusterTask] = [:]
    private var restored: [NodeNetwork.RunningTask] = []

    init?(arguments: [String]) {
        guard arguments.count == 6, let number = UInt64(arguments[0]), let port = UInt16(arguments[2]),
            let keyByte = UInt8(arguments[5]),
            let keys = KeyPair(secretBytes: [UInt8](repeating: keyByte, count: 32))
        else { return nil }
        node = NodeID(value: UInt128(number))
        network = NodeNetwork(
            NodeNetwork.Configuration(
                cluster: ClusterID(value: 77), node: node, runFolder: arguments[3], underlayAddress: arguments[1],
                dataPathPort: port, keys: keys, resolverFile: arguments[4]))
    }

    func run() async {
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            guard let command = words.first else { continue }
            do {
                print("ok " + (try await perform(command, Array(words.dropFirst()))))
            } catch {
                print("error \(error)")
            }
            // Into a pipe the library keeps lines back.
            fflush(nil)
        }
    }

    private func perform(_ command: String, _ words: [String]) async throws -> String {
        switch command {
        case "start": try await network.start()
        case "key": return network.publicKey.description
        case "clear": view = NetworkView(networks: [], endpoints: [], peers: [])
        case "network": view.networks.append(try described(words))
        case "endpoint": view.endpoints.append(try endpoint(words))
        case "peer":
            let key = stride(from: 0, to: words[1].count, by: 2).compactMap { offset -> UInt8? in
                let start = words[1].index(words[1].startIndex, offsetBy: offset)
                return UInt8(words[1][start...].prefix(2), radix: 16)
            }
            view.peers.append(OverlayPeer(node: try identifier(words[0]), key: key, endpoint: words[2]))
        case "apply": try await network.update(view)
        case "attach":
            let task = try task(words)
            try await network.attach(task: task, containerPID: try number(words[1]))
            let text = network.resolverFile(for: task)
            tasks[task.id] = task
            return text.split(separator: "\n").joined(separator: ";")
        case "restore":
            let task = try task(words)
            tasks[task.id] = task
            restored.append(NodeNetwork.RunningTask(task: task, pid: try number(words[1])))
        case "restored": try await network.restore(restored)
        case "detach":
            if let task = tasks[try identifier(words[0])] { try await network.detach(task: task) }
        case "check": return try await network.check().joined(separator: "; ")
        case "remove": try await network.removeAll()
        default: throw Failure(.invalidArgument, "unknown command \(command)")
        }
        return ""
    }

    private func number<Number: FixedWidthInteger>(_ text: String) throws -> Number {
        guard let value = Number(text) else { throw Failure(.invalidArgument, "\(text) is no number") }
        return value
    }

    private func identifier<Entity>(_ text: String) throws -> Identifier<Entity> {
        Identifier(value: UInt128(try number(text) as UInt64))
    }

    private func address(_ text: String) throws -> IPv4Address {
        guard let value = IPv4Address(text) else { throw Failure(.invalidArgument, "\(text) is no address") }
        return value
    }

    /// `ID NAME VNI SUBNET GATEWAY MTU KIND NODE=ADDRESS,…`
    private func described(_ words: [String]) throws -> Network {
        guard let subnet = IPv4Network(words[3]) else { throw Failure(.invalidArgument, words[3]) }
        var allocation = NetworkAllocation(
            vni: try number(words[2]), subnet: subnet, gateway: try address(words[4]), mtu: try number(words[5]))
        for pair in words.dropFirst(7).joined().split(separator: ",") {
            let parts = pair.split(separator: "=").map(String.init)
            allocation.nodeAddresses[try identifier(parts[0])] = try address(parts[1])
        }
        let spec = NetworkSpec(
            name: words[1], isInternal: words[6] == "internal", isIngress: words[6] == "ingress")
        return Network(id: try identifier(words[0]), spec: spec, allocation: allocation)
    }

    /// `NETWORK TASK NODE ADDRESS SERVICE NAME ALIASES SERVING PUBLISHED:TARGET,…`; `-` for an empty list.
    private func endpoint(_ words: [String]) throws -> NetworkEndpoint {
        NetworkEndpoint(
            network: try identifier(words[0]), task: try identifier(words[1]), node: try identifier(words[2]),
            address: try address(words[3]), serviceName: words[4], taskName: words[5],
            aliases: words[6] == "-" ? [] : words[6].split(separator: ",").map(String.init),
            isServing: words[7] == "1",
            ports: words[8] == "-"
                ? []
                : try words[8].split(separator: ",").map { pair in
                    let parts = pair.split(separator: ":").map(String.init)
                    return PortConfig(targetPort: try number(parts[1]), publishedPort: try number(parts[0]))
                })
    }

    /// `TASK PID NAME NETWORK=ADDRESS,… HOSTPORT:TARGET[:HOST]`
    private func task(_ words: [String]) throws -> ClusterTask {
        let networks: [NetworkAttachment] =
            words[3] == "-"
            ? []
            : try words[3].split(separator: ",").map { pair in
                let parts = pair.split(separator: "=").map(String.init)
                return NetworkAttachment(network: try identifier(parts[0]), address: try address(parts[1]))
            }
        let ports: [PortConfig] =
            words[4] == "-"
            ? []
            : try words[4].split(separator: ",").map { text in
                let parts = text.split(separator: ":").map(String.init)
                return PortConfig(
                    targetPort: try number(parts[1]), publishedPort: try number(parts[0]), mode: .host,
                    hostAddress: parts.count > 2 ? parts[2] : nil)
            }
        return ClusterTask(
            id: try identifier(words[0]), serviceID: ServiceID(value: 1), slot: 1, nodeID: node, name: words[2],
            serviceName: words[2], serviceVersion: 1, spec: TaskSpec(container: ContainerSpec(image: "none")),
            ports: ports, networks: networks)
    }
}
