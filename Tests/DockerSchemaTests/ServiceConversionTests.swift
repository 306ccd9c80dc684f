import ClusterModel
import DockerSchema
import Primitives
import Testing

@Suite struct ServiceConversionTests {
    @Test func aFullSpecSurvivesTheWayThroughJSON() throws {
        let spec = try Samples.fullSpec()
        let body = try RequestBody(decoding: DockerJSON.encode(Docker.ServiceSpec(spec)), as: Docker.ServiceSpec.self)
        var warnings: [String] = []
        let back = try ServiceSpec(body.value, resolving: Samples.references, warnings: &warnings)
        #expect(back == spec)
        #expect(try body.warnings().isEmpty)
        #expect(warnings.isEmpty)
    }

    @Test func aMinimalSpecGetsDockersDefaults() throws {
        let spec = try Samples.read(#"{"Name":"web","TaskTemplate":{"ContainerSpec":{"Image":"nginx"}}}"#).spec
        #expect(spec == ServiceSpec(name: "web", task: TaskSpec(container: ContainerSpec(image: "nginx"))))
    }

    @Test func whatTheDockerClientSendsIsReadWithoutWarning() throws {
        let json = """
            {"Name":"web","Labels":{},"TaskTemplate":{"ContainerSpec":{"Image":"nginx:1@sha256:aa","Init":false,
            "StopGracePeriod":10000000000,"DNSConfig":{},"Isolation":"default"},
            "Resources":{"Limits":{"MemoryBytes":67108864},"Reservations":{}},
            "RestartPolicy":{"Condition":"any","Delay":5000000000,"MaxAttempts":0},
            "Placement":{"Platforms":[{"Architecture":"amd64","OS":"linux"}]},"ForceUpdate":0},
            "Mode":{"Replicated":{"Replicas":2}},
            "UpdateConfig":{"Parallelism":1,"FailureAction":"pause","Monitor":5000000000,"MaxFailureRatio":0,
            "Order":"stop-first"},
            "EndpointSpec":{"Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":8080,"PublishMode":"ingress"}]}}
            """
        let (spec, warnings) = try Samples.read(json)
        #expect(warnings == [])
        #expect(spec.mode == .replicated(2))
        #expect(spec.task.limits.memoryBytes == 64 << 20)
        #expect(spec.ports == [PortConfig(targetPort: 80, publishedPort: 8080)])
    }

    @Test func aSettingThatCannotBeHeldIsNamedInAWarning() throws {
        let json = """
            {"Name":"web","TaskTemplate":{"ContainerSpec":{"Image":"nginx","Privileges":
            {"SELinuxContext":{"Disable":false,"User":"u"},"NoNewPrivileges":true}},
            "Resources":{"SwapBytes":100}},"EndpointSpec":{"Mode":"vip"}}
            """
        #expect(
            try Samples.read(json).warnings == [
                "TaskTemplate.ContainerSpec.Privileges.SELinuxContext is not supported and was ignored",
                "TaskTemplate.Resources.SwapBytes is not supported and was ignored",
                "EndpointSpec.Mode: the name is answered by DNS round robin (dnsrr) instead of a virtual IP",
            ])
    }

    @Test(arguments: [
        (#"{"TaskTemplate":{"ContainerSpec":{"Image":7}}}"#, "TaskTemplate.ContainerSpec.Image: expected a string"),
        (
            #"{"TaskTemplate":{"ContainerSpec":{"Image":"a","Env":"A=1"}}}"#,
            "TaskTemplate.ContainerSpec.Env: expected a list"
        ),
        (
            #"{"TaskTemplate":{"ContainerSpec":{"Image":"a","Mounts":[{"Type":"bind","Source":"x","Target":"/t"}]}}}"#,
            "TaskTemplate.ContainerSpec.Mounts[0].Source: \"x\" is not an absolute path of the node"
        ),
        (
            #"{"TaskTemplate":{"ContainerSpec":{"Image":"a"},"RestartPolicy":{"Condition":"often"}}}"#,
            "TaskTemplate.RestartPolicy.Condition: \"often\" is not one of none, on-failure, any"
        ),
        (
            #"{"TaskTemplate":{"ContainerSpec":{"Image":"a"}},"UpdateConfig":{"MaxFailureRatio":2}}"#,
            "UpdateConfig.MaxFailureRatio: 2.0 is not between 0 and 1"
        ),
        (
            #"{"TaskTemplate":{"ContainerSpec":{"Image":"a"}},"EndpointSpec":{"Ports":[{"PublishedPort":80}]}}"#,
            "EndpointSpec.Ports[0].TargetPort is missing"
        ),
        (#"{"Name":"web"}"#, "TaskTemplate is missing"),
        (
            #"{"TaskTemplate":{"ContainerSpec":{"Image":"a","Secrets":[{"SecretName":"lost"}]}}}"#,
            "secret lost not found"
        ),
    ])
    func aMalformedFieldIsNamed(json: String, message: String) {
        let failure = #expect(throws: Failure.self) { try Samples.read(json) }
        #expect(failure?.message == message)
        #expect(failure?.code == .invalidArgument)
    }

    @Test func aJobIsNotImplemented() {
        let failure = #expect(throws: Failure.self) {
            try Samples.read(#"{"TaskTemplate":{"ContainerSpec":{"Image":"a"}},"Mode":{"ReplicatedJob":{}}}"#)
        }
        #expect(failure?.code == .unimplemented)
    }
}

enum Samples {
    static let network = NetworkID(value: 1)
    static let secret = Secret(id: SecretID(value: 2), name: "key", data: [1])
    static let config = Config(id: ConfigID(value: 3), name: "conf", data: [2])

    static let references = References(
        network: { text throws(Failure) in
            guard text == network.description else { throw Failure(.invalidArgument, "network \(text) not found") }
            return network
        },
        secret: { text throws(Failure) in
            guard text == secret.id.description else { throw Failure(.invalidArgument, "secret \(text) not found") }
            return secret
        },
        config: { text throws(Failure) in
            guard text == config.id.description else { throw Failure(.invalidArgument, "config \(text) not found") }
            return config
        })

    static func read(_ json: String) throws -> (spec: ServiceSpec, warnings: [String]) {
        let body = try RequestBody(decoding: Array(json.utf8), as: Docker.ServiceSpec.self)
        var warnings = try body.warnings()
        let spec = try ServiceSpec(body.value, resolving: references, warnings: &warnings)
        return (spec, warnings)
    }

    /// Every field of the model away from its default.
    static func fullSpec() throws -> ServiceSpec {
        var container = ContainerSpec(image: "nginx@sha256:aa")
        container.labels = ["a": "b"]
        container.command = ["/entry"]
        container.arguments = ["serve"]
        container.hostname = "h-{{.Task.Slot}}"
        container.environment = ["A=1"]
        container.workingDirectory = "/w"
        container.user = "1:2"
        container.groups = ["audio"]
        container.capabilitiesAdded = ["NET_ADMIN"]
        container.capabilitiesDropped = ["CHOWN"]
        container.sysctls = ["net.core.somaxconn": "1"]
        container.ulimits = [Ulimit(name: "nofile", soft: 1, hard: -1)]
        container.noNewPrivileges = true
        container.initProcess = true
        container.terminal = true
        container.openStdin = true
        container.readOnly = true
        container.stopSignal = "SIGINT"
        container.stopGracePeriod = .seconds(3)
        container.healthcheck = Healthcheck(
            test: ["CMD-SHELL", "true"], interval: .seconds(1), timeout: .seconds(2), startPeriod: .seconds(3),
            startInterval: .milliseconds(5), retries: 4)
        container.mounts = [
            Mount(source: .bind(path: "/src", propagation: .rshared, createsSource: true), target: "/a"),
            Mount(source: .volume(name: "data", copiesImageContent: false), target: "/b", readOnly: true),
            Mount(source: .tmpfs(sizeBytes: 1 << 20, mode: 0o700), target: "/c"),
        ]
        container.secrets = [
            FileReference(id: secret.id, name: secret.name, target: "k", uid: 1, gid: 2, mode: 0o400)
        ]
        container.configs = [FileReference(id: config.id, name: config.name, target: "/etc/conf")]
        container.hosts = ["10.0.0.1 db"]
        container.dns = DNSConfig(nameservers: ["1.1.1.1"], search: ["lan"], options: ["ndots:1"])
        container.oomScoreAdjustment = 100
        let task = TaskSpec(
            container: container, limits: ResourceLimits(nanoCPUs: 1, memoryBytes: 2, pids: 3),
            reservations: Resources(nanoCPUs: 4, memoryBytes: 5),
            restart: RestartPolicy(condition: .onFailure, delay: .seconds(1), maxAttempts: 2, window: .seconds(3)),
            placement: Placement(
                constraints: [try Constraint(parsing: "node.labels.zone!=eu")], spread: ["node.labels.rack"],
                maxReplicasPerNode: 2),
            networks: [NetworkAttachmentSpec(network: network, aliases: ["w"])],
            logDriver: LogDriver(name: "json-file", options: ["max-size": "1m"]), forceUpdate: 9)
        let update = UpdateConfig(
            parallelism: 0, delay: .seconds(1), failureAction: .rollback, monitor: .seconds(2), maxFailureRatio: 0.5,
            order: .startFirst)
        return ServiceSpec(
            name: "web", labels: ["x": "y"], task: task, mode: .global, update: update,
            rollback: UpdateConfig(failureAction: .continue), endpointMode: .dnsrr,
            ports: [
                PortConfig(
                    name: "http", protocol: .udp, targetPort: 80, publishedPort: 81, mode: .host,
                    hostAddress: "10.1.0.1"),
                PortConfig(targetPort: 90),
            ])
    }
}
