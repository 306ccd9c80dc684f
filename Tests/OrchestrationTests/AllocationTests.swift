import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Orchestration

@Suite struct AllocationTests {
    private func network(_ world: inout World, _ name: String, change: (inout NetworkSpec) -> Void = { _ in }) throws
        -> NetworkID
    {
        world.wait(.milliseconds(1))
        var spec = NetworkSpec(name: name)
        change(&spec)
        let id = NetworkID(value: UInt128(500 + world.tables.networks.count))
        try world.create(.network(Network(id: id, spec: spec)))
        return id
    }

    @Test func networksGetSubnetsThatOverlapNothing() throws {
        let pool = try #require(IPv4Network("10.0.0.0/16"))
        var world = try World(pools: [pool])
        let fixed = try network(&world, "fixed") { $0.subnet = IPv4Network("10.0.1.0/24") }
        let ids = try (0..<4).map { try network(&world, "n\($0)") }
        var loop = AllocationLoop(
            hostRoutes: [try #require(IPv4Network("10.0.2.0/23")), try #require(IPv4Network("0.0.0.0/0"))], mtu: 1398)
        let output = loop.run(world.tables, changes: nil, now: world.now, random: &world.random)
        for transaction in output.transactions { try world.apply(transaction.changes) }
        let subnets = ids.map { world.tables.networks[$0]?.allocation?.subnet.description }
        #expect(subnets == ["10.0.0.0/24", "10.0.4.0/24", "10.0.5.0/24", "10.0.6.0/24"])
        let allocation = try #require(world.tables.networks[fixed]?.allocation)
        #expect(allocation.subnet.description == "10.0.1.0/24")
        #expect(allocation.gateway.description == "10.0.1.1")
        #expect(allocation.mtu == 1398)
        let identifiers = (ids + [fixed]).compactMap { world.tables.networks[$0]?.allocation?.vni }
        #expect(Set(identifiers).count == 5 && identifiers.allSatisfy { $0 >= 4096 })
    }

    @Test func anImpossibleSubnetIsSaidInTheTaskAndOthersGoOn() throws {
        var world = try World()
        let good = try network(&world, "good") { $0.subnet = IPv4Network("10.1.0.0/24") }
        let bad = try network(&world, "bad") { $0.subnet = IPv4Network("10.1.0.128/25") }
        let first = try world.service("first") { $0.task.networks = [NetworkAttachmentSpec(network: bad)] }
        let second = try world.service("second") { $0.task.networks = [NetworkAttachmentSpec(network: good)] }
        try world.settle(.replicas, .allocation)
        #expect(
            world.active(first).first?.status.error
                == "network \"bad\": subnet 10.1.0.128/25 overlaps 10.1.0.0/24 of network \"good\"")
        #expect(world.active(first).first?.status.state == .new)
        #expect(world.active(second).first?.networks.first?.address.description == "10.1.0.2")
    }

    @Test func exhaustionIsSaidAndEndsWhenAnAddressIsFreed() throws {
        var world = try World(nodes: 1)
        let small = try network(&world, "small") { $0.subnet = IPv4Network("10.1.0.0/29") }
        let web = try world.service(mode: .replicated(6)) {
            $0.task.networks = [NetworkAttachmentSpec(network: small, aliases: ["w"])]
        }
        try world.settle(.replicas, .allocation, .scheduling)
        let placed = world.active(web).filter { $0.status.state == .assigned }
        #expect(placed.count == 5)
        #expect(placed.allSatisfy { $0.networks.first?.aliases == ["w"] })
        let waiting = try #require(world.active(web).first { $0.status.state == .new })
        #expect(
            waiting.status.error
                == "network \"small\" has no free address: all 6 of 10.1.0.0/29 are in use; remove tasks or use a "
                + "network with a larger subnet")
        #expect(try world.run(.allocation).transactions.isEmpty)
        try world.observe(placed[2], .complete)
        try world.run(.allocation)
        #expect(try world.stored(waiting).networks.first?.address == placed[2].networks.first?.address)
        #expect(try world.stored(waiting).status.error == "")
    }

    @Test func theAddressOfATaskOnALostNodeIsNotReused() throws {
        var world = try World(nodes: 1)
        let small = try network(&world, "small") { $0.subnet = IPv4Network("10.1.0.0/30") }
        let web = try world.service { $0.task.networks = [NetworkAttachmentSpec(network: small)] }
        try world.settle(.replicas, .allocation, .scheduling)
        try world.playAgents()
        try world.update(try #require(world.tables.nodes.sorted.first)) { $0.status.state = .down }
        try world.settle(.nodes, .replicas, .allocation)
        #expect(world.active(web).first?.status.error.contains("no free address") == true)
        try world.apply([.delete(.node(world.nodeIDs[0]), version: nil)])
        try world.settle(.nodes, .replicas, .allocation)
        #expect(world.active(web).first?.status.state == .pending)
    }

    @Test func freedAddressesRest() throws {
        var world = try World(nodes: 1)
        let net = try network(&world, "net")
        let web = try world.service { $0.task.networks = [NetworkAttachmentSpec(network: net)] }
        var loop = AllocationLoop(mtu: 1398)
        func run(_ world: inout World) throws {
            for _ in 0..<3 {
                let output = loop.run(world.tables, changes: nil, now: world.now, random: &world.random)
                for transaction in output.transactions { try world.apply(transaction.changes) }
            }
        }
        var seen: Set<IPv4Address> = []
        for _ in 0..<20 {
            try world.run(.replicas)
            try run(&world)
            let task = try #require(world.active(web).first)
            #expect(seen.insert(try #require(task.networks.first?.address)).inserted)
            try world.apply([.delete(.task(task.id), version: nil)])
        }
    }

    @Test func everyNodeHasAnAddressOnTheIngressNetwork() throws {
        var world = try World(nodes: 3)
        let ingress = try network(&world, "ingress") { $0.isIngress = true }
        try world.settle(.allocation)
        let first = try #require(world.tables.networks[ingress]?.allocation?.nodeAddresses)
        #expect(first.count == 3 && Set(first.values).count == 3)
        try world.apply([.delete(.node(world.nodeIDs[0]), version: nil)])
        try world.node("n4")
        try world.settle(.allocation)
        let second = try #require(world.tables.networks[ingress]?.allocation?.nodeAddresses)
        #expect(Set(second.keys) == Set(world.nodeIDs))
        #expect(second[world.nodeIDs[0]] == first[world.nodeIDs[0]])
    }

    @Test func publishedPortsAreChosenKeptAndConflictsNamed() throws {
        var world = try World(nodes: 1)
        let ingress = try network(&world, "ingress") { $0.isIngress = true }
        let web = try world.service("web") {
            $0.ports = [PortConfig(targetPort: 80), PortConfig(targetPort: 443, publishedPort: 8443)]
        }
        try world.settle(.replicas, .allocation)
        #expect(try world.stored(web).ports.map(\.publishedPort) == [30_000, 8443])
        let task = try #require(world.active(web).first)
        #expect(task.ports.map(\.publishedPort) == [30_000, 8443])
        #expect(task.networks.map(\.network) == [ingress])
        world.wait(.seconds(1))
        let other = try world.service("other") { $0.ports = [PortConfig(targetPort: 1, publishedPort: 8443)] }
        let third = try world.service("third") { $0.ports = [PortConfig(targetPort: 1)] }
        try world.settle(.replicas, .allocation)
        #expect(try world.stored(third).ports.map(\.publishedPort) == [30_001])
        #expect(
            world.active(other).first?.status.error == "port '8443' is already in use by service 'web' (\(web.id))")
        try world.update(web) { $0.ports.removeLast() }
        try world.settle(.allocation)
        #expect(try world.stored(web).ports.map(\.publishedPort) == [30_000])
        #expect(try world.stored(other).ports.map(\.publishedPort) == [8443])
        #expect(world.active(other).first?.status.state == .pending)
    }

    @Test func publishingWithoutAnIngressNetworkIsSaid() throws {
        var world = try World()
        let web = try world.service { $0.ports = [PortConfig(targetPort: 80)] }
        try world.settle(.replicas, .allocation)
        #expect(world.active(web).first?.status.error.contains("there is no ingress network") == true)
    }

    @Test func poolsRunOut() throws {
        let pool = try #require(IPv4Network("10.0.0.0/23"))
        var world = try World(pools: [pool])
        for number in 0..<3 { _ = try network(&world, "n\(number)") }
        var plan = NetworkPlan(world.tables, hostRoutes: [], mtu: 1398)
        _ = try plan.allocate(NetworkSpec(name: "a"))
        _ = try plan.allocate(NetworkSpec(name: "b"))
        #expect(throws: Failure.self) { try plan.allocate(NetworkSpec(name: "c")) }
    }
}

@Suite struct ServiceValidationTests {
    private func message(_ existing: Service? = nil, _ change: (inout ServiceSpec) -> Void) throws -> String {
        var world = try World()
        try world.create(
            .network(Network(id: NetworkID(value: 5), spec: NetworkSpec(name: "ingress", isIngress: true))))
        try world.service("taken") {
            $0.ports = [
                PortConfig(targetPort: 80, publishedPort: 80),
                PortConfig(targetPort: 90, publishedPort: 90, mode: .host),
            ]
        }
        var spec = ServiceSpec(name: "web", task: TaskSpec(container: ContainerSpec(image: "busybox")))
        change(&spec)
        do throws(Failure) {
            try ServiceValidation.validate(spec, existing: existing, in: world.tables)
            return ""
        } catch {
            return error.message
        }
    }

    @Test func aSpecThatFitsNoTransactionIsRefused() throws {
        let text = String(repeating: "x", count: 1 << 17)
        #expect(try message { $0.task.container.environment = ["A=\(text)"] } == "")
        #expect(
            try message { $0.task.container.environment = ["A=\(text)", "B=\(text)"] }
                .contains("the limit is 262144: use configs for large data"))
    }

    @Test func aPlainServiceIsFine() throws {
        #expect(try message { $0.ports = [PortConfig(targetPort: 80, publishedPort: 81)] } == "")
        #expect(try message { $0.name = "shop_web" } == "")
        #expect(try message { $0.ports = [PortConfig(targetPort: 1, publishedPort: 90, mode: .host)] } == "")
    }

    @Test(arguments: ["net.//.kernel.core_pattern", "net..x", "net./.x", ""])
    func aParameterThatLeadsOutOfItsFolderIsRefused(name: String) throws {
        #expect(
            try message { $0.task.container.sysctls = [name: "1"] }
                == "ContainerSpec: \"\(name)\" is no name of a kernel parameter")
        #expect(try message { $0.task.container.sysctls = ["net.ipv4.conf.eth0/1.forwarding": "1"] } == "")
    }

    @Test func textsAreDockers() throws {
        #expect(try message { $0.name = "" } == "meta: name must be provided")
        #expect(try message { $0.name = "-web" } == "name must be valid as a DNS name component")
        #expect(try message { $0.name = "we b" } == "name must be valid as a DNS name component")
        #expect(
            try message { $0.name = String(repeating: "a", count: 64) } == "name must be 63 characters or fewer")
        #expect(
            try message { $0.task.limits.memoryBytes = 4095 << 10 }
                == "invalid memory value 4193280: Must be at least 4MiB")
        #expect(
            try message { $0.task.limits.nanoCPUs = 500_000 } == "invalid cpu value 0.0005: Must be at least 0.001")
        #expect(try message { $0.task.container.image = "" } == "ContainerSpec: image reference must be provided")
        #expect(
            try message {
                let mount = Mount(source: .tmpfs(sizeBytes: 0, mode: 0o1777), target: "/data")
                $0.task.container.mounts = [mount, mount]
            } == "ContainerSpec: duplicate mount point: /data")
        #expect(
            try message { $0.update.maxFailureRatio = 1.5 }
                == "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1")
        #expect(try message { $0.update.delay = .seconds(-1) } == "TaskSpec: update-delay cannot be negative")
        #expect(try message { $0.task.restart.window = .seconds(-1) } == "TaskSpec: restart-window cannot be negative")
    }

    @Test func portsConflictsNameTheOwner() throws {
        let owner = ServiceID(value: 1000)
        #expect(
            try message { $0.ports = [PortConfig(targetPort: 1, publishedPort: 80)] }
                == "port '80' is already in use by service 'taken' (\(owner))")
        #expect(
            try message { $0.ports = [PortConfig(targetPort: 1, publishedPort: 90)] }
                == "port '90' is already in use by service 'taken' (\(owner)) as a host-published port")
        #expect(
            try message {
                $0.ports = [PortConfig(targetPort: 1, publishedPort: 7), PortConfig(targetPort: 2, publishedPort: 7)]
            } == "EndpointSpec: duplicate published ports provided: 7")
    }

    @Test func missingReferencesAreListed() throws {
        #expect(
            try message {
                $0.task.container.secrets = [
                    FileReference(id: SecretID(value: 1), name: "a", target: "a"),
                    FileReference(id: SecretID(value: 2), name: "b", target: "b"),
                ]
            } == "secrets not found: a, b")
        #expect(
            try message {
                $0.task.container.configs = [FileReference(id: ConfigID(value: 1), name: "c", target: "/c")]
            } == "config not found: c")
    }

    @Test func nameAndModeAreForEver() throws {
        let old = Service(
            id: ServiceID(value: 3),
            spec: ServiceSpec(name: "web", task: TaskSpec(container: ContainerSpec(image: "busybox"))))
        #expect(try message(old) { $0.name = "www" } == "renaming services is not supported")
        #expect(try message(old) { $0.mode = .global } == "service mode change is not allowed")
    }
}
