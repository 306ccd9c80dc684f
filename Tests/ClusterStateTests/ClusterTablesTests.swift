import ClusterModel
import ClusterState
import Primitives
import Testing

@Suite struct ClusterTablesTests {
    private var random = SeededRandom(seed: 1)
    private let time = Timestamp(nanoseconds: 5)

    private mutating func service(_ name: String) -> Service {
        Service(
            id: ServiceID(using: &random),
            spec: ServiceSpec(name: name, task: TaskSpec(container: ContainerSpec(image: "busybox"))))
    }

    private mutating func task(of service: Service, on node: NodeID?) -> ClusterTask {
        ClusterTask(
            id: TaskID(using: &random), serviceID: service.id, slot: 1, nodeID: node, name: "t",
            serviceName: service.spec.name, serviceVersion: 0, spec: service.spec.task)
    }

    @Test mutating func createSetsVersionsAndTimes() throws {
        var tables = ClusterTables()
        let web = service("web")
        _ = try tables.apply(Transaction([.create(.service(web))], time: time), at: 7).get()
        let stored = try #require(tables.services[web.id])
        #expect(stored.meta == Meta(version: 7, specVersion: 7, createdAt: time, updatedAt: time))
        #expect(tables.service(named: "web")?.id == web.id)
        #expect(tables.index == 7)
    }

    /// For a proposer who did not hear what became of its proposal.
    @Test mutating func theStateSaysWhetherATransactionWasMade() throws {
        var tables = ClusterTables()
        var web = service("web")
        let creation = Transaction([.create(.service(web))], time: time)
        #expect(!tables.reflects(creation))
        _ = try tables.apply(creation, at: 7).get()
        #expect(tables.reflects(creation))
        web = try #require(tables.services[web.id])
        web.spec.labels = ["a": "b"]
        let update = Transaction([.update(.service(web), bySpec: true)], time: time)
        #expect(!tables.reflects(update))
        _ = try tables.apply(update, at: 8).get()
        #expect(tables.reflects(update))
        // The leader's loops note things beside that at once.
        web = try #require(tables.services[web.id])
        web.update = UpdateStatus(state: .updating, startedAt: time, message: "update in progress")
        _ = try tables.apply(Transaction([.update(.service(web), bySpec: false)], time: time), at: 9).get()
        #expect(tables.reflects(update))
        let deletion = Transaction([.delete(.service(web.id), version: 9)], time: time)
        #expect(!tables.reflects(deletion))
        _ = try tables.apply(deletion, at: 10).get()
        #expect(tables.reflects(deletion) && !tables.reflects(update) && !tables.reflects(creation))
    }

    /// A refusal says that nothing was made, which nobody knows once somebody else has changed the same object.
    @Test mutating func anUpdateThatWasOverwrittenIsNotTakenForRefused() throws {
        var tables = ClusterTables()
        var web = service("web")
        let creation = Transaction([.create(.service(web))], time: time)
        #expect(!tables.mayHide(creation))
        _ = try tables.apply(creation, at: 7).get()
        web = try #require(tables.services[web.id])
        var other = web
        web.spec.labels = ["a": "mine"]
        other.spec.labels = ["a": "another's"]
        let update = Transaction([.update(.service(web), bySpec: true)], time: time)
        #expect(!tables.mayHide(update))
        _ = try tables.apply(update, at: 8).get()
        other.meta.version = 8
        _ = try tables.apply(Transaction([.update(.service(other), bySpec: true)], time: time), at: 9).get()
        #expect(!tables.reflects(update) && tables.mayHide(update))
        _ = try tables.apply(Transaction([.delete(.service(web.id), version: nil)], time: time), at: 10).get()
        #expect(tables.mayHide(update) && !tables.mayHide(creation))
    }

    @Test mutating func aManagerIsFoundByItsRaftID() throws {
        var tables = ClusterTables()
        var node = Node(id: NodeID(using: &random), spec: NodeSpec(role: .manager))
        node.manager = ManagerStatus(raftID: 5, address: "10.0.0.1:2377")
        _ = try tables.apply(Transaction([.create(.node(node))], time: time), at: 1).get()
        #expect(tables.roster.node(ofMember: 5)?.id == node.id)
        node = try #require(tables.nodes[node.id])
        node.manager = ManagerStatus(raftID: 6, address: "10.0.0.1:2377")
        _ = try tables.apply(Transaction([.update(.node(node), bySpec: false)], time: time), at: 2).get()
        #expect(tables.roster.node(ofMember: 5) == nil)
        #expect(tables.roster.node(ofMember: 6)?.manager?.address == "10.0.0.1:2377")
    }

    @Test mutating func staleUpdateChangesNothing() throws {
        var tables = ClusterTables()
        let web = service("web")
        let other = service("other")
        _ = try tables.apply(Transaction([.create(.service(web))], time: time), at: 7).get()
        let result = tables.apply(
            Transaction([.create(.service(other)), .update(.service(web), bySpec: true)], time: time), at: 8)
        #expect(result == .failure(.stale(.service(web.id), expected: 0, found: 7)))
        #expect(tables.services.count == 1)
        #expect(tables.service(named: "other") == nil)
        #expect(tables.index == 8)
    }

    @Test mutating func internalUpdateKeepsTheSpecVersion() throws {
        var tables = ClusterTables()
        let web = service("web")
        _ = try tables.apply(Transaction([.create(.service(web))], time: time), at: 7).get()
        let stored = try #require(tables.services[web.id])
        _ = try tables.apply(Transaction([.update(.service(stored), bySpec: false)], time: time), at: 8).get()
        #expect(tables.services[web.id]?.meta.version == 8)
        #expect(tables.services[web.id]?.meta.specVersion == 7)
    }

    @Test mutating func namesAreUniqueAndFreedByRename() throws {
        var tables = ClusterTables()
        let web = service("web")
        _ = try tables.apply(Transaction([.create(.service(web))], time: time), at: 1).get()
        let twin = service("web")
        #expect(
            tables.apply(Transaction([.create(.service(twin))], time: time), at: 2)
                == .failure(.nameTaken(kind: "service", name: "web")))
        var renamed = try #require(tables.services[web.id])
        renamed.spec.name = "www"
        _ = try tables.apply(Transaction([.update(.service(renamed), bySpec: true)], time: time), at: 3).get()
        _ = try tables.apply(Transaction([.create(.service(twin))], time: time), at: 4).get()
        #expect(tables.service(named: "web")?.id == twin.id)
    }

    @Test mutating func indexesFollowTasks() throws {
        var tables = ClusterTables()
        let web = service("web")
        let first = NodeID(using: &random)
        let second = NodeID(using: &random)
        var task = task(of: web, on: first)
        _ = try tables.apply(
            Transaction([.create(.service(web)), .create(.task(task))], time: time), at: 1
        ).get()
        #expect(tables.tasks(on: first).map(\.id) == [task.id])
        task = try #require(tables.tasks[task.id])
        task.nodeID = second
        _ = try tables.apply(Transaction([.update(.task(task), bySpec: false)], time: time), at: 2).get()
        #expect(tables.tasks(on: first).isEmpty)
        #expect(tables.tasks(on: second).map(\.id) == [task.id])
        _ = try tables.apply(Transaction([.delete(.task(task.id), version: nil)], time: time), at: 3).get()
        #expect(tables.tasks(of: web.id).isEmpty)
        #expect(tables.tasks.count == 0)
    }

    @Test mutating func whoWasRemovedOrDemotedIsRemembered() throws {
        var tables = ClusterTables()
        let cluster = Cluster(id: ClusterID(using: &random), addressPools: [])
        let node = Node(
            id: NodeID(using: &random), spec: NodeSpec(role: .manager),
            manager: ManagerStatus(raftID: 7, address: "10.0.0.1:2377"))
        _ = try tables.apply(
            Transaction([.create(.cluster(cluster)), .create(.node(node))], time: time), at: 1
        ).get()
        let before = try #require(tables.cluster)
        var demoted = try #require(tables.nodes[node.id])
        demoted.manager = nil
        _ = try tables.apply(Transaction([.update(.node(demoted), bySpec: false)], time: time), at: 2).get()
        #expect(tables.roster.isRevoked(member: 7) && !tables.roster.isRevoked(node.id))
        _ = try tables.apply(Transaction([.delete(.node(node.id), version: nil)], time: time), at: 3).get()
        #expect(tables.roster.isRevoked(node.id))
        // A write that is based on the settings before neither fails nor forgets.
        var changed = before
        changed.spec.taskHistoryLimit = 9
        _ = try tables.apply(Transaction([.update(.cluster(changed), bySpec: true)], time: time), at: 4).get()
        #expect(tables.cluster?.revocations == [.member(7), .node(node.id)])
    }

    @Test mutating func theOldestRevocationIsForgottenAtTheLimit() throws {
        var tables = ClusterTables()
        let cluster = Cluster(id: ClusterID(using: &random), addressPools: [])
        _ = try tables.apply(Transaction([.create(.cluster(cluster))], time: time), at: 1).get()
        var nodes: [NodeID] = []
        for index in 0...StateLimits.revocations {
            let node = Node(id: NodeID(using: &random), spec: NodeSpec(role: .worker))
            nodes.append(node.id)
            let changes: [Change] = [.create(.node(node)), .delete(.node(node.id), version: nil)]
            _ = try tables.apply(Transaction(changes, time: time), at: UInt64(index + 2)).get()
        }
        #expect(tables.cluster?.revocations.count == StateLimits.revocations)
        #expect(!tables.roster.isRevoked(nodes[0]) && tables.roster.isRevoked(nodes[1]))
    }

    @Test mutating func snapshotRestoresEverything() throws {
        var tables = ClusterTables()
        let web = service("web")
        let task = task(of: web, on: NodeID(using: &random))
        _ = try tables.apply(
            Transaction([.create(.service(web)), .create(.task(task))], time: time), at: 1
        ).get()
        let restored = ClusterTables(objects: tables.objects, index: tables.index)
        #expect(Array(restored.objects) == Array(tables.objects))
        #expect(restored.index == tables.index)
        #expect(restored.tasks(of: web.id) == tables.tasks(of: web.id))
    }

    /// Two managers' snapshots of one state are the same bytes.
    @Test mutating func objectsComeByKindThenByID() throws {
        let services = (0..<20).map { service("service \($0)") }
        let tasks = services.map { task(of: $0, on: NodeID(using: &random)) }
        let nodes = (0..<20).map { _ in Node(id: NodeID(using: &random), spec: NodeSpec(role: .worker)) }
        let cluster = Cluster(id: ClusterID(value: 1), addressPools: [], subnetPrefixLength: 24)
        let config = Config(id: ConfigID(value: 1), name: "config", data: [1])
        let secret = Secret(id: SecretID(value: 1), name: "secret", data: [1])
        let network = Network(id: NetworkID(value: 1), spec: NetworkSpec(name: "network"))
        let first: [ClusterObject] = [.cluster(cluster)] + nodes.sorted { $0.id < $1.id }.map(ClusterObject.node)
        let middle: [ClusterObject] = [.network(network), .secret(secret), .config(config)]
        let last =
            services.sorted { $0.id < $1.id }.map(ClusterObject.service)
            + tasks.sorted { $0.id < $1.id }.map(ClusterObject.task)
        let all = first + middle + last
        var tables = ClusterTables()
        for object in all.shuffled(using: &random) { tables.restore(CollectionOfOne(object)) }
        #expect(Array(tables.objects) == all)
        #expect(Array(ClusterTables().objects).isEmpty)
    }

    @Test mutating func observationsMoveForwardAndSurviveAManagersWrite() throws {
        var tables = ClusterTables()
        let web = service("web")
        let created = task(of: web, on: NodeID(using: &random))
        _ = try tables.apply(Transaction([.create(.task(created))], time: time), at: 1).get()
        let read = try #require(tables.tasks[created.id])
        for (index, state) in [TaskState.running, .preparing].enumerated() {
            let observation = Change.observeTask(created.id, TaskStatus(state: state))
            _ = try tables.apply(Transaction([observation], time: time), at: UInt64(index + 2)).get()
        }
        #expect(tables.tasks[created.id]?.status.state == .running)
        var stopped = read
        stopped.desiredState = .shutdown
        _ = try tables.apply(Transaction([.update(.task(stopped), bySpec: false)], time: time), at: 4).get()
        #expect(tables.tasks[created.id]?.desiredState == .shutdown)
        #expect(tables.tasks[created.id]?.status.state == .running)
    }
}
