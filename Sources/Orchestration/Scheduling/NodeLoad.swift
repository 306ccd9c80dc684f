import ClusterModel
import Primitives

/// A node and what runs on it, as the scheduler counts.
struct NodeLoad: Sendable {
    let node: Node
    /// Reserved by tasks that have not ended.
    private(set) var reserved = Resources()
    /// Tasks that are wanted here, of whatever service.
    private(set) var taskCount = 0
    private var hostPorts: [HostPort] = []

    init(_ node: Node) { self.node = node }

    mutating func add(_ task: ClusterTask) {
        reserved.nanoCPUs += task.spec.reservations.nanoCPUs
        reserved.memoryBytes += task.spec.reservations.memoryBytes
        if task.isActive { taskCount += 1 }
        hostPorts += HostPort.all(of: task.ports)
    }

    func fits(_ wanted: Resources) -> Bool {
        guard let total = node.description?.resources else { return wanted == Resources() }
        return (wanted.nanoCPUs <= 0 || reserved.nanoCPUs + wanted.nanoCPUs <= total.nanoCPUs)
            && (wanted.memoryBytes <= 0 || reserved.memoryBytes + wanted.memoryBytes <= total.memoryBytes)
    }

    func isFree(_ ports: [HostPort]) -> Bool {
        ports.allSatisfy { port in hostPorts.allSatisfy { !$0.collides(with: port) } }
    }
}

/// A port of a node's own addresses that a task binds.
struct HostPort: Hashable, Sendable {
    var port: UInt16
    var `protocol`: PortProtocol
    /// nil is every address.
    var address: String?

    static func all(of ports: [PortConfig]) -> [HostPort] {
        ports.compactMap { port in
            guard port.mode == .host, port.publishedPort != 0 else { return nil }
            return HostPort(port: port.publishedPort, protocol: port.protocol, address: port.hostAddress)
        }
    }

    func collides(with other: HostPort) -> Bool {
        port == other.port && `protocol` == other.protocol
            && (address == nil || other.address == nil || address == other.address)
    }
}
