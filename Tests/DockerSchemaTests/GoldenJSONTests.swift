import ClusterModel
import DockerSchema
import Primitives
import Testing

/// Whole objects as Docker's daemon writes them, keys sorted.
@Suite struct GoldenJSONTests {
    private let time = Timestamp(nanoseconds: 1_790_000_000_123_456_789)
    private var meta: Meta { Meta(version: 40, specVersion: 12, createdAt: time, updatedAt: time) }
    private let stamp = "2026-09-21T14:13:20.123456789Z"

    @Test func aService() throws {
        var service = Service(
            id: ServiceID(value: 9), meta: meta,
            spec: ServiceSpec(name: "web", task: TaskSpec(container: ContainerSpec(image: "nginx"))))
        service.ports = [PortConfig(targetPort: 80, publishedPort: 30000)]
        service.update = UpdateStatus(state: .rollbackStarted, startedAt: time, message: "m")
        let expected = """
            {"CreatedAt":"\(stamp)","Endpoint":{"Ports":[{"Protocol":"tcp","PublishMode":"ingress",\
            "PublishedPort":30000,"TargetPort":80}],"Spec":{"Mode":"dnsrr"}},"ID":"0000000000000000000000009",\
            "Spec":{"EndpointSpec":{"Mode":"dnsrr"},"Labels":{},"Mode":{"Replicated":{"Replicas":1}},"Name":"web",\
            "RollbackConfig":\(updateConfig),"TaskTemplate":\(taskTemplate),"UpdateConfig":\(updateConfig)},\
            "UpdateStatus":{"Message":"m","StartedAt":"\(stamp)","State":"rollback_started"},"UpdatedAt":"\(stamp)",\
            "Version":{"Index":12}}
            """
        #expect(try DockerJSON.text(Docker.Service(service)) == expected)
    }

    private let updateConfig = """
        {"FailureAction":"pause","MaxFailureRatio":0,"Monitor":5000000000,"Order":"stop-first","Parallelism":1}
        """
    private let taskTemplate = """
        {"ContainerSpec":{"Image":"nginx","StopGracePeriod":10000000000},"ForceUpdate":0,"Placement":{},\
        "Resources":{"Limits":{},"Reservations":{}},"RestartPolicy":{"Condition":"any","Delay":5000000000,\
        "MaxAttempts":0},"Runtime":"container"}
        """

    @Test func aTask() throws {
        let network = Network(
            id: NetworkID(value: 3), spec: NetworkSpec(name: "back"),
            allocation: IPv4Network("10.0.1.0/24").map {
                NetworkAllocation(vni: 4097, subnet: $0, gateway: IPv4Address(10, 0, 1, 1), mtu: 1370)
            })
        let task = ClusterTask(
            id: TaskID(value: 5), meta: meta, serviceID: ServiceID(value: 9), slot: 2, nodeID: NodeID(value: 7),
            name: "web.2.0000000000000000000000005", serviceName: "web", serviceVersion: 1,
            spec: TaskSpec(container: ContainerSpec(image: "nginx")),
            networks: [NetworkAttachment(network: network.id, address: IPv4Address(10, 0, 1, 9))],
            desiredState: .shutdown,
            status: TaskStatus(
                state: .failed, timestamp: time, message: "started", error: "task: non-zero exit (3)",
                container: ContainerStatus(containerID: "c0ffee", pid: 11, exitCode: 3, health: .unhealthy)))
        let expected = """
            {"CreatedAt":"\(stamp)","DesiredState":"shutdown","ID":"0000000000000000000000005","Labels":{},\
            "Name":"web.2.0000000000000000000000005","NetworksAttachments":[{"Addresses":["10.0.1.9/24"],\
            "Network":{"ID":"0000000000000000000000003","Spec":{"Name":"back"}}}],\
            "NodeID":"0000000000000000000000007","ServiceID":"0000000000000000000000009","Slot":2,\
            "Spec":\(taskTemplate),"Status":{"ContainerStatus":{"ContainerID":"c0ffee","ExitCode":3,\
            "Health":"unhealthy","PID":11},"Err":"task: non-zero exit (3)","Message":"started","PortStatus":{},\
            "State":"failed","Timestamp":"\(stamp)"},"UpdatedAt":"\(stamp)","Version":{"Index":40}}
            """
        #expect(try DockerJSON.text(Docker.Task(task) { $0 == network.id ? network : nil }) == expected)
    }

    @Test func aNode() throws {
        let node = Node(
            id: NodeID(value: 7), meta: meta,
            spec: NodeSpec(labels: ["zone": "eu"], role: .manager, availability: .drain),
            description: NodeDescription(
                hostname: "n1", resources: Resources(nanoCPUs: 2_000_000_000, memoryBytes: 1024), engineVersion: "0.1.0"
            ),
            status: NodeStatus(state: .ready, address: "10.1.0.1"))
        let expected = """
            {"CreatedAt":"\(stamp)","Description":{"Engine":{"EngineVersion":"0.1.0"},"Hostname":"n1","Platform":\
            {"Architecture":"x86_64","OS":"linux"},"Resources":{"MemoryBytes":1024,"NanoCPUs":2000000000},\
            "TLSInfo":{"TrustRoot":"PEM"}},"ID":"0000000000000000000000007","ManagerStatus":{"Addr":"10.1.0.1:2377",\
            "Leader":true,"Reachability":"reachable"},"Spec":{"Availability":"drain","Labels":{"zone":"eu"},\
            "Role":"manager"},"Status":{"Addr":"10.1.0.1","State":"ready"},"UpdatedAt":"\(stamp)",\
            "Version":{"Index":12}}
            """
        let manager = Docker.ManagerStatus(address: "10.1.0.1:2377", isLeader: true, isReachable: true)
        let authority = Authority(rootCertificate: "PEM")
        #expect(try DockerJSON.text(Docker.Node(node, manager: manager, authority: authority, now: .zero)) == expected)
    }

    @Test func aSecretNeverShowsItsBytes() throws {
        let secret = Secret(id: SecretID(value: 1), meta: meta, name: "key", data: Array("s3cret".utf8))
        let text = try DockerJSON.text(Docker.Payload(secret))
        #expect(!text.contains("Data"))
        let config = Config(id: ConfigID(value: 1), meta: meta, name: "conf", data: Array("a".utf8))
        #expect(try DockerJSON.text(Docker.Payload(config)).contains(#""Data":"YQ==""#))
    }

    @Test func aNetwork() throws {
        let network = Network(
            id: NetworkID(value: 3), meta: meta,
            spec: NetworkSpec(name: "back", labels: ["a": "b"], subnet: IPv4Network("10.9.0.0/24"), isInternal: true))
        let expected = """
            {"Attachable":false,"ConfigFrom":{"Network":""},"ConfigOnly":false,"Containers":{},"Created":"\(stamp)",\
            "Driver":"overlay","EnableIPv4":true,"EnableIPv6":false,"IPAM":{"Config":[{"Subnet":"10.9.0.0/24"}],\
            "Driver":"default"},"Id":"0000000000000000000000003","Ingress":false,"Internal":true,\
            "Labels":{"a":"b"},"Name":"back","Options":{},"Scope":"swarm"}
            """
        #expect(try DockerJSON.text(Docker.Network(network)) == expected)
    }
}
