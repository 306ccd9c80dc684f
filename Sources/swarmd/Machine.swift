import AgentCore
import ClusterIdentity
import ClusterModel
import ContainerRuntime
import EngineAPI
import Glibc
import ImageStore
import LinuxSystem
import Logging
import NodeNetwork
import OverlayProtocol
import Primitives
import Synchronization
import WorkerNode

/// This machine: its images, volumes, containers and what it is.
final class Machine: NodePort {
    private let settings: DaemonSettings
    private let log: Logger
    private let runtime: ContainerRuntime
    let images: ImageAdapter
    let volumes: VolumeAdapter
    private let volumeFolder: VolumeFolder
    /// Of the cluster that the node is or was last in.
    private let network = Mutex<NodeNetwork?>(nil)
    private let tasks = RunningTasks()

    static let engineVersion = "0.1.0"

    init(settings: DaemonSettings, log: Logger) throws {
        self.settings = settings
        self.log = log
        volumeFolder = VolumeFolder(path: "\(settings.state)/volumes")
        volumes = VolumeAdapter(folder: volumeFolder, tasks: tasks)
        images = ImageAdapter(tasks: tasks)
        runtime = try ContainerRuntime(
            RuntimeSettings(
                stateFolder: "\(settings.state)/tasks", runFolder: "\(settings.run)/tasks",
                cgroupParent: String(settings.cgroupParent.drop { $0 == "/" }), initPath: settings.containerInit))
    }

    /// Opens what needs time.
    func open() async throws {
        images.set(
            try await LocalImages.open(
                folder: "\(settings.state)/images", insecureRegistries: settings.insecureRegistries))
    }

    func tasks(
        for membership: NodeMembership, _ identity: PeerIdentity, overlayKeys: KeyPair
    ) async throws -> ContainerTasks {
        let network = NodeNetwork(
            .init(
                cluster: identity.cluster, node: identity.node,
                runFolder: "\(settings.run)/network", underlayAddress: membership.dataPathAddress,
                dataPathPort: membership.dataPathPort, keys: overlayKeys))
        self.network.withLock { $0 = network }
        let endpoint = "\(membership.dataPathAddress):\(membership.dataPathPort)"
        let tasks = try ContainerTasks(
            runtime: runtime, images: try images.store(), volumes: volumeFolder,
            recordsFolder: "\(settings.state)/records", network: network,
            identity: .init(id: identity.node, hostname: hostname), log: log
        ) { [self] in
            var description = try await description()
            description.overlayKey = overlayKeys.publicKey.bytes
            description.overlayEndpoint = endpoint
            return description
        }
        self.tasks.set(tasks)
        return tasks
    }

    func forgetTasks() { removeTree("\(settings.state)/records") }

    func removeTree(_ path: String) {
        do {
            if File.exists(path) { try File.removeTree(path) }
        } catch { log.error("cannot remove \(path): \(error)") }
    }

    // MARK: What it is

    private var hostname: String {
        var name = utsname()
        uname(&name)
        return text(of: name.nodename)
    }

    private func text<Tuple>(of tuple: Tuple) -> String {
        withUnsafeBytes(of: tuple) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private var cpus: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
    private var memoryBytes: Int64 { Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE))) }

    func description() async throws -> NodeDescription {
        var name = utsname()
        uname(&name)
        return NodeDescription(
            hostname: text(of: name.nodename), architecture: text(of: name.machine),
            resources: Resources(nanoCPUs: Int64(cpus) * 1_000_000_000, memoryBytes: memoryBytes),
            engineVersion: Machine.engineVersion)
    }

    func facts() async -> APINodeFacts {
        var name = utsname()
        uname(&name)
        let release = (try? File.readText("/etc/os-release")) ?? ""
        let system = release.split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }
        return APINodeFacts(
            hostname: text(of: name.nodename), cpus: cpus, memoryBytes: memoryBytes,
            kernelVersion: text(of: name.release),
            operatingSystem: system.map { $0.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" } } ?? "Linux",
            architecture: text(of: name.machine),
            cgroupVersion: File.exists("/sys/fs/cgroup/cgroup.controllers") ? 2 : 1, rootFolder: settings.state,
            engineVersion: Machine.engineVersion)
    }

    func containers() async throws -> [ContainerRecord] {
        guard let tasks = tasks.current else { return [] }
        let imageIDs = Dictionary(
            (try await images.list()).flatMap { image in image.tags.map { ($0, image.id) } }
        ) { first, _ in first }
        return tasks.recordsOfContainers.map { id, record in
            ContainerRecord(
                record, id: id, imageID: imageIDs[record.task.spec.container.image] ?? "")
        }
    }

    // MARK: Network

    func networkDifferences() async throws -> [String] {
        guard let network = network.withLock({ $0 }) else {
            throw Failure(.unavailable, "This node is not part of a swarm")
        }
        return try await network.check()
    }

    /// Bytes of a frame inside the overlay: an underlay of 1500 less 102 for the outer headers over IPv6.
    func overlayMTU(_ membership: NodeMembership) -> UInt16 { 1398 }

    /// IPv4 networks that this machine has a route to.
    func hostRoutes() -> [IPv4Network] {
        Interfaces.ipv4().compactMap { IPv4Network(address: $0.address, prefixLength: $0.prefixLength) }
    }

    /// Fills in what was not said: the port, and the one address that the machine has.
    ///
    /// - Throws: ``Failure`` naming the addresses to choose from when there are several.
    func addresses(listen: String, advertise: String, dataPath: String) throws -> NodeAddresses {
        let listen = Machine.withPort(listen.isEmpty ? "0.0.0.0" : listen)
        let listenHost = try host(of: listen)
        var advertise = advertise
        if let interface = Interfaces.ipv4().first(where: { $0.name == advertise }) {
            advertise = interface.address.description
        }
        if advertise.isEmpty { advertise = listenHost == "0.0.0.0" ? try onlyAddress() : listenHost }
        advertise = Machine.withPort(advertise, like: listen)
        return NodeAddresses(
            listen: listen, advertise: advertise, dataPath: dataPath.isEmpty ? try host(of: advertise) : dataPath)
    }

    private func host(of address: String) throws -> String {
        guard let colon = address.lastIndex(of: ":") else {
            throw Failure(.invalidArgument, "\"\(address)\" is not an address of the form HOST:PORT")
        }
        return String(address[..<colon])
    }

    private static func withPort(_ address: String, like other: String = ":2377") -> String {
        if address.contains(":") { return address }
        return address + other[(other.lastIndex(of: ":") ?? other.startIndex)...]
    }

    private func onlyAddress() throws -> String {
        let candidates = Interfaces.ipv4().filter { $0.address.value >> 24 != 127 && $0.address.value >> 16 != 0xa9fe }
        guard let first = candidates.first else {
            throw Failure(.failedPrecondition, "this machine has no IPv4 address: say one with --advertise-addr")
        }
        guard candidates.count == 1 else {
            let list = candidates.map { "\($0.address) on \($0.name)" }.joined(separator: ", ")
            throw Failure(
                .invalidArgument,
                "could not choose an IP address to advertise since this system has multiple addresses (\(list)) - "
                    + "specify one with --advertise-addr")
        }
        return first.address.description
    }
}

/// The machine's addresses (getifaddrs(3)).
enum Interfaces {
    struct Address {
        var name: String
        var address: IPv4Address
        var prefixLength: UInt8
    }

    static func ipv4() -> [Address] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var result: [Address] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = ipv4(entry.ifa_addr), let mask = ipv4(entry.ifa_netmask) else { continue }
            result.append(
                Address(
                    name: String(cString: entry.ifa_name), address: address,
                    prefixLength: UInt8(mask.value.nonzeroBitCount)))
        }
        return result
    }

    private static func ipv4(_ address: UnsafeMutablePointer<sockaddr>?) -> IPv4Address? {
        guard let address, address.pointee.sa_family == sa_family_t(AF_INET) else { return nil }
        return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
            IPv4Address(value: UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
        }
    }
}
